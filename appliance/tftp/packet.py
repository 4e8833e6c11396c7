"""The six TFTP packets, to and from datagrams (RFC 1350 section 5, RFC 2347).

    RRQ, WRQ   | op 1, 2 | name | 0 | mode | 0 | option | 0 | value | 0 | ...
    DATA       | op 3 | block (2) | payload |
    ACK        | op 4 | block (2) |
    ERROR      | op 5 | code (2) | text | 0 |
    OACK       | op 6 | option | 0 | value | 0 | ...

Names stay bytes here: what they mean is decided elsewhere. Block numbers are the 16 bits of the
wire; sender and receiver count without bound and wrap to 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache

REQUEST_MAX = 1024  # bytes of a request; RFC 2347 section 2 allows 512, long names want a little more
OPTIONS_MAX = 16  # options of one packet; what follows is not looked at
HEADER = 4  # bytes of opcode and block number before the payload of DATA
BLOCK_MASK = 0xFFFF
ACK_START = b"\0\4"  # an ACK is this and the two bytes of its block's number

Options = tuple[tuple[str, str], ...]
"""Options in the order of the packet, names as spelled there."""


class Opcode(IntEnum):
    """RFC 1350 section 5; OACK from RFC 2347."""

    RRQ = 1
    WRQ = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OACK = 6


class ErrorCode(IntEnum):
    """RFC 1350 appendix I; OPTION from RFC 2347."""

    UNDEFINED = 0
    NOT_FOUND = 1
    ACCESS = 2
    DISK_FULL = 3
    ILLEGAL = 4
    UNKNOWN_TID = 5
    EXISTS = 6
    NO_USER = 7
    OPTION = 8


class Mode(StrEnum):
    """Transfer modes that are served. `mail` is obsolete (RFC 1350 section 1) and refused."""

    OCTET = "octet"
    NETASCII = "netascii"


class Malformed(Exception):
    """The peer sent what is no TFTP packet. The text is ours and holds nothing of the peer's."""


@dataclass(frozen=True, slots=True)
class Request:
    """RRQ, or WRQ when `write` is set."""

    name: bytes
    mode: Mode
    options: Options = ()
    write: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """One block. `block` is the number on the wire."""

    block: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ack:
    """The acknowledgement of all blocks up to `block`."""

    block: int


@dataclass(frozen=True, slots=True)
class Error:
    """The end of a transfer. `code` may be one that no RFC names."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Oack:
    """The options that the server took."""

    options: Options


Packet = Request | Data | Ack | Error | Oack


def decode(datagram: bytes) -> Packet:
    """The packet in a datagram; `Malformed` for everything else."""
    if len(datagram) < 4:
        raise Malformed("too short")
    opcode = int.from_bytes(datagram[:2], "big")
    number = int.from_bytes(datagram[2:4], "big")
    if opcode == Opcode.DATA:
        return Data(number, datagram[4:])
    if opcode == Opcode.ACK:
        # Bytes behind the number are tolerated: some boot loaders send a whole buffer.
        return Ack(number)
    if opcode == Opcode.ERROR:
        return Error(number, datagram[4:].split(b"\0", 1)[0][:255].decode("utf-8", "replace"))
    if opcode == Opcode.OACK:
        return Oack(_options(_strings(datagram)))
    if opcode in (Opcode.RRQ, Opcode.WRQ):
        return decode_request(datagram)
    raise Malformed("unknown opcode")


def is_request(datagram: bytes) -> bool:
    """Whether a listening port may answer this at all: RRQ and WRQ only.

    Everything else, an ERROR before all, stays without an answer: two servers that answer each
    other's errors never stop (CVE-2024-2169).
    """
    return datagram[:2] in (b"\0\1", b"\0\2")


@lru_cache(maxsize=2048)  # phones ask for few names, and often
def decode_request(datagram: bytes) -> Request:
    """The RRQ or WRQ in a datagram for which `is_request` holds."""
    if len(datagram) > REQUEST_MAX:
        raise Malformed("request too long")
    strings = _strings(datagram)
    if len(strings) < 2:
        raise Malformed("request without name or mode")
    name, mode = strings[0], strings[1].lower()
    if not name:
        raise Malformed("empty name")
    if mode not in (b"octet", b"netascii"):
        raise Malformed("mode is neither octet nor netascii")
    return Request(name, Mode(mode.decode()), _options(strings[2:]), datagram[1] == Opcode.WRQ)


def _strings(datagram: bytes) -> list[bytes]:
    """The strings behind the opcode, but not what follows the last NUL: it may have been cut short."""
    return datagram[2:].split(b"\0")[:-1]


def _options(strings: list[bytes]) -> Options:
    """Pairs of strings; the odd one out, and names or values that are not ASCII, are left out."""
    pairs = zip(strings[0::2], strings[1::2], strict=False)
    return tuple(
        (name.decode(), value.decode())
        for name, value in list(pairs)[:OPTIONS_MAX]
        if name and name.isascii() and value.isascii()
    )


def encode(packet: Packet) -> bytes:
    """The datagram of a packet."""
    match packet:
        case Data(block, payload):
            return data_header(block) + payload
        case Ack(block):
            return ACK_START + (block & BLOCK_MASK).to_bytes(2, "big")
        case Error(code, text):
            return b"\0\5" + code.to_bytes(2, "big") + text.encode() + b"\0"
        case Oack(options):
            return b"\0\6" + _pairs(options)
        case Request(name, mode, options, write):
            return bytes([0, 2 if write else 1]) + name + b"\0" + mode.encode() + b"\0" + _pairs(options)


def data_header(block: int) -> bytes:
    """Opcode and number before a payload; `block` counts without bound."""
    return b"\0\3" + (block & BLOCK_MASK).to_bytes(2, "big")


def _pairs(options: Options) -> bytes:
    return b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in options)
