"""The command: `scripts/bench` makes what it needs and starts it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.bench import report, rounds, soak, storm
from tests.bench.build import build
from tests.bench.load import LoadFailed
from tests.bench.machine import commit_and_date, describe
from tests.bench.pin import GENERATOR
from tests.bench.report import Report
from tests.bench.rows import FULL, NAMES, QUICK
from tests.bench.running import NotRunning
from tests.bench.servers import Ground
from tests.bench.site import Site
from tests.bench.summary import summarise
from tests.netns.process import REPOSITORY

BENCH = REPOSITORY / ".bench"
RESULTS = REPOSITORY / "tests/bench/RESULTS.md"
LAST = BENCH / "last.json"
KEPT = BENCH / "results.json"  # of whole runs, which RESULTS.md is written from


def main() -> int:
    """0 when everything was measured, reached or not; 1 when something could not be."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # ends the servers, too
    os.sched_setaffinity(0, {GENERATOR})  # what watches the server must not disturb it
    pace = QUICK if arguments.quick else FULL
    if arguments.rounds:
        pace = replace(pace, rounds=arguments.rounds)
    try:
        tools = build(BENCH)
        with tempfile.TemporaryDirectory(prefix="appliance-bench-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # servers that give up root read here
            ground, site = Ground(tools, BENCH, folder), Site(folder)
            found = Report(describe(BENCH), {}, pace.rounds, {})
            if arguments.boots:
                count, seconds = (1000, 6.0) if arguments.quick else (10_000, storm.MINUTE)
                found = replace(found, storm=storm.run(ground, site, count, seconds))
            if arguments.soak is not None:
                found = replace(found, soak=soak.run(ground, site, arguments.soak))
            if not arguments.boots and arguments.soak is None:
                rounds.prepare(site, pace)
                found = replace(found, table=summarise(rounds.run(ground, site, pace, arguments.rows)))
    except (NotRunning, LoadFailed, OSError) as fault:
        print(f"bench: {fault}", file=sys.stderr)
        return 1
    parts = {"rows": found.table, "boots": found.storm, "soak": found.soak}
    when = commit_and_date()
    found = replace(found, measured={part: when for part, measured in parts.items() if measured})
    print(report.to_json(found) if arguments.json else report.to_text(found))
    LAST.write_text(report.to_json(found))
    if arguments.whole:
        whole = _with_earlier(found)
        KEPT.write_text(report.to_json(whole))
        if arguments.write:
            report.write(whole, RESULTS)
    return 0


def _with_earlier(found: Report) -> Report:
    """What earlier runs measured stands, where this one has not measured it anew."""
    try:
        earlier = report.from_json(KEPT.read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return found
    return replace(
        found,
        measured={**earlier.measured, **found.measured},
        rounds=found.rounds if found.table else earlier.rounds,
        table=found.table or earlier.table,
        storm=found.storm or earlier.storm,
        soak=found.soak or earlier.soak,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False, allow_abbrev=False)
    parser.add_argument("--rounds", type=_positive)
    parser.add_argument("--rows", type=_rows, default=NAMES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--soak", type=_minutes, nargs="?", const=15.0)
    parser.add_argument("--boots", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    arguments.whole = not arguments.quick and set(arguments.rows) == set(NAMES)
    if arguments.write and not arguments.whole:
        parser.error("--write wants all rows, and more than a quick look")
    return arguments


def _positive(text: str) -> int:
    if not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError("1 to 100 rounds")
    return int(text)


def _minutes(text: str) -> float:
    if not 0.1 <= float(text) <= 24 * 60:
        raise argparse.ArgumentTypeError("0.1 to 1440 minutes")
    return float(text)


def _rows(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(NAMES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
