"""A server that runs for a measurement, and where it is asked."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.load import Endpoint
from tests.bench.pin import pinned
from tests.netns.process import Process

START = 15.0  # s until a server must answer
STOP = 2.0  # s until it is killed
NOWHERE: Endpoint = ("127.0.0.1", 9)

_logs = itertools.count()


class NotRunning(Exception):
    """A server did not start. The text says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """One server; its process leads a session. Ends with its `with`."""

    process: Process
    log: Path
    tftp: Endpoint = NOWHERE
    http: Endpoint = NOWHERE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop(STOP)
        self.log.unlink(missing_ok=True)


def start(
    name: str,
    argv: Sequence[str],
    folder: Path,
    core: int,
    *,
    tftp: Endpoint = NOWHERE,
    http: Endpoint = NOWHERE,
) -> Running:
    """Start it on one core, its output in a file of the folder; wait until it answers. `NotRunning`."""
    log = folder / f"{name}-{next(_logs)}.log"
    running = Running(Process(name, pinned(core, argv), log), log, tftp, http)

    def ready() -> bool:
        return (tftp == NOWHERE or answers_tftp(tftp)) and (http == NOWHERE or answers_http(http))

    try:
        running.process.await_ready(ready, START)
    except AssertionError:
        running.process.stop(STOP)
        said = running.process.output().strip().splitlines()
        raise NotRunning(f"did not start: {said[-1] if said else 'says nothing'}") from None
    return running


def answers_tftp(where: Endpoint, patience: float = 0.3) -> bool:
    """Whether a request gets any answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(patience)
        wire.sendto(b"\0\1is-anybody-there\0octet\0", where)
        try:
            return bool(wire.recv(600))
        except OSError:
            return False


def answers_http(where: Endpoint) -> bool:
    """Whether a connection is taken."""
    try:
        with socket.create_connection(where, timeout=0.3):
            return True
    except OSError:
        return False
