"""One revision of the configuration as the bytes of its file. Pure.

The file is a line with the SHA-256 (hex) of all that follows, a line with one JSON object that says who made
the revision, when and why, and the configuration's text. What a loss of power or a bad disk made of it does
not have this digest, and is refused as a whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from appliance.config.lines import SIZE_MAX
from appliance.report.text import printable

AUTHOR_MAX = 64
COMMENT_MAX = 200
"""Characters of the two; what is longer is cut."""

NUMBER_MAX = 999_999_999

HEAD_MAX = 8192
"""Bytes of the two first lines; escapes make a comment longer."""

FILE_MAX = HEAD_MAX + SIZE_MAX
"""Bytes of a revision's file."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Revision `number` (from 1). `time` is RFC 3339 in UTC; `sha256` is that of the text, in hex. `author`
    and `comment` are printable.
    """

    number: int
    time: str
    author: str
    comment: str
    sha256: str


class DamagedRevision(ValueError):
    """Bytes that are no revision, or not the one that was asked for; says why."""


def make(number: int, time: str, author: str, comment: str, text: bytes) -> Revision:
    """The revision of a text."""
    digest = hashlib.sha256(text).hexdigest()
    return Revision(number, time, printable(author, AUTHOR_MAX), printable(comment, COMMENT_MAX), digest)


def encode(revision: Revision, text: bytes) -> bytes:
    """The file of a revision."""
    rest = json.dumps(asdict(revision)).encode() + b"\n" + text
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def decode(data: bytes, number: int) -> tuple[Revision, bytes]:
    """The revision `number` from its file, and its text; DamagedRevision where they are not whole."""
    digest, _, rest = data.partition(b"\n")
    if digest != hashlib.sha256(rest).hexdigest().encode():
        raise DamagedRevision("torn or damaged: its digest is another one")
    head, _, text = rest.partition(b"\n")
    revision = _revision(head)
    if revision.number != number:
        raise DamagedRevision(f"the file of revision {revision.number}")
    if revision.sha256 != hashlib.sha256(text).hexdigest():
        raise DamagedRevision("its text has another digest")
    return revision, text


def _revision(head: bytes) -> Revision:
    try:
        found = json.loads(head)
        revision = Revision(**found)
    except (ValueError, TypeError, RecursionError):
        raise DamagedRevision("its head is not that of a revision") from None
    texts = (revision.time, revision.author, revision.comment, revision.sha256)
    if type(revision.number) is not int or not all(isinstance(text, str) for text in texts):
        raise DamagedRevision("its head has fields of other types")
    return revision
