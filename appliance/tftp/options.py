"""The options of a transfer: what a server takes of an offer, and what a client takes of an OACK.

RFC 2347 (negotiation), 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize). A value is one to
nine ASCII digits; anything else is as if the option had not been offered. An option twice: the
first counts. An OACK holds only what was asked (RFC 2347 section 1), spelled as it was asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.tftp.packet import HEADER, Options

BLKSIZE = 512  # bytes, without the option (RFC 1350)
BLKSIZE_MIN, BLKSIZE_MAX = 8, 65464  # RFC 2348
WINDOWSIZE_MAX = 64  # blocks: also what one UDP_SEGMENT call can carry
WINDOW_BYTES_MAX = 512 * 1024  # windowsize x blksize: what one ACK may set in motion
TIMEOUT_MAX = 30  # s; RFC 2349 allows 255, which no silence limit of ours would outlive
UDP_IPV4, UDP_IPV6 = 28, 48  # bytes of IP and UDP header before a TFTP packet


@dataclass(frozen=True, slots=True)
class Limits:
    """What this side is willing to take."""

    blksize: int = BLKSIZE_MAX
    windowsize: int = WINDOWSIZE_MAX


@dataclass(frozen=True, slots=True)
class Accepted:
    """The options in force. `oack` is empty where the peer offered nothing that was taken.

    `tsize` is the size in bytes as told in the OACK, by whichever side; `timeout` in seconds.
    """

    blksize: int = BLKSIZE
    windowsize: int = 1
    timeout: int | None = None
    tsize: int | None = None
    oack: Options = ()


NOTHING = Accepted()
"""What holds where no option was offered, or none was taken."""


class Unacceptable(Exception):
    """The peer's OACK holds what was not offered, or more than was offered: ERROR 8."""


def digits(value: str, most: int = 9) -> int | None:
    """An option's number: ASCII digits alone, at most `most` of them, else None."""
    return int(value) if 0 < len(value) <= most and value.isascii() and value.isdigit() else None


def mtu_blksize(mtu: int, ipv6: bool) -> int:
    """The largest blksize whose DATA fits one frame of a link with this MTU, at least 512."""
    return max(BLKSIZE, mtu - (UDP_IPV6 if ipv6 else UDP_IPV4) - HEADER)


def accept(offered: Options, limits: Limits, size: int | None) -> Accepted:
    """What a server takes of a request's options.

    `size` in bytes as on the wire, None where it is not known: in netascii it never is.
    An empty file gets no tsize: curl ends a transfer whose OACK says `tsize=0`.
    """
    if not offered:
        return NOTHING  # phones ask for no option
    first = _first(offered)
    blksize = first.get("blksize", 0)
    blksize = min(blksize, limits.blksize, BLKSIZE_MAX) if blksize >= BLKSIZE_MIN else 0
    room = max(1, WINDOW_BYTES_MAX // (blksize or BLKSIZE))
    windowsize = min(first.get("windowsize", 0), limits.windowsize, room)
    timeout = first.get("timeout", 0)
    taken: dict[str, int] = {}
    if blksize:
        taken["blksize"] = blksize
    if windowsize:
        taken["windowsize"] = windowsize
    if 1 <= timeout <= TIMEOUT_MAX:
        taken["timeout"] = timeout
    if "tsize" in first and size:
        taken["tsize"] = size
    return Accepted(
        blksize=blksize or BLKSIZE,
        windowsize=windowsize or 1,
        timeout=taken.get("timeout"),
        tsize=taken.get("tsize"),
        oack=_spelled(offered, taken),
    )


def agree(offered: Options, oack: Options) -> Accepted:
    """What a client takes of a server's OACK; `Unacceptable` where it goes beyond the offer."""
    offer = _first(offered)
    answer: dict[str, int] = {}
    for name, value in oack:
        number = digits(value, most=18)
        if name.lower() not in offer or number is None:
            raise Unacceptable("an option that was not asked for, or no number")
        answer.setdefault(name.lower(), number)
    blksize = answer.get("blksize", BLKSIZE)
    windowsize = answer.get("windowsize", 1)
    timeout = answer.get("timeout")
    if "blksize" in answer and not BLKSIZE_MIN <= blksize <= offer["blksize"]:
        raise Unacceptable("blksize out of bounds")
    if "windowsize" in answer and not 1 <= windowsize <= offer["windowsize"]:
        raise Unacceptable("windowsize out of bounds")
    if timeout is not None and timeout != offer["timeout"]:
        raise Unacceptable("another timeout than was asked for")
    return Accepted(blksize, windowsize, timeout, answer.get("tsize"), oack)


def _first(offered: Options) -> dict[str, int]:
    """Name in lower case to number, the first of each name, those without a proper number left out."""
    found: dict[str, int | None] = {}
    for name, value in offered:
        found.setdefault(name.lower(), digits(value))
    return {name: number for name, number in found.items() if number is not None}


def _spelled(offered: Options, taken: dict[str, int]) -> Options:
    """The taken options in the offer's order and spelling, each once."""
    left = dict(taken)
    return tuple((name, str(left.pop(name.lower()))) for name, _ in offered if name.lower() in left)
