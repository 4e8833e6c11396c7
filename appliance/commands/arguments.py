"""What may stand in the arguments of commands, as types for argparse: a wrong one is told with what is
allowed, and ends with status 2.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from ipaddress import ip_address

from appliance.cluster.names import BadName, read
from appliance.report.text import printable

_DIGITS_MAX = 9


def number(lowest: int, highest: int) -> Callable[[str], int]:
    """A whole number between these two, both allowed."""

    def check(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX:
            value = int(text)
            if lowest <= value <= highest:
                return value
        raise _refused(text, f"a whole number from {lowest} to {highest}")

    return check


def address(text: str) -> str:
    """An IPv4 or IPv6 address."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise _refused(text, "an IPv4 or IPv6 address") from None


def name(text: str) -> str:
    """A name that a file or a device can have."""
    try:
        read(os.fsencode(text))
    except BadName as fault:
        raise _refused(text, "the name of a file or device", f" ({fault})") from None
    return text


def _refused(text: str, allowed: str, why: str = "") -> argparse.ArgumentTypeError:
    found = f'"{printable(text, 80)}"' if text else "nothing"
    return argparse.ArgumentTypeError(f"found {found}{why}; allowed: {allowed}")
