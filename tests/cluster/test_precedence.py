from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.precedence import PATIENCE, First, Nobody, first
from appliance.cluster.situation import State
from appliance.cluster.verdict import Wait

YES, NO, SILENT = State.YES, State.NO, State.SILENT
BUDGET = 3.0
NOBODY = Nobody(())
States = Mapping[str, State]


def decide(
    order: str | tuple[str, ...], states: States, elapsed: float, budget: float = BUDGET, asked: float = 0
) -> First | Nobody | Wait:
    return first(tuple(order), lambda cluster: states.get(cluster, State.PENDING), asked, elapsed, budget)


@pytest.mark.parametrize(
    ("order", "states", "elapsed", "found"),
    [
        # Nobody to ask
        ("", {}, 0, NOBODY),
        # One cluster
        ("a", {}, 0, Wait(PATIENCE)),
        ("a", {}, 0.999, Wait(PATIENCE)),
        ("a", {}, 1, Wait(BUDGET)),
        ("a", {}, 2.999, Wait(BUDGET)),
        ("a", {}, 3, Nobody(("a",))),
        ("a", {}, 99, Nobody(("a",))),
        ("a", {"a": YES}, 0, First("a", ())),
        ("a", {"a": YES}, 99, First("a", ())),
        ("a", {"a": NO}, 0, NOBODY),
        ("a", {"a": NO}, 99, NOBODY),
        ("a", {"a": SILENT}, 0, Nobody(("a",))),
        # The order decides, not who is faster
        ("ab", {"a": YES, "b": YES}, 0, First("a", ())),
        ("ba", {"a": YES, "b": YES}, 0, First("b", ())),
        ("ab", {"a": YES}, 0, First("a", ())),
        ("ab", {"b": YES}, 0, Wait(PATIENCE)),
        ("ab", {"a": NO, "b": YES}, 0, First("b", ())),
        ("ab", {"a": SILENT, "b": YES}, 0, First("b", ("a",))),
        ("abc", {"a": NO, "c": YES}, 0.5, Wait(PATIENCE)),
        # A silent one is passed over after a while
        ("ab", {"b": YES}, 1, First("b", ("a",))),
        ("abc", {"c": YES}, 1, First("c", ("a", "b"))),
        ("abc", {"a": NO, "b": YES, "c": YES}, 2, First("b", ())),
        # Nobody has it, and all but one said so
        ("ab", {"a": NO}, 0.5, Wait(PATIENCE)),
        ("ab", {"a": NO}, 1.5, Wait(BUDGET)),
        ("ab", {"a": NO}, 3, Nobody(("b",))),
        ("ab", {"a": NO, "b": NO}, 0, NOBODY),
        ("ab", {"a": NO, "b": SILENT}, 0, Nobody(("b",))),
        ("ab", {"a": SILENT}, 1.5, Wait(BUDGET)),
        ("ab", {"a": SILENT, "b": NO}, 0, Nobody(("a",))),
        ("abc", {"b": NO}, 3, Nobody(("a", "c"))),
    ],
)
def test_first(order: str, states: States, elapsed: float, found: First | Nobody | Wait) -> None:
    assert decide(order, states, elapsed) == found


@pytest.mark.parametrize(
    ("elapsed", "budget", "asked", "found"),
    [
        (0, 0.5, 0, Wait(0.5)),
        (0.499, 0.5, 0, Wait(0.5)),
        (0.5, 0.5, 0, First("b", ("a",))),
        # Asked later than the request came: they have their second all the same
        (1, 3, 0.8, Wait(1.8)),
        (1.8, 3, 0.8, First("b", ("a",))),
        (2.5, 3, 2.4, Wait(3)),
    ],
)
def test_patience(elapsed: float, budget: float, asked: float, found: First | Wait) -> None:
    assert decide("ab", {"b": YES}, elapsed, budget, asked) == found


Arrivals = dict[str, tuple[float, State]]
"""Cluster to when its answer comes, in seconds; a silent one is not in it."""

ANSWERS = st.sampled_from([YES, NO, SILENT])
ORDERS = st.lists(st.sampled_from("abcdef"), max_size=6, unique=True).map(tuple)
TIMES = st.floats(0, 5) | st.sampled_from([0.0, PATIENCE, BUDGET])
BUDGETS = st.floats(0.5, 30)
SEARCHES = st.tuples(ORDERS, st.dictionaries(st.sampled_from("abcdef"), st.tuples(TIMES, ANSWERS)), BUDGETS)
Search = tuple[tuple[str, ...], Arrivals, float]


def run(search: Search, wakes: tuple[float, ...] = ()) -> tuple[First | Nobody, float]:
    """The end and its time; the rule is asked as it wishes, and at `wakes` as well."""
    order, arrivals, budget = search
    elapsed = 0.0
    for _ in range(len(arrivals) + len(wakes) + 3):
        states = {name: answer for name, (at, answer) in arrivals.items() if at <= elapsed}
        found = decide(order, states, elapsed, budget)
        if not isinstance(found, Wait):
            return found, elapsed
        assert found.until > elapsed
        moments = [at for at, _ in arrivals.values()] + [*wakes, found.until]
        elapsed = min(moment for moment in moments if moment > elapsed)
    raise AssertionError("asked more often than anything happened")


@given(SEARCHES)
def test_a_search_ends_within_its_budget(search: Search) -> None:
    _, ended = run(search)
    assert ended <= search[2]


@given(SEARCHES)
def test_the_order_is_respected(search: Search) -> None:
    order, arrivals, budget = search
    found, ended = run(search)
    if isinstance(found, First):
        assert arrivals[found.cluster][1] is YES
        for above in order[: order.index(found.cluster)]:
            at, answer = arrivals.get(above, (99, None))
            assert answer is not YES or at > ended
            assert at <= ended or ended >= min(PATIENCE, budget)
            assert (above in found.passed) == (answer is not NO or at > ended)


@given(SEARCHES)
def test_nobody_only_after_all_said_so(search: Search) -> None:
    order, arrivals, _ = search
    found, ended = run(search)
    said_so = [arrivals.get(name, (99, None)) for name in order]
    assert (found == NOBODY) == all(at <= ended and answer is NO for at, answer in said_so)


@given(SEARCHES)
def test_who_was_silent_is_named(search: Search) -> None:
    order, arrivals, _ = search
    found, ended = run(search)
    if isinstance(found, Nobody):
        answers = {name: answer for name, (at, answer) in arrivals.items() if at <= ended}
        assert not any(answers.get(name) is YES for name in order)
        assert found.silent == tuple(name for name in order if answers.get(name) is not NO)


@given(ORDERS, st.data())
def test_who_is_faster_does_not_matter_before_the_patience_ends(
    order: tuple[str, ...], data: st.DataObject
) -> None:
    order = order[:4]
    answers = [data.draw(ANSWERS) for _ in order]
    ends = set()
    for speeds in permutations(range(len(order))):
        arrivals: Arrivals = {
            name: (PATIENCE * speed / 5, answer)
            for name, speed, answer in zip(order, speeds, answers, strict=True)
        }
        ends.add(run((order, arrivals, BUDGET))[0])
    assert len(ends) == 1


@given(SEARCHES, st.lists(TIMES, max_size=5).map(tuple))
def test_waking_early_changes_nothing(search: Search, wakes: tuple[float, ...]) -> None:
    assert run(search, wakes) == run(search)
