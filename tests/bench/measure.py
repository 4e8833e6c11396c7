"""One measurement: a load against a running server, and what that cost the server."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench import load, usage
from tests.bench.build import Tools
from tests.bench.load import Figures, Load
from tests.bench.running import Running


@dataclass(frozen=True, slots=True)
class Measure:
    """What was counted; the server's CPU seconds in that time where they are known, and the most memory
    it has had.

    Where there are clusters: how many requests reached them, and how many would do.
    """

    figures: Figures
    cpu_s: float | None
    rss_bytes: int
    upstream: int | None = None
    ideal: int | None = None

    @property
    def generator_share(self) -> float:
        """How much of its core the generator took: near 1 it was the generator that was measured."""
        return self.figures.cpu_s / self.figures.seconds


def measure(tools: Tools, running: Running, wanted: Load) -> Measure:
    """Run a load to its end; `load.LoadFailed`."""
    leader = running.process.pid
    before = 0.0

    def begun() -> None:
        nonlocal before
        before = usage.of_session(leader).cpu_s

    with usage.Peak(leader) as peak:
        figures = load.run(tools.loadgen, wanted, running.tftp, running.http, begun=begun)
        after = usage.of_session(leader).cpu_s
    if not running.process.running:
        raise load.LoadFailed("the server has ended")
    return Measure(figures, after - before, peak.rss_bytes)
