"""Processes of a test: each in a group of its own, ended by its id, its output kept."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL = 0.01
REPOSITORY = Path(__file__).resolve().parents[2]

Ready = Callable[[], bool] | str | None


def wait_for(condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    """Poll until `condition` holds; AssertionError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(POLL)


def run(
    argv: Sequence[str], *, timeout: float, text_in: str = "", folder: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Run to the end. Past `timeout` seconds the whole group is killed and AssertionError raised."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="backslashreplace",
        cwd=folder,
        start_new_session=True,
    ) as popen:
        try:
            out, err = popen.communicate(text_in, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(popen.pid, signal.SIGKILL)
            out, err = popen.communicate()
            raise AssertionError(f"still running after {timeout:g} s: {' '.join(argv)}\n{out}{err}") from None
        except BaseException:
            os.killpg(popen.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(list(argv), popen.returncode, out, err)


class Process:
    """A process that runs beside the test. `name` heads its output when a test fails."""

    def __init__(self, name: str, argv: Sequence[str], log: Path) -> None:
        """Start `argv`; standard output and error go to the file `log`."""
        self.name = name
        self.argv = tuple(argv)
        self._log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the process, which is also that of its group."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._popen.poll() is None

    def output(self) -> str:
        """All it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="backslashreplace")

    def await_ready(self, ready: Ready, timeout: float = 10.0) -> None:
        """Wait for a condition, or for a word in the output; AssertionError if the process ends before."""

        def now() -> bool:
            if ready is None:
                return True
            if (ready in self.output()) if isinstance(ready, str) else ready():
                return True
            if not self.running:
                status = self._popen.returncode
                raise AssertionError(f"{self.name} ended with {status}: {self.argv}\n{self.output()}")
            return False

        try:
            wait_for(now, f"{self.name} ready", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output()}") from None

    def stop(self, timeout: float = 5.0) -> None:
        """End the whole group: asked first, killed when that does not help. May be called twice."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # children that outlived it, too
        self._popen.wait(timeout)
