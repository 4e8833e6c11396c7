from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.negative import ENTRIES_MAX, Negatives

TTL = 30.0


@pytest.mark.parametrize(
    ("now", "left"),
    [(100, 30.0), (100.5, 29.5), (129.5, 0.5), (130, None), (130.1, None), (1e9, None)],
)
def test_an_entry_holds_for_its_time(now: float, left: float | None) -> None:
    negatives = Negatives(TTL)
    negatives.remember("a", 100)
    assert negatives.left("a", now) == left
    assert len(negatives) == (0 if left is None else 1)


def test_names_are_told_apart() -> None:
    negatives = Negatives(TTL)
    negatives.remember("a", 0)
    assert negatives.left("A", 0) is None
    assert negatives.left("b", 0) is None


def test_said_again_it_holds_anew() -> None:
    negatives = Negatives(TTL)
    negatives.remember("a", 0)
    negatives.remember("a", 20)
    assert negatives.left("a", 31) == 19
    assert len(negatives) == 1


@pytest.mark.parametrize("ttl", [0, -1])
def test_without_a_time_nothing_is_remembered(ttl: float) -> None:
    negatives = Negatives(ttl)
    negatives.remember("a", 0)
    assert len(negatives) == 0
    assert negatives.left("a", 0) is None


def test_the_oldest_goes_when_there_are_too_many() -> None:
    negatives = Negatives(TTL)
    for number in range(ENTRIES_MAX):
        negatives.remember(f"{number}", 0)
    negatives.remember("0", 1)  # not the oldest any more
    negatives.remember("new", 1)
    assert len(negatives) == ENTRIES_MAX
    assert [path for path in ("0", "1", "2", "new") if negatives.left(path, 1) is None] == ["1"]


def test_forget() -> None:
    negatives = Negatives(TTL)
    for path in ("a1", "a2", "b1"):
        negatives.remember(path, 0)
    assert negatives.forget(lambda path: path.startswith("a")) == 2
    assert [path for path in ("a1", "a2", "b1") if negatives.left(path, 0) is not None] == ["b1"]
    assert negatives.forget(lambda path: path.startswith("a")) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 40)), max_size=30))
def test_like_a_plain_dictionary(events: list[tuple[str, float]]) -> None:
    """Against the simplest model: the time at which each name was last said to be missing."""
    negatives, said = Negatives(TTL), dict[str, float]()
    now = 0.0
    for path, later in events:
        now += later
        expected = said.get(path, -99) + TTL
        assert negatives.left(path, now) == (expected - now if expected > now else None)
        negatives.remember(path, now)
        said[path] = now
