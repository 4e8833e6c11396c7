"""Which core runs what: the server has one, the generator and the upstream servers the other."""

from __future__ import annotations

import os
from collections.abc import Sequence

_cores = sorted(os.sched_getaffinity(0))
SERVER = _cores[0]
GENERATOR = _cores[1 % len(_cores)]


def pinned(core: int, argv: Sequence[str]) -> list[str]:
    """The command that runs another one on one core."""
    return ["taskset", "--cpu-list", str(core), *argv]
