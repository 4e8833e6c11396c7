from __future__ import annotations

import pytest

from appliance.cluster.marks import Marks


@pytest.mark.parametrize(
    ("now", "holds"), [(100, True), (109.9, True), (110, False), (1e9, False), (99, False), (-1e9, False)]
)
def test_a_mark_holds_for_its_time(now: float, holds: bool) -> None:
    marks = Marks(10, 5)
    marks.add("a", 100)
    assert marks.holds("a", now) is holds
    assert not marks.holds("b", now)


def test_said_again_it_holds_anew_until_dropped() -> None:
    marks = Marks(10, 5)
    marks.add("a", 100)
    marks.add("a", 109)
    assert marks.holds("a", 118)
    marks.drop("a")
    marks.drop("b")
    assert not marks.holds("a", 118)


def test_the_oldest_goes_when_there_are_too_many() -> None:
    marks = Marks(10, 2)
    for name in ("a", "b", "a", "c"):
        marks.add(name, 100)
    assert [name for name in "abc" if marks.holds(name, 100)] == ["a", "c"]


@pytest.mark.parametrize("later", [111, 0])
def test_what_holds_no_longer_takes_no_room(later: float) -> None:
    marks = Marks(10, 5)
    for name in "abc":
        marks.add(name, 100)
    marks.add("d", later)
    assert len(marks) == 1
