"""Values of settings: from a configuration's text to what the program works with.

Each function is a check of `configspec.ini`: it takes the text and the bounds that stand there, also as
text, and returns a value or raises Refused. Addresses and networks are in `addresses.py`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from appliance.config.faults import Refused
from appliance.config.model import Autoregistration, Policy

Choice = TypeVar("Choice", bound=StrEnum)

POLICY_WORDS = tuple(word for word in Policy if word is not Policy.CLUSTER)
"""The policies that are written as they are called, so that no cluster can have these names."""

NAME_MAX = 50
TEXT_MAX = 128

# int() and float() would also take "1_000", "inf", and digits of other scripts.
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_SIZE = re.compile(r"([0-9]{1,15})([KMGkmg]?)")
_FACTORS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_MAX - 1}}}")

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
