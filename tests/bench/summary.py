"""What a run comes to: a cell for each row and server, medians over the rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median

from tests.bench.measure import Measure
from tests.bench.rounds import Outcome, Results
from tests.bench.rows import UNITS, Unit

MB = 1e6


@dataclass(frozen=True, slots=True)
class Cell:
    """One server in one row. `value` is in the row's unit, None where nothing was measured: see `why`.

    `retries` and `failed` (lost, refused, wrong files) are the most of any round, as is the memory.
    `generator` is the load generator's share of its core, `others` that of strangers of the
    server's core, in the worst round. The ratios compare values.
    """

    value: float | None
    of_best_peer: float | None = None
    of_limit: float | None = None
    rounds: tuple[float, ...] = ()
    cpu_ms: float | None = None
    rss_mb: float = 0.0
    retries: int = 0
    failed: int = 0
    first_p99_ms: float = 0.0
    generator: float = 0.0
    others: float = 0.0
    upstream: float | None = None
    ideal: float | None = None
    why: str = ""


Table = dict[str, dict[str, Cell]]
"""Row -> server -> its cell."""


def summarise(results: Results) -> Table:
    """The table of a run."""
    table: Table = {}
    for row, servers in results.items():
        cells = {server: _cell(UNITS[row], outcomes) for server, outcomes in servers.items()}
        peer, limit = best_peer(cells), cells.get("limit", Cell(None)).value
        table[row] = {
            server: replace(
                cell,
                of_best_peer=ratio(cell.value, peer[1] if peer else None),
                of_limit=ratio(cell.value, limit),
            )
            for server, cell in cells.items()
        }
    return table


def _cell(unit: Unit, outcomes: list[Outcome]) -> Cell:
    measures = [outcome for outcome in outcomes if isinstance(outcome, Measure)]
    why = next((outcome for outcome in outcomes if isinstance(outcome, str)), "")
    if not measures:
        return Cell(None, why=why)
    values = [unit.value(measure) for measure in measures]

    def middle(of: Callable[[Measure], float | None]) -> float | None:
        return _median(map(of, measures))

    return Cell(
        value=median(values),
        rounds=tuple(round(value, 1) for value in values),
        cpu_ms=middle(unit.cpu_ms),
        rss_mb=max(measure.rss_bytes for measure in measures) / MB,
        retries=max(measure.figures.retries for measure in measures),
        failed=max(measure.figures.failed for measure in measures),
        first_p99_ms=middle(lambda measure: measure.figures.first_ms["p99"]) or 0.0,
        others=max(measure.others_s / measure.figures.seconds for measure in measures),
        generator=max(measure.generator_share for measure in measures),
        upstream=middle(lambda measure: measure.upstream),
        ideal=middle(lambda measure: measure.ideal),
        why=why,
    )


def _median(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return median(there) if there else None


def best_peer(cells: dict[str, Cell]) -> tuple[str, float] | None:
    """The fastest of the other servers, the limit aside; None where there is none."""
    values = {
        name: cell.value
        for name, cell in cells.items()
        if name not in ("limit", "proxy") and cell.value is not None
    }
    if not values:
        return None
    name = max(values, key=values.__getitem__)
    return name, values[name]


def ratio(value: float | None, to: float | None) -> float | None:
    """None where there is nothing to compare with."""
    return value / to if value is not None and to else None
