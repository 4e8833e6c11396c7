"""Whether a phone takes what another cluster signs, by the trust lists that it has of its present one
(phones.md 8b): pure.

What its lists do not tell a phone asks the TVS of its cluster, which nobody else can ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.report.text import printable
from appliance.trust import header, trustlist
from appliance.trust.header import Signer
from appliance.trust.tlv import Malformed
from appliance.trust.trustlist import Record, Role, Tag

_FILES = (Role.CCM_TFTP, Role.TFTP)  # whose signature a phone takes under a file
_SIGNING = (Role.SAST, Role.CCM, *_FILES)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The subject of who signed a file, None where that is not known, and whether a phone takes it by its
    own lists; None where nothing is known of these.
    """

    signer: str | None = None
    accepted: bool | None = None


def judge(signed: bytes | None, lists: Sequence[bytes | None]) -> Acceptance:
    """What a phone with these trust lists makes of a signed file. Each may be None, not known, or empty:
    there is none.
    """
    try:
        signer = header.decode(signed or b"").signer
    except Malformed:
        return Acceptance()
    subject = printable(signer.subject)
    try:
        records = [record for each in lists if each for record in trustlist.decode(each).records]
    except Malformed:
        return Acceptance(subject)
    if any(_is(record, signer) for record in records):
        return Acceptance(subject, True)
    if None in lists:
        return Acceptance(subject)
    # One without a list, or with one that is made empty for a rollback, takes what anybody signs.
    return Acceptance(subject, not any(record.role in _SIGNING for record in records))


def _is(record: Record, signer: Signer) -> bool:
    return (
        record.role in _FILES
        and record.value(Tag.SERIALNUMBER) == signer.serial
        and _names(record.text(Tag.ISSUERNAME)) == _names(signer.issuer)
    )


def _names(issuer: str) -> frozenset[str]:
    """The parts of a name: some write them with semicolons, some with commas (phones.md 3.1)."""
    return frozenset(part.strip() for part in re.split("[;,]", issuer))
