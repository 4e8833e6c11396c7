"""What a TFTP client is told instead of a file: fixed texts, nothing of our folders (RFC 1350 section 5)."""

from __future__ import annotations

from appliance.cluster.names import Fault
from appliance.tftp.packet import Error, ErrorCode, encode

TEXTS = {
    ErrorCode.UNDEFINED: "not available now",
    ErrorCode.NOT_FOUND: "file not found",
    ErrorCode.ACCESS: "access violation",
    ErrorCode.ILLEGAL: "illegal TFTP operation",
}

BAD_NAME = {
    Fault.TOO_LONG: ErrorCode.ILLEGAL,
    Fault.NOT_PRINTABLE: ErrorCode.NOT_FOUND,
    Fault.ESCAPES: ErrorCode.ACCESS,
    Fault.EMPTY: ErrorCode.NOT_FOUND,
}
"""What a name that can be no file's is answered with."""

_ERRORS = {code: encode(Error(code, text)) for code, text in TEXTS.items()}
BUSY = encode(Error(ErrorCode.UNDEFINED, "busy"))


def error(code: ErrorCode) -> bytes:
    """The ERROR with its fixed text."""
    return _ERRORS[code]
