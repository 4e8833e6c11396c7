"""Long reports in parts: each fits a line, and together they are the report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.report.parts import ROOM, join, split


@dataclass(frozen=True)
class Entry:
    name: str
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    title: str
    entries: tuple[Entry, ...]
    lines: tuple[str, ...]


def plain(report: Report) -> object:
    return json.loads(json.dumps(asdict(report)))


TEXTS = st.text(max_size=30)
REPORTS = st.builds(
    Report,
    TEXTS,
    st.lists(st.builds(Entry, TEXTS, st.lists(st.integers(), max_size=3).map(tuple)), max_size=20).map(tuple),
    st.lists(TEXTS, max_size=20).map(tuple),
)


@given(REPORTS, st.integers(1, 2000))
def test_joined_they_are_the_report(report: Report, room: int) -> None:
    parts = json.loads(json.dumps(list(split(report, "entries", "lines", room=room))))
    assert join(parts) == plain(report)
    assert set(parts[0]) == {"title", "entries", "lines"}


@pytest.mark.parametrize("count", [0, 1, 10, 1_000, 20_000])
def test_each_fits(count: int) -> None:
    report = Report(
        "many", tuple(Entry(f"cluster-{n}", (n, n)) for n in range(count)), ("left to do",) * count
    )
    parts = list(split(report, "entries", "lines"))
    assert all(len(json.dumps(part, separators=(",", ":"))) <= ROOM + 100 for part in parts)
    assert len(parts) <= 1 + count * 70 // (ROOM // 2)
    assert json.loads(json.dumps(join(parts))) == plain(report)
