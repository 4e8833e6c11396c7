"""Values of settings: from a configuration's text to what the program works with.

Each function is a check of `configspec.ini`: it takes the text and the bounds that stand there, also as
text, and returns a value or raises Refused. Addresses and networks are in `addresses.py`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TypeVar

from appliance.config.faults import Refused
from appliance.config.model import Autoregistration, Policy

Choice = TypeVar("Choice", bound=StrEnum)

POLICY_WORDS = tuple(word for word in Policy if word is not Policy.CLUSTER)
"""The policies that are written as they are called, so that no cluster can have these names."""

NAME_MAX = 50
TEXT_MAX = 128
HOST_NAME_MAX = 253  # RFC 1035 section 3.1, without the lengths of labels
HOSTNAME_MAX = 64  # Linux: HOST_NAME_MAX
SERIAL_SPEEDS = (9600, 19200, 38400, 57600, 115200)

# int() and float() would also take "1_000", "inf", and digits of other scripts.
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_SIZE = re.compile(r"([0-9]{1,15})([KMGkmg]?)")
_FACTORS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_MAX - 1}}}")

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1123 section 2.1
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?=[0-9-]*[A-Za-z]){_LABEL}")  # digits alone end an address
_TIMEZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9][A-Za-z0-9_+-]{0,31}){0,2}")
_SYSLOG = re.compile(
    r"(?:udp|tcp|tls)://(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/]+)):(?P<port>[0-9]{1,5})"
)
_TIMESTAMP = re.compile(
    r"[0-9]{4}(?:-[0-9]{2}){2}[Tt ][0-9]{2}(?::[0-9]{2}){2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_TRUTH = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}

_DSCP = {
    **{f"cs{selector}": 8 * selector for selector in range(8)},  # RFC 2474 section 4.2.2
    **{f"af{group}{drop}": 8 * group + 2 * drop for group in range(1, 5) for drop in range(1, 4)},  # RFC 2597
    "ef": 46,  # RFC 3246
}


def integer(text: str, *, min: str, max: str) -> int:
    """Return a whole number from `min` to `max`."""
    if _WHOLE.fullmatch(text) and int(min) <= int(text) <= int(max):
        return int(text)
    raise Refused((text, min if min == max else f"a whole number from {min} to {max}"))


def port(text: str, *, off: str = "no") -> int:
    """Return a port; with `off=yes` also 0, which switches a listener off."""
    if _WHOLE.fullmatch(text) and (1 <= int(text) <= 65535 or (int(text) == 0 and off == "yes")):
        return int(text)
    raise Refused((text, "a port from 1 to 65535" + (", or 0 for off" if off == "yes" else "")))


def seconds(text: str, *, min: str, max: str) -> float:
    """Return a time in seconds from `min` to `max`."""
    if _DECIMAL.fullmatch(text) and float(min) <= float(text) <= float(max):
        return float(text)
    raise Refused((text, f"a number of seconds from {min} to {max}, without a unit"))


def size(text: str, *, min: str, max: str) -> int:
    """Return bytes from `min` to `max`; K, M and G are powers of 1024."""
    value = _bytes(text)
    if value is not None and (_bytes(min) or 0) <= value <= (_bytes(max) or 0):
        return value
    raise Refused((text, f"a size from {min} to {max}: bytes, or a number with K, M or G"))


def _bytes(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _FACTORS[match[2].upper()] if match else None


def boolean(text: str) -> bool:
    """Return yes or no, which may also be written true, on, 1 and false, off, 0."""
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise Refused((text, "yes or no")) from None


def dscp(text: str) -> int:
    """Return the six bits that mark a packet, 0 to 63, from a number or a standard name."""
    if text.lower() in _DSCP:
        return _DSCP[text.lower()]
    if _WHOLE.fullmatch(text) and 0 <= int(text) <= 63:
        return int(text)
    raise Refused((text, "cs0 to cs7, af11 to af43, ef, or a number from 0 to 63"))


def choice(text: str, choices: type[Choice]) -> Choice:
    """Return the member of `choices` with this value."""
    try:
        return choices(text.lower())
    except ValueError:
        raise Refused((text, " or ".join(f'"{each}"' if "," in each else each for each in choices))) from None


def name(text: str) -> str:
    """Return the name of a cluster or of the local store.

    It begins with a letter or digit, so that no command takes it for an option and nobody for a folder.
    """
    if _NAME.fullmatch(text):
        return text
    allowed = f"1 to {NAME_MAX} letters (a to z), digits, dots, hyphens, underscores; first a letter or digit"
    raise Refused((text, allowed))


def policy(text: str) -> Autoregistration:
    """Return whose default files are served: what is no other word of the policy is a cluster's name."""
    named = name(text)
    if named.lower() in POLICY_WORDS:
        return Autoregistration(Policy(named.lower()), None)
    return Autoregistration(Policy.CLUSTER, named)


def description(text: str) -> str:
    """Return text for people, on one line."""
    if len(text) <= TEXT_MAX and text.isprintable():
        return text
    raise Refused((text, f"at most {TEXT_MAX} printable characters"))


def folder(text: str, *, max: str = "4095") -> Path:
    """Return an absolute path of at most `max` bytes, below the root."""
    parts = text.split("/")
    if not text.startswith("/") or not text.isprintable() or not any(parts) or {".", ".."} & set(parts):
        raise Refused((text, "an absolute path, such as /data/tftp, below / and without . and .."))
    if len(text.encode()) > int(max):
        raise Refused((text, f"a path of at most {max} bytes"))
    return Path(text)


def is_host_name(text: str) -> bool:
    """Whether a text is a host name (RFC 1123 section 2.1), and no address."""
    return len(text) <= HOST_NAME_MAX and bool(_HOST_NAME.fullmatch(text))


def hostname(text: str) -> str:
    """Return the name of this box."""
    if is_host_name(text) and len(text) <= HOSTNAME_MAX:
        return text
    raise Refused((text, f"a host name of at most {HOSTNAME_MAX} letters (a to z), digits, hyphens and dots"))


def timezone(text: str) -> str:
    """Return a name that a time zone can have. Whether there is such a zone, the machine knows."""
    if _TIMEZONE.fullmatch(text):
        return text
    raise Refused((text, "a name of the time zone database, such as UTC or Europe/Berlin"))


def syslog(text: str) -> str:
    """Return the URL of a syslog server, or "" for none."""
    match = _SYSLOG.fullmatch(text)
    if not text or (match and 1 <= int(match["port"]) <= 65535 and _is_host(match["host"], match["ipv6"])):
        return text
    raise Refused((text, "udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT, or nothing at all"))


def _is_host(host: str | None, ipv6: str | None) -> bool:
    if host is not None and is_host_name(host):
        return True
    try:
        return bool(IPv4Address(host) if ipv6 is None else IPv6Address(ipv6))
    except ValueError:
        return False


def serial_speed(text: str) -> int:
    """Return the speed of a serial line in bits per second."""
    if text in map(str, SERIAL_SPEEDS):
        return int(text)
    raise Refused((text, " or ".join(map(str, SERIAL_SPEEDS))))


def timestamp(text: str) -> datetime | None:
    """Return a time with its zone (RFC 3339) in UTC, or None where nothing is given."""
    if not text:
        return None
    try:
        if _TIMESTAMP.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # there is no such day, or it is in no year from 1 to 9999
    raise Refused((text, "a time with its zone, such as 2027-01-31T18:00:00Z, or nothing at all"))
