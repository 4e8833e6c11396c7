"""The product, for which two hours pass whenever it gets SIGUSR1: by both clocks, in one moment."""

from __future__ import annotations

import runpy
import signal
import time
from types import FrameType

HOURS = 7200.0  # s


def main() -> None:
    """Run `appliance` with the arguments of this program."""
    wall, steady = time.time, time.monotonic
    passed = 0.0

    def later(number: int, frame: FrameType | None) -> None:
        nonlocal passed
        passed += HOURS

    signal.signal(signal.SIGUSR1, later)
    time.time = lambda: wall() + passed
    time.monotonic = lambda: steady() + passed
    runpy.run_module("appliance", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
