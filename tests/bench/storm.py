"""Thousands of phones that boot within one minute, half of them over HTTP, and then once more."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from tests.bench import usage
from tests.bench.load import Figures, Load, LoadFailed
from tests.bench.measure import measure
from tests.bench.servers import Ground, start_proxy
from tests.bench.site import BOOT_FILES, Site, phones
from tests.bench.upstream import ADDRESSES, ideal, upstreams

MINUTE = 60.0
PATIENCE = 45.0  # s more, for those that began last
SETTLE = 10.0  # s after a storm, until what was kept for repetitions is let go
MB = 1e6


@dataclass(frozen=True, slots=True)
class Storm:
    """What came of it. `failed` counts files of both storms, `absent` phones that did not end in time."""

    phones: int
    seconds: float
    failed: int
    absent: int
    retries: int
    peak_mb: float
    after_first_mb: float
    after_second_mb: float
    first_p99_ms: float
    cpu_ms: float
    upstream: tuple[int, int]
    ideal: tuple[int, int]

    @property
    def growth(self) -> float:
        """Memory after the second storm, as part of that after the first."""
        return self.after_second_mb / self.after_first_mb


def run(ground: Ground, site: Site, count: int, seconds: float = MINUTE) -> Storm:
    """Two storms of the same phones, spread evenly over the seconds; `LoadFailed`, `NotRunning`."""
    some = phones(count, list(ADDRESSES))
    site.write_phones(some)
    load = Load(
        site.boots(some, ("tftp", "http")),
        seconds + PATIENCE,
        rate=count / seconds,
        phones=count,
        phone_address=True,
    )
    figures: list[Figures] = []
    memory: list[float] = []
    asked: list[int] = []
    cpu = peak = 0.0
    with (
        upstreams(ground, site) as clusters,
        start_proxy(ground, clusters.settings(site.root("empty"))) as running,
    ):
        for number in (1, 2):
            print(f"storm {number} of 2: {count} phones in {seconds:g} s", file=sys.stderr, flush=True)
            outcome = measure(ground.tools, running, load)
            time.sleep(SETTLE)
            figures.append(outcome.figures)
            memory.append(usage.of_session(running.process.pid).rss_bytes / MB)
            asked.append(clusters.requests().total())
            cpu += outcome.cpu_s or 0.0
            peak = max(peak, outcome.rss_bytes / MB)
    boots = sum(each.boots for each in figures)
    if not boots:
        raise LoadFailed("no phone has booted")
    return Storm(
        phones=count,
        seconds=seconds,
        failed=sum(each.failed for each in figures) + BOOT_FILES * (2 * count - boots),
        absent=2 * count - boots,
        retries=sum(each.retries for each in figures),
        peak_mb=peak,
        after_first_mb=memory[0],
        after_second_mb=memory[1],
        first_p99_ms=max(each.first_ms["p99"] for each in figures),
        cpu_ms=1000 * cpu / boots,
        upstream=(asked[0], asked[1]),
        ideal=(ideal(count, clusters.alive, False), ideal(count, clusters.alive, True)),
    )
