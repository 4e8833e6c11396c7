"""The processes that came from a process, by /proc: the sessions of an sshd among them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Born(NamedTuple):
    """A process; with `start`, the kernel's ticks at its birth, its id is unique."""

    pid: int
    start: int


def parsed(stat: str) -> tuple[int, int]:
    """The parent and the start of a process, from its line in proc_pid_stat(5); `ValueError`."""
    fields = stat.rpartition(")")[2].split()  # before it is a name, which may hold anything
    if len(fields) < 20:
        raise ValueError("not a line of /proc/PID/stat")
    return int(fields[1]), int(fields[19])


def descendants(pid: int) -> tuple[Born, ...]:
    """All children of a process that run, and theirs."""
    born = {each: found for each in _pids() if (found := _look(each))}
    generation, all_of_them = {pid}, []
    while generation:
        generation = {each for each, (parent, _) in born.items() if parent in generation}
        all_of_them += [Born(each, born[each][1]) for each in sorted(generation)]
    return tuple(all_of_them)


def alive(processes: Iterable[Born]) -> tuple[Born, ...]:
    """Those that still run."""
    return tuple(each for each in processes if (found := _look(each.pid)) and found[1] == each.start)


def end(processes: Iterable[Born], number: int = signal.SIGTERM) -> None:
    """Send them a signal."""
    for each in alive(processes):
        try:
            os.kill(each.pid, number)
        except ProcessLookupError:
            pass


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdigit()]


def _look(pid: int) -> tuple[int, int] | None:
    try:
        return parsed((PROC / str(pid) / "stat").read_text("utf-8", "replace"))
    except (OSError, ValueError):
        return None  # it has ended just now
