"""Trust lists of a call manager (phones.md 3.2), with the signers of `cucm_files`."""

from __future__ import annotations

import struct

from tests.netns.cucm_files import envelope

SERIAL = b"\x28\x10"  # that of `envelope`
SAST, TFTP, CAPF, TVS = 0, 3, 4, 21


def record(role: int, issuer: str, serial: bytes = SERIAL) -> bytes:
    """One record, without a certificate, which nobody looks at here."""
    body = b"".join(
        struct.pack("!BH", tag, len(value)) + value
        for tag, value in (
            (3, b"CN=server\0"),
            (4, struct.pack("!H", role)),
            (5, f"{issuer}\0".encode()),
            (6, serial),
        )
    )
    return struct.pack("!BHH", 1, 2, 5 + len(body)) + body


def trust_list(place: str, name: str, *records: bytes) -> bytes:
    """A list that a cluster has signed."""
    return envelope(place, name, b"".join(records))
