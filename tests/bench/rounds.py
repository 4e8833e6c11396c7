"""The run: in each round every row, in each row every server, so that what the machine does besides
strikes all of them alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench.load import Load, LoadFailed
from tests.bench.measure import Measure, measure
from tests.bench.rows import BOOTS, CLIENTS, LOCAL, PROXIED, ROWS, Pace, Row
from tests.bench.running import NotRunning
from tests.bench.servers import LIMIT, PEERS, PROXY, Ground, Kind, start_proxy
from tests.bench.site import Site, phones
from tests.bench.upstream import ADDRESSES, ideal, upstreams

SETTLE = 3.0  # s until nothing is kept for repetitions any more: no phone boots again at once
TAUGHT = 20  # phones that boot first, so that a dead cluster is known to be

Outcome = Measure | str
"""What was measured, or why nothing was."""

Results = dict[str, dict[str, list[Outcome]]]
"""Row -> server -> a value a round."""


def run(ground: Ground, site: Site, pace: Pace, names: Sequence[str]) -> Results:
    """Measure these rows."""
    results: Results = {}
    rows = [row for row in ROWS if row.name in names]
    plans = {row.name: row.plan(site, pace) for row in rows}
    for number in range(pace.rounds):
        _say(f"round {number + 1} of {pace.rounds}")
        for row in rows:
            kinds = _kinds(row)
            for kind in (*kinds[number % len(kinds) :], *kinds[: number % len(kinds)]):
                outcome = _local(ground, site, kind, row, row.load(plans[row.name], pace))
                _add(results, row.name, kind.name, outcome)
        for dead in ("", next(iter(ADDRESSES))):
            wanted = [name for name in PROXIED if name in names and ("dead" in name) == bool(dead)]
            if wanted:
                for name, outcome in _proxied(ground, site, pace, dead):
                    _add(results, name, PROXY.name, outcome)
    return results


def _kinds(row: Row) -> list[Kind]:
    return [kind for kind in (LIMIT, *PEERS, PROXY) if row.speaks in kind.speaks.split()]


def _local(ground: Ground, site: Site, kind: Kind, row: Row, load: Load) -> Outcome:
    if row.clients > kind.clients_max:
        return kind.why
    if kind.root and os.geteuid() != 0:
        return "needs root"
    try:
        with kind.start(ground, site.root(row.root)) as running:
            outcome = measure(ground.tools, running, load)
            return outcome if kind.cpu_known else replace(outcome, cpu_s=None, others_s=0.0)
    except (NotRunning, LoadFailed) as fault:
        _say(f"{row.name}: {kind.name}: {fault}")
        return str(fault)


def _proxied(ground: Ground, site: Site, pace: Pace, dead: str) -> Iterator[tuple[str, Outcome]]:
    """The proxy before three clusters: phones that it does not know, then the same phones again."""
    alive = [name for name in ADDRESSES if name != dead]
    some = phones(pace.phones, alive)
    plan = site.boots(some)
    load = Load(plan, pace.patience, clients=CLIENTS, phones=len(some), phone_address=True)
    teach = replace(load, plan=site.boots(phones(TAUGHT, alive, first=pace.phones)), phones=TAUGHT)
    site.write_phones([*some, *phones(TAUGHT, alive, first=pace.phones)])
    cold, warm = [name for name in PROXIED if ("dead" in name) == bool(dead)]
    try:
        with (
            upstreams(ground, site, dead) as clusters,
            start_proxy(ground, clusters.settings(site.root("empty"))) as running,
        ):
            measure(ground.tools, running, teach)
            clusters.requests()
            for name in (cold, warm):
                time.sleep(SETTLE)
                outcome = measure(ground.tools, running, load)
                asked = clusters.requests().total()
                needed = ideal(outcome.figures.boots, clusters.alive, name == warm)
                yield name, replace(outcome, upstream=asked, ideal=needed)
    except (NotRunning, LoadFailed) as fault:
        _say(f"{cold}, {warm}: {fault}")
        yield cold, str(fault)


def _add(results: Results, row: str, server: str, outcome: Outcome) -> None:
    results.setdefault(row, {}).setdefault(server, []).append(outcome)
    if isinstance(outcome, Measure):
        unit = next((each.unit for each in ROWS if each.name == row), BOOTS)
        wrong = f", {outcome.figures.failed} went wrong" if outcome.figures.failed else ""
        _say(f"  {row:16} {server:10} {unit.value(outcome):10.0f} {unit.name}{wrong}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def prepare(site: Site, pace: Pace) -> None:
    """Write what the rows of one place serve."""
    site.write_sizes("files")
    site.write_phones(phones(pace.phones, [LOCAL]))
