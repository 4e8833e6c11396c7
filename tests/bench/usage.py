"""What a server uses: the process that was started and all that it started itself.

Every server leads a session of its own, by which its processes are found.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE = 0.5  # s


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the start (children that have ended included), resident bytes, descriptors."""

    cpu_s: float
    rss_bytes: int
    descriptors: int


def of_session(leader: int) -> Usage:
    """The sum over the session that this process leads."""
    cpu = rss = descriptors = 0
    for pid, fields in _session(leader):
        cpu += sum(int(field) for field in fields[11:15])  # utime, stime, and both of children
        rss += int(fields[21])
        try:
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            pass  # it has just ended
    return Usage(cpu / TICK, rss * PAGE, descriptors)


def of_core(core: int) -> float:
    """Seconds that a core has been busy, or was taken from this machine, since it was started."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq, steal = (int(field) for field in fields[:8])
            return (user + nice + system + irq + softirq + steal) / TICK
    return 0.0


class Peak:
    """The most memory that a session has had, watched while the `with` lasts.

    The kernel keeps it for the leader; the sum with its children is sampled.
    """

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._sampled = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def rss_bytes(self) -> int:
        """The peak so far."""
        return max(self._sampled, high_water(self._leader))

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE):
            self._sampled = max(self._sampled, of_session(self._leader).rss_bytes)


def high_water(pid: int) -> int:
    """The most resident bytes that one process ever had; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _session(leader: int) -> Iterator[tuple[str, list[str]]]:
    """The processes of a session: id, and the fields of `stat` behind the name."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            stat = Path(entry.path, "stat").read_text(errors="replace")
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if int(fields[3]) == leader:
            yield entry.name, fields
