"""One measurement: a load against a running server, and what that cost the server."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench import load, usage
from tests.bench.build import Tools
from tests.bench.load import Figures, Load
from tests.bench.pin import SERVER
from tests.bench.running import Running


@dataclass(frozen=True, slots=True)
class Measure:
    """What was counted; the server's CPU seconds in that time where they are known, and the most memory
    it has had. `others_s` is the time that its core spent on anything else.

    Where there are clusters: how many requests reached them, and how many would do.
    """

    figures: Figures
    cpu_s: float | None
    rss_bytes: int
    others_s: float = 0.0
    upstream: int | None = None
    ideal: int | None = None

    @property
    def generator_share(self) -> float:
        """How much of its core the generator took: near 1 it was the generator that was measured."""
        return self.figures.cpu_s / self.figures.seconds


def measure(tools: Tools, running: Running, wanted: Load) -> Measure:
    """Run a load to its end; `load.LoadFailed`."""
    leader = running.process.pid
    before = core_before = 0.0

    def begun() -> None:
        nonlocal before, core_before
        before, core_before = usage.of_session(leader).cpu_s, usage.of_core(SERVER)

    with usage.Peak(leader) as peak:
        figures = load.run(tools.loadgen, wanted, running.tftp, running.http, begun=begun)
        spent = usage.of_session(leader).cpu_s - before
        others = usage.of_core(SERVER) - core_before - spent
    if not running.process.running:
        raise load.LoadFailed("the server has ended")
    return Measure(figures, spent, peak.rss_bytes, max(0.0, others))
