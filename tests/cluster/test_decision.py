from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.decision import (
    PATIENCE,
    Answer,
    Failed,
    Found,
    Missing,
    NotFound,
    Take,
    Unavailable,
    Verdict,
    Wait,
    decide,
)

HAS = Found(100, "10.1.0.10", "http")
HAS_NOT = Missing("10.1.0.10", "http")
FAILS = Failed("timed out")
BUDGET = 3.0


@pytest.mark.parametrize(
    ("order", "answers", "elapsed", "verdict"),
    [
        # Nobody to ask
        ("", {}, 0, NotFound()),
        # One cluster
        ("a", {}, 0, Wait(PATIENCE)),
        ("a", {}, 0.999, Wait(PATIENCE)),
        ("a", {}, 1, Wait(BUDGET)),
        ("a", {}, 2.999, Wait(BUDGET)),
        ("a", {}, 3, Unavailable(("a",))),
        ("a", {}, 99, Unavailable(("a",))),
        ("a", {"a": HAS}, 0, Take("a")),
        ("a", {"a": HAS}, 99, Take("a")),
        ("a", {"a": HAS_NOT}, 0, NotFound()),
        ("a", {"a": HAS_NOT}, 99, NotFound()),
        ("a", {"a": FAILS}, 0, Unavailable(("a",))),
        # The order decides, not who is faster
        ("ab", {"a": HAS, "b": HAS}, 0, Take("a")),
        ("ba", {"a": HAS, "b": HAS}, 0, Take("b")),
        ("ab", {"a": HAS}, 0, Take("a")),
        ("ab", {"b": HAS}, 0, Wait(PATIENCE)),
        ("ab", {"a": HAS_NOT, "b": HAS}, 0, Take("b")),
        ("ab", {"a": FAILS, "b": HAS}, 0, Take("b")),
        ("abc", {"a": HAS_NOT, "c": HAS}, 0.5, Wait(PATIENCE)),
        # A silent one is passed over after a while
        ("ab", {"b": HAS}, 1, Take("b")),
        ("abc", {"c": HAS}, 1, Take("c")),
        ("abc", {"b": HAS, "c": HAS}, 2, Take("b")),
        # Nobody has it, and all but one said so
        ("ab", {"a": HAS_NOT}, 0.5, Wait(PATIENCE)),
        ("ab", {"a": HAS_NOT}, 1.5, Wait(BUDGET)),
        ("ab", {"a": HAS_NOT}, 3, Unavailable(("b",))),
        ("ab", {"b": HAS_NOT}, 3, Unavailable(("a",))),
        ("ab", {"a": HAS_NOT, "b": HAS_NOT}, 0, NotFound()),
        ("ab", {"a": HAS_NOT, "b": FAILS}, 0, Unavailable(("b",))),
        ("ab", {"a": FAILS}, 1.5, Wait(BUDGET)),
        ("ab", {"a": FAILS, "b": HAS_NOT}, 0, Unavailable(("a",))),
        ("abc", {"b": HAS_NOT}, 3, Unavailable(("a", "c"))),
        # An answer of one that was not asked counts for nothing
        ("a", {"a": HAS_NOT, "b": HAS}, 0, NotFound()),
    ],
)
def test_decide(order: str, answers: Mapping[str, Answer], elapsed: float, verdict: Verdict) -> None:
    assert decide(order, answers, elapsed, BUDGET) == verdict


@pytest.mark.parametrize(
    ("elapsed", "verdict"),
    [(0, Wait(0.5)), (0.499, Wait(0.5)), (0.5, Take("b")), (0.8, Take("b"))],
)
def test_a_budget_below_the_patience(elapsed: float, verdict: Verdict) -> None:
    assert decide("ab", {"b": HAS}, elapsed, 0.5) == verdict


Arrivals = dict[str, tuple[float, Answer]]
"""Cluster to when its answer comes, in seconds; a silent one is not in it."""

ANSWERS: st.SearchStrategy[Answer] = st.sampled_from([HAS, HAS_NOT, FAILS])
ORDERS = st.lists(st.sampled_from("abcdef"), max_size=6, unique=True).map(tuple)
TIMES = st.floats(0, 5) | st.sampled_from([0.0, PATIENCE, BUDGET])
BUDGETS = st.floats(0.5, 30)
SEARCHES = st.tuples(ORDERS, st.dictionaries(st.sampled_from("abcdef"), st.tuples(TIMES, ANSWERS)), BUDGETS)
Search = tuple[tuple[str, ...], Arrivals, float]


def run(search: Search, wakes: tuple[float, ...] = ()) -> tuple[Verdict, float]:
    """The final verdict and its time; the rule is asked as it wishes, and at `wakes` as well."""
    order, arrivals, budget = search
    elapsed = 0.0
    for _ in range(len(arrivals) + len(wakes) + 3):
        answers = {name: answer for name, (at, answer) in arrivals.items() if at <= elapsed}
        verdict = decide(order, answers, elapsed, budget)
        if not isinstance(verdict, Wait):
            return verdict, elapsed
        assert verdict.until > elapsed
        moments = [at for at, _ in arrivals.values()] + [*wakes, verdict.until]
        elapsed = min(moment for moment in moments if moment > elapsed)
    raise AssertionError("asked more often than anything happened")


@given(SEARCHES)
def test_a_search_ends_within_its_budget(search: Search) -> None:
    _, ended = run(search)
    assert ended <= search[2]


@given(SEARCHES)
def test_the_order_is_respected(search: Search) -> None:
    order, arrivals, budget = search
    verdict, ended = run(search)
    if isinstance(verdict, Take):
        assert arrivals[verdict.cluster][1] == HAS
        for above in order[: order.index(verdict.cluster)]:
            at, answer = arrivals.get(above, (99, None))
            assert answer != HAS or at > ended
            assert at <= ended or ended >= min(PATIENCE, budget)


@given(SEARCHES)
def test_a_negative_only_after_all_said_so(search: Search) -> None:
    order, arrivals, _ = search
    verdict, ended = run(search)
    said_so = [arrivals.get(name, (99, None)) for name in order]
    assert isinstance(verdict, NotFound) == all(at <= ended and answer == HAS_NOT for at, answer in said_so)


@given(SEARCHES)
def test_unavailable_names_who_was_silent(search: Search) -> None:
    order, arrivals, _ = search
    verdict, ended = run(search)
    if isinstance(verdict, Unavailable):
        answers = {name: answer for name, (at, answer) in arrivals.items() if at <= ended}
        assert not any(answers.get(name) == HAS for name in order)
        assert verdict.silent == tuple(name for name in order if answers.get(name) != HAS_NOT)


@given(ORDERS, st.data())
def test_who_is_faster_does_not_matter_before_the_patience_ends(
    order: tuple[str, ...], data: st.DataObject
) -> None:
    order = order[:4]
    answers = [data.draw(ANSWERS) for _ in order]
    verdicts = set()
    for speeds in permutations(range(len(order))):
        arrivals: Arrivals = {
            name: (PATIENCE * speed / 5, answer)
            for name, speed, answer in zip(order, speeds, answers, strict=True)
        }
        verdicts.add(run((order, arrivals, BUDGET))[0])
    assert len(verdicts) == 1


@given(SEARCHES, st.lists(TIMES, max_size=5).map(tuple))
def test_waking_early_changes_nothing(search: Search, wakes: tuple[float, ...]) -> None:
    assert run(search, wakes) == run(search)
