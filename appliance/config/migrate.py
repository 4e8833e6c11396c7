"""From a configuration of an older version of the format to one of today's. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from appliance.config.faults import ConfigurationError, Fault

Step = Callable[[bytes], bytes]
"""From the text of one version to that of the next, comments and all. The line of the version stays."""

STEPS: tuple[Step, ...] = ()
"""The first one leads from version 1 to version 2."""

# Above the first section: a section may have a key of that name.
_VERSION = re.compile(
    rb"""\A(?:\xef\xbb\xbf)?(?:[ \t]*+(?:[^\s\[][^\n]*+)?+\r?\n)*?
         [ \t]*+version[ \t]*+=[ \t]*+(?P<quote>["']?)(?P<number>[0-9]{1,9})(?P=quote)
         [ \t]*+(?:\#[^\n]*+)?+\r?(?:\n|\Z)""",
    re.VERBOSE,
)


def migrate(text: bytes, base: str, steps: Sequence[Step] = STEPS) -> bytes:
    """Return the text as one of the newest version, 1 + the number of `steps`, step by step.

    A text of a newer one is refused, with both numbers: ConfigurationError, in which `base` names the text.
    One that says no version, or none that there ever was, stays as it is: the check tells what is wrong.
    """
    newest = 1 + len(steps)
    match = _VERSION.match(text)
    if match is None or int(match["number"]) < 1:
        return text
    version = int(match["number"])
    if version > newest:
        line = text[: match.start("number")].count(b"\n") + 1
        allowed = f"{newest}" if newest == 1 else f"1 to {newest}"
        reason = f"{allowed}; this file is for newer software"
        raise ConfigurationError(base, [Fault("", "version", str(version), reason, line)])
    for number in range(version, newest):
        text = _numbered(steps[number - 1](text), number + 1)
    return text


def _numbered(text: bytes, version: int) -> bytes:
    match = _VERSION.match(text)
    assert match is not None, "a step keeps the line of the version"
    return text[: match.start("number")] + str(version).encode() + text[match.end("number") :]
