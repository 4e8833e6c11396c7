"""The envelope of a signed file (`.sgn`) or of an encrypted one (`.enc.sgn`): phones.md 3.1, 3.3.

header | body: the file itself, or AES ciphertext
"""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.trust import header as headers
from appliance.trust import signing as signings
from appliance.trust.header import Encryption, Header
from appliance.trust.signing import Signing


class Sealed(Exception):
    """What is inside is of no use without what is around it. The text says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed file; `body` is what is inside."""

    header: Header
    body: bytes = field(repr=False)


def decode(data: bytes) -> Envelope:
    """The envelope in a file; `Malformed` for everything else. It takes as much memory as the file."""
    header = headers.decode(data)
    return Envelope(header, data[header.size :])


def encode(envelope: Envelope) -> bytes:
    """Its bytes, those from which it was decoded."""
    return headers.encode(envelope.header) + envelope.body


def build(body: bytes, file_name: str, timestamp: int, signing: Signing) -> Envelope:
    """A signed file; raises as `signing.build`.

    `file_name` is the whole name that phones ask for, such as `New_Zealand/g3-tones.xml.sgn`.
    """
    return Envelope(signings.build(headers.SIGNED, body, file_name, timestamp, signing), body)


def build_encrypted(
    ciphertext: bytes, encryption: Encryption, file_name: str, timestamp: int, signing: Signing
) -> Envelope:
    """A signed file around what was encrypted already; raises as `signing.build`."""
    header = signings.build(
        headers.ENCRYPTED, ciphertext, file_name, timestamp, signing, encryption=encryption
    )
    return Envelope(header, ciphertext)


def content_offset(header: Header) -> int:
    """Where, in bytes from the start of `X.sgn`, the file `X` begins; `Sealed` where there is none."""
    if headers.is_trust_list(header):
        raise Sealed("a trust list is signed as a whole, and nothing without its header")
    if header.version == headers.ENCRYPTED or header.encryption is not None:
        raise Sealed("what is inside is encrypted, and its header tells how")
    return header.size


def strip(data: bytes) -> bytes:
    """The file `X` in `X.sgn`; `Malformed`, and `Sealed` as `content_offset`."""
    return data[content_offset(headers.decode(data)) :]
