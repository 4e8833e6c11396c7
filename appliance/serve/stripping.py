"""The file `X` inside of the signed file `X.sgn`, found by the first bytes of that alone (phones.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable

from appliance.trust import envelope
from appliance.trust import header as headers
from appliance.trust.envelope import Sealed
from appliance.trust.tlv import Malformed

Read = Callable[[int, int], bytes]
"""Gives up to so many bytes (the second) from an offset on (the first); none at the end of the file."""


class NoEnvelope(Exception):
    """There is no file inside that could be taken out. The text says why, and holds nothing of the file's."""


def content_start(read: Read) -> int:
    """Where the file begins, in bytes; `NoEnvelope`, and what `read` raises.

    No more than the header is read, which has less than 64 KiB.
    """
    try:
        head = _at_least(read, b"", headers.FIXED)
        return envelope.content_offset(headers.decode(_at_least(read, head, headers.announced(head))))
    except (Malformed, Sealed) as fault:
        raise NoEnvelope(str(fault)) from None


def _at_least(read: Read, head: bytes, length: int) -> bytes:
    """So many bytes from the start of the file; fewer where it ends."""
    while len(head) < length:
        piece = read(len(head), length - len(head))
        if not piece:
            break
        head += piece
    return head
