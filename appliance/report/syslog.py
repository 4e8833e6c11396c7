"""Lines of the log as messages of syslog (RFC 5424), and how they stand in a stream (RFC 6587). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from appliance.report.record import stamp

MESSAGE_MAX = 8192
"""Bytes of a message; what is longer is cut. (RFC 5424 section 6.1: 2048 and more should be taken.)"""

_DAEMON = 3 * 8  # the facility, RFC 5424 section 6.2.1
_ERROR, _NOTICE, _INFORMATIONAL = 3, 5, 6
_SEVERITIES = {"request": _INFORMATIONAL, "fault": _ERROR}
_EVENT = '{"event": "'  # begins each line that is JSON
_UTF8 = b"\xef\xbb\xbf"  # begins a text that is not ASCII alone, section 6.4
_MSGID_MAX = 32


@dataclass(frozen=True, slots=True)
class Destination:
    """A syslog server: `transport` is udp, tcp or tls."""

    transport: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}://{host}:{self.port}"


def destination(url: str) -> Destination | None:
    """The server of a URL of the configuration; None for an empty one."""
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        return None
    return Destination(parts.scheme, parts.hostname, parts.port)


def message(line: str, seconds: float, hostname: str, process: int) -> bytes:
    """The message of a line, which was written at this time of the wall clock."""
    event = line[len(_EVENT) :].partition('"')[0] if line.startswith(_EVENT) else ""
    severity = _SEVERITIES.get(event, _NOTICE)
    msgid = event.replace(" ", "-")[:_MSGID_MAX] if event.isascii() and event.isprintable() else ""
    head = f"<{_DAEMON + severity}>1 {stamp(seconds)} {hostname or '-'} appliance {process} {msgid or '-'} - "
    text = line.encode("utf-8", "replace")
    whole = head.encode() + (b"" if line.isascii() else _UTF8) + text
    return whole if len(whole) <= MESSAGE_MAX else _cut(whole)


def framed(message: bytes) -> bytes:
    """A message in a stream: its length in bytes goes before it (RFC 6587 section 3.4.1, RFC 5425)."""
    return b"%d %s" % (len(message), message)


def _cut(whole: bytes) -> bytes:
    """So much that no character of several bytes is broken."""
    return whole[:MESSAGE_MAX].decode("utf-8", "ignore").encode()
