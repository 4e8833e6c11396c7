"""Any signed file: which kind it is, and what phones would say of it."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.trust import envelope, trustlist
from appliance.trust import header as headers
from appliance.trust.envelope import Envelope
from appliance.trust.trustlist import TrustList

SignedFile = TrustList | Envelope


def decode(data: bytes, limit: int = trustlist.SIZE_MAX) -> SignedFile:
    """The trust list, of at most `limit` bytes, or the envelope in a file; `Malformed`."""
    if headers.is_trust_list(headers.decode(data)):
        return trustlist.decode(data, limit)
    return envelope.decode(data)


def encode(signed: SignedFile) -> bytes:
    """Its bytes, those from which it was decoded."""
    return headers.encode(signed.header) + signed.body


def doubts(signed: SignedFile) -> Iterator[str]:
    """Yield what would keep phones from taking it, though its signature be right."""
    if signed.header.algorithm not in headers.TAKEN:
        yield f"its hash algorithm {signed.header.algorithm} is none with which phones take a file"
    if isinstance(signed, TrustList):
        yield from trustlist.doubts(signed)
