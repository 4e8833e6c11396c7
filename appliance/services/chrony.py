"""chrony: its configuration (chrony.conf(5)), and what it tells of the clock (chronyc(1))."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

SERVERS_MAX = 8

_SERVER = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.:%_-]*[0-9A-Za-z])?")
_TRACKING = 14  # fields of `chronyc -c tracking`


@dataclass(frozen=True, slots=True)
class Places:
    """`drift` is what was learned of the clock, and outlives a restart; `socket` is how chronyd is asked."""

    configuration: Path
    drift: Path
    pid: Path
    socket: Path


@dataclass(frozen=True, slots=True)
class Tracking:
    """What chronyd follows: the server by its name, how many steps it is from a clock of reference (RFC 5905,
    7.3), and by how much this box's clock is ahead of it.
    """

    server: str
    stratum: int
    ahead_ms: float


def places(run: Path, data: Path) -> Places:
    """Where everything is, by the folders of [paths]."""
    there = run / "chrony"
    drift = data / "system" / "chrony" / "drift"
    return Places(there / "chrony.conf", drift, there / "chronyd.pid", there / "chronyd.sock")


def usable(servers: Iterable[str]) -> tuple[str, ...]:
    """Those of the servers that can be named to chronyd, each once."""
    return tuple(dict.fromkeys(each for each in servers if _SERVER.fullmatch(each)))[:SERVERS_MAX]


def rendered(servers: Sequence[str], there: Places, user: str) -> str:
    """The text of chrony.conf. `user` is the one that chronyd becomes; empty is the one it was built with.

    A clock that is wrong by more than a second at the start is set at once; later it is only made slower or
    faster. Nobody is served the time.
    """
    lines = [*(f"{'server' if _is_address(each) else 'pool'} {each} iburst" for each in usable(servers))]
    lines += [f"user {user}"] if user else []
    lines += [
        f"driftfile {there.drift}",
        f"pidfile {there.pid}",
        f"bindcmdaddress {there.socket}",
        "cmdport 0",
        "port 0",
        "makestep 1 3",
        "rtcsync",
    ]
    return "".join(f"{line}\n" for line in lines)


def tracking(text: str) -> Tracking | None:
    """What `chronyc -c tracking` printed; None where no server is followed, or it is something else."""
    fields = text.strip().split(",")
    if len(fields) != _TRACKING or fields[-1] == "Not synchronised":
        return None
    try:
        stratum, ahead = int(fields[2]), float(fields[4]) * 1000
    except (ValueError, OverflowError):
        return None
    if not (0 < stratum < 16 and math.isfinite(ahead)):
        return None
    return Tracking(fields[1], stratum, round(ahead, 3))


def _is_address(server: str) -> bool:
    try:
        ip_address(server)
    except ValueError:
        return False
    return True
