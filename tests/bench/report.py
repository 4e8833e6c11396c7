"""The results as text, as JSON, and as tests/bench/RESULTS.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.goals import Goal, goals
from tests.bench.rows import TITLES, UNITS
from tests.bench.soak import Soak
from tests.bench.storm import Storm
from tests.bench.summary import Cell, Table

DISTURBED = 0.05  # share of the server's core that others may take without a remark
BUSY = 0.9  # share of its core above which the generator may have been the bottleneck
ORDER = ("limit", "dnsmasq", "atftpd", "tftpd-hpa", "tftpy", "fbtftp", "nginx", "proxy")

HEADING = """# Results of scripts/bench

Servers have one core, the load generator and the upstream servers another; all on loopback. Each figure is
the median of the interleaved rounds. Figures depend on the machine: compare within one table only.
Memory is the peak of resident bytes; that of several processes is their sum. Retries and files that went
wrong are the most of any round.
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, of whatever part of the bench: the parts that were not are empty or None.

    `measured` says of each part of which commit it was, and when.
    """

    machine: dict[str, Any]
    measured: dict[str, str]
    rounds: int
    table: Table
    storm: Storm | None = None
    soak: Soak | None = None

    @property
    def goals(self) -> list[Goal]:
        """The goals of what was measured."""
        return goals(self.table, self.storm, self.soak)


def to_json(report: Report) -> str:
    """All of it."""
    judged = [{**asdict(goal), "reached": goal.reached} for goal in report.goals]
    return json.dumps({**asdict(report), "goals": judged}, indent=1)


def from_json(text: str) -> Report:
    """What `to_json` wrote; `ValueError`, `KeyError` or `TypeError` where it was another version."""
    data = json.loads(text)
    table = {
        row: {server: Cell(**cell) for server, cell in cells.items()} for row, cells in data["table"].items()
    }
    storm = Storm(**data["storm"]) if data["storm"] else None
    soak = Soak(**data["soak"]) if data["soak"] else None
    return Report(data["machine"], data["measured"], data["rounds"], table, storm, soak)


def to_text(report: Report) -> str:
    """The tables, for a terminal and as Markdown."""
    parts = [_machine(report.machine)]
    if report.table:
        parts.append(f"## Rows, {report.measured['rows']}, {report.rounds} rounds")
    for row, cells in report.table.items():
        parts.append(f"{row}: {TITLES[row]}\n\n{_row(row, cells)}")
    if report.storm is not None:
        parts.append(f"## Boot storm, twice, {report.measured['boots']}\n\n" + _pairs(_storm(report.storm)))
    if report.soak is not None:
        parts.append(f"## Soak at half load, {report.measured['soak']}\n\n" + _pairs(_soak(report.soak)))
    if report.goals:
        head = ["of the proxy", "measured", "wanted", "reached"]
        parts.append("## Goals\n\n" + _grid(head, [_goal(goal) for goal in report.goals]))
    return "\n\n".join(parts) + "\n"


def write(report: Report, path: Path) -> None:
    """RESULTS.md."""
    path.write_text(HEADING + "\n" + to_text(report))


def _machine(machine: dict[str, Any]) -> str:
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items())
    return (
        f"{machine['cores']} cores, {machine['cpu']}, Linux {machine['kernel']}, Python {machine['python']}, "
        f"gevent {machine['gevent']}; {peers}"
    )


def _row(row: str, cells: dict[str, Cell]) -> str:
    unit = UNITS[row]
    head = ["server", unit.name, "of the best peer", "of the limit", f"CPU ms a {unit.each}", "memory MB"]
    head += ["retries", "first packet p99 ms", "generator busy", "remarks"]
    lines = []
    for server in sorted(cells, key=ORDER.index):
        cell = cells[server]
        if cell.value is None:
            lines.append([server, *["-"] * (len(head) - 2), cell.why])
            continue
        lines.append(
            [
                server,
                f"{cell.value:.0f}",
                _ratio(cell.of_best_peer),
                _ratio(cell.of_limit),
                "-" if cell.cpu_ms is None else f"{cell.cpu_ms:.3f}",
                f"{cell.rss_mb:.0f}",
                str(cell.retries),
                f"{cell.first_p99_ms:.1f}",
                f"{cell.generator:.0%}",
                _remarks(cell),
            ]
        )
    return _grid(head, lines)


def _remarks(cell: Cell) -> str:
    remarks = [cell.why] if cell.why else []
    if cell.failed:
        remarks.append(f"{cell.failed} files went wrong")
    if cell.upstream is not None and cell.ideal is not None:
        remarks.append(f"{cell.upstream:.0f} requests to clusters, ideal {cell.ideal:.0f}")
    if cell.generator > BUSY:
        remarks.append("the generator may have been the bottleneck")
    if cell.others > DISTURBED:
        remarks.append(f"disturbed: others took {cell.others:.0%} of the server's core")
    return "; ".join(remarks)


def _goal(goal: Goal) -> list[str]:
    wanted = f"{'at least' if goal.least else 'at most'} {goal.bound:g}"
    return [goal.text, f"{goal.value:.2f}", wanted, "yes" if goal.reached else "NO"]


def _storm(storm: Storm) -> dict[str, str]:
    return {
        "phones": f"{storm.phones} within {storm.seconds:g} s, half over HTTP, three clusters",
        "files lost": f"{storm.failed} ({storm.absent} phones did not end in time)",
        "retries": str(storm.retries),
        "first packet p99": f"{storm.first_p99_ms:.1f} ms",
        "CPU a boot": f"{storm.cpu_ms:.2f} ms",
        "peak memory": f"{storm.peak_mb:.0f} MB",
        "memory afterwards": f"{storm.after_first_mb:.0f} MB, {storm.after_second_mb:.0f} MB",
        "requests to clusters": " then ".join(
            f"{asked} (ideal {wanted})" for asked, wanted in zip(storm.upstream, storm.ideal, strict=True)
        ),
    }


def _soak(soak: Soak) -> dict[str, str]:
    return {
        "load": f"{soak.boots_per_min:.0f} boots a minute for {soak.minutes:g} minutes",
        "files lost": str(soak.failed),
        "retries": str(soak.retries),
        "memory": _course(soak.memory_mb, " MB"),
        "descriptors": _course(soak.descriptors, ""),
        "loop lag": f"p50 {soak.lag_p50_ms:.2f}, p99 {soak.lag_p99_ms:.2f}, most {soak.lag_max_ms:.1f} ms",
        "probes unanswered": str(soak.unanswered),
        "first packet p99": f"{soak.first_p99_ms:.1f} ms at worst",
    }


def _course(values: Sequence[float], unit: str) -> str:
    if not values:
        return "-"
    return f"{values[0]:g} at first, {max(values):g} at most, {values[-1]:g} at last{unit}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _pairs(pairs: dict[str, str]) -> str:
    return _grid(["what", "measured"], [list(pair) for pair in pairs.items()])


def _grid(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table with columns of even width."""
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    rule = ["-" * max(3, width) for width in widths]
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
        for line in (head, rule, *lines)
    )
