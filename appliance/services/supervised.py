"""A program of others that always runs: watched, started again when it ends, and ended with us."""

from __future__ import annotations

import ctypes
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

import gevent
from gevent import subprocess

BACKOFF_MIN, BACKOFF_MAX = 1.0, 30.0  # s between two starts
STEADY = 60.0  # s after which a process that ended is not held for one that cannot start
STOP_MAX = 5.0  # s for a process to end by itself
REST = 0.5  # s for its last words, once it has ended
LINE_MAX = 1024  # bytes; the rest of a longer line counts as the next one

PR_SET_PDEATHSIG, PR_CAPBSET_DROP = 1, 24  # Linux: prctl(2)

_libc = ctypes.CDLL(None)


def _nothing(line: str) -> None:
    pass


class Supervised:
    """One process that always runs.

    `title` is what it is called in lines for people, which go to `told`. `heard` gets each line of its
    output, with `errors` those of its standard error as well. It never has the capabilities `without`
    (capabilities(7)). One that changes its user does not end with us (PR_SET_PDEATHSIG).
    """

    def __init__(
        self,
        title: str,
        argv: Sequence[str],
        told: Callable[[str], None],
        *,
        heard: Callable[[str], None] = _nothing,
        errors: bool = False,
        without: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.argv = list(argv)
        self.why = ""
        self._title = title
        self._told = told
        self._heard = heard
        self._errors = errors
        self._without = tuple(without)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._watch = gevent.spawn(self._run)

    @property
    def pid(self) -> int | None:
        """Its id, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def running(self) -> bool:
        """Whether it runs just now."""
        return self.pid is not None

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """End it, and start it no more."""
        self._watch.kill()
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
                try:
                    self._process.wait(STOP_MAX)
                except subprocess.TimeoutExpired:
                    continue

    def _run(self) -> None:
        pause, before = BACKOFF_MIN, ""
        while True:
            started = time.monotonic()
            self.why = self._once()
            if time.monotonic() > started + STEADY:
                pause, before = BACKOFF_MIN, ""
            if self.why != before:
                self._told(f"{self._title}: {self.why}; it is started again")
            before = self.why
            gevent.sleep(pause)
            pause = min(2 * pause, BACKOFF_MAX)

    def _once(self) -> str:
        """Start it, and why it ended."""
        program = self.argv[0].rpartition("/")[2]
        try:
            self._process = process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if self._errors else None,
                env=self._environment,
                start_new_session=True,
                preexec_fn=self._confine,
            )
        except OSError as error:
            return f"{program} cannot be started: {error.strerror}"
        assert process.stdout is not None
        hearing = gevent.spawn(self._hear, process.stdout)
        try:
            code = process.wait()
            # Children of its own may hold the pipe open longer than it lives.
            hearing.join(REST)
        finally:
            hearing.kill()
            process.stdout.close()
        return f"{program} ended with {code}"

    def _hear(self, output: IO[bytes]) -> None:
        while line := output.readline(LINE_MAX):
            self._heard(line.decode("utf-8", "backslashreplace").strip())

    def _confine(self) -> None:
        """In the new process."""
        for capability in self._without:
            _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        # A daemon that was killed leaves nothing in its successor's way.
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
