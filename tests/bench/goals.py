"""What the proxy is meant to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.soak import Soak
from tests.bench.storm import Storm
from tests.bench.summary import Cell, Table, best_peer, ratio

# Row; least part of the best peer, of the limit.
SPEED: tuple[tuple[str, float | None, float | None], ...] = (
    ("storm-100", 1.0, 0.75),
    ("storm-500", 1.5, 0.75),
    ("storm-2000", 1.5, 0.75),
    ("not-found", 0.75, 0.6),
    ("blocks-1428", 1.0, None),
    ("window-1", 1.1, None),
    ("window-8", 3.5, 0.7),
    ("http-8k", 0.35, None),
    ("http-4m", 0.7, None),
)
# Row; row that it is compared with; least part.
PROXIED = (
    ("boots-warm", "boots-local", 0.8),
    ("boots-dead-cold", "boots-cold", 0.9),
    ("boots-dead-warm", "boots-warm", 0.9),
)
CPU_TO_DNSMASQ = 1.2
PEAK_MB = 150.0
GROWTH = 1.1
LAG_P99_MS = 20.0


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: what is compared, what was measured, the bound, and on which side of it is good."""

    text: str
    value: float
    bound: float
    least: bool

    @property
    def reached(self) -> bool:
        """Whether the bound is kept."""
        return self.value >= self.bound if self.least else self.value <= self.bound


def goals(table: Table, storm: Storm | None, soak: Soak | None) -> list[Goal]:
    """All goals of which there are measurements."""
    found = [*_speed(table), *_cost(table), *_proxied(table), *_storm(storm), *_soak(soak)]
    return [Goal(text, value, bound, least) for text, value, bound, least in found if value is not None]


Found = Iterator[tuple[str, float | None, float, bool]]


def _proxy(table: Table, row: str) -> Cell:
    return table.get(row, {}).get("proxy", Cell(None))


def _speed(table: Table) -> Found:
    for row, to_peer, to_limit in SPEED:
        cells = table.get(row, {})
        own = _proxy(table, row)
        peer = best_peer(cells)
        if to_peer is not None and peer is not None:
            yield f"{row}, part of {peer[0]}", own.of_best_peer, to_peer, True
        if to_limit is not None and "limit" in cells:
            yield f"{row}, part of the limit", own.of_limit, to_limit, True


def _cost(table: Table) -> Found:
    for row in ("storm-100", "storm-500", "storm-2000"):
        own, other = _proxy(table, row).cpu_ms, table.get(row, {}).get("dnsmasq", Cell(None)).cpu_ms
        yield f"{row}, CPU a transfer, part of dnsmasq's", ratio(own, other), CPU_TO_DNSMASQ, False
    if "storm-500" in table:
        yield "storm-500, retries", float(_proxy(table, "storm-500").retries), 0.0, False


def _proxied(table: Table) -> Found:
    for row, other, least in PROXIED:
        value = ratio(_proxy(table, row).value, _proxy(table, other).value)
        yield f"{row}, part of {other}", value, least, True
    for row in ("boots-cold", "boots-warm", "boots-dead-cold", "boots-dead-warm"):
        cell = _proxy(table, row)
        yield f"{row}, requests to clusters, part of the ideal", ratio(cell.upstream, cell.ideal), 1.0, False
        yield f"{row}, files that went wrong", float(cell.failed) if row in table else None, 0.0, False


def _storm(storm: Storm | None) -> Found:
    if storm is not None:
        yield "boot storm, files lost", float(storm.failed), 0.0, False
        yield "boot storm, peak memory in MB", storm.peak_mb, PEAK_MB, False
        yield "boot storm, memory after the second, part of after the first", storm.growth, GROWTH, False


def _soak(soak: Soak | None) -> Found:
    if soak is not None:
        yield "soak, files lost", float(soak.failed), 0.0, False
        yield "soak, memory at the end, part of at the start", soak.memory_growth, GROWTH, False
        yield "soak, descriptors at the end, part of at the start", soak.descriptor_growth, GROWTH, False
        yield "soak, loop lag p99 in ms", soak.lag_p99_ms, LAG_P99_MS, False
