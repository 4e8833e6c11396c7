"""The files of a call manager, by the names of phones.md 2.3. Whose they are follows from their bytes."""

from __future__ import annotations

import struct
import zlib

from tests.netns.files import body, digest

RINGS = "RingList.xml.sgn"
LOCALE = "English_United_States/be-sip.jar"
SOFTKEYS = "SK72f64050-7ad5-4b47-9bfa-5e9ad9cd4aa9.xml.sgn"  # the same name on every cluster
COMMON = (RINGS, LOCALE, SOFTKEYS)
DEFAULT = "XMLDefault.cnf.xml"
INVENTORY = "ConfigFileCacheList.txt"

_SIGNATURE = bytes(128)  # of nobody: what is tested with these files does not verify them


def trust_list(mac: str, kind: str = "ITL") -> str:
    """The name of a phone's own trust list."""
    return f"{kind}SEP{mac}.tlv"


def configuration(mac: str, signed: bool = True) -> str:
    """The name of a phone's configuration."""
    return f"SEP{mac}.cnf.xml{'.sgn' if signed else ''}"


def own_files(mac: str) -> tuple[str, ...]:
    """What a cluster in non-secure mode has for one of its phones: no CTL, nothing encrypted."""
    return trust_list(mac), configuration(mac), configuration(mac, signed=False)


def content(place: str, name: str) -> bytes:
    """The bytes of a file of a place (a cluster, or the local store): a few blocks, in its envelope."""
    size = 700 + zlib.crc32(f"{place} {name}".encode()) % 4000
    text = f"{name} of {place}\n".encode() + body(f"{place}/{name}", size)
    return envelope(place, name, text) if name.endswith((".sgn", ".tlv")) else text


def envelope(signer: str, name: str, text: bytes) -> bytes:
    """The header of a signed file (phones.md 3.1) in front of its text."""

    def tlv(tag: int, value: bytes) -> bytes:
        return struct.pack("!BH", tag, len(value)) + value

    identity = b"".join(
        tlv(tag, value)
        for tag, value in ((4, f"CN={signer}\0".encode()), (5, b"\x28\x10"), (6, f"CN={signer}\0".encode()))
    )
    algorithm = tlv(8, b"\1") + tlv(9, tlv(10, b"\0") + tlv(11, b"\1"))
    rest = tlv(3, identity) + tlv(7, algorithm) + tlv(12, _SIGNATURE)
    rest += tlv(14, f"{name}\0".encode()) + tlv(15, struct.pack("!I", 1_700_000_000))
    version = tlv(1, b"\1\2" if name.endswith(".tlv") else b"\1\0")
    length = len(version) + 5 + len(rest)
    padding = -length % 4
    return version + tlv(2, struct.pack("!H", length + padding)) + rest + b"\x0d" * padding + text


class Origins:
    """Whose a file is, by its digest: for the places and names that were noted."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def note(self, place: str, *names: str) -> None:
        """These files may turn up."""
        for name in names:
            self._known[digest(content(place, name))] = (place, name)

    def of(self, name: str, found: str) -> str:
        """The place whose file `name` has this digest; in words where it is none."""
        place, noted = self._known.get(found, ("nobody", name))
        return place if noted == name else f"{noted} of {place}"
