from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.comparison import compare
from appliance.cluster.homes import Home
from appliance.cluster.situation import State

YES, NO, SILENT = State.YES, State.NO, State.SILENT
WALL = 5000.0
B = Home("b", 100.0, 200.0)
COMPARED = replace(B, compared=WALL)
TO_C = replace(B, following="c", by_hand=True)


@pytest.mark.parametrize(
    ("home", "a", "b", "c", "after"),
    [
        # Still there
        (B, NO, YES, NO, COMPARED),
        (B, NO, YES, SILENT, COMPARED),
        (B, NO, YES, YES, replace(COMPARED, duplicates=("c",))),
        (B, SILENT, YES, NO, replace(COMPARED, missed=("a",))),
        (replace(B, missed=("a",), duplicates=("c",)), NO, YES, NO, COMPARED),
        # Moved: from the next boot on
        (B, NO, NO, YES, replace(COMPARED, following="c")),
        (B, YES, NO, NO, replace(COMPARED, following="a")),
        (B, YES, YES, NO, replace(COMPARED, following="a")),
        (B, SILENT, NO, YES, replace(COMPARED, following="c")),
        (replace(B, following="c"), NO, YES, NO, COMPARED),
        # By hand
        (replace(B, by_hand=True), YES, YES, NO, replace(COMPARED, by_hand=True, duplicates=("a",))),
        (replace(B, by_hand=True), YES, NO, NO, replace(COMPARED, following="a")),
        # By hand, from the next boot on: what the old home has does not count
        (TO_C, NO, YES, YES, replace(TO_C, compared=WALL)),
        (TO_C, YES, YES, YES, replace(TO_C, compared=WALL)),
        (TO_C, YES, NO, YES, replace(TO_C, compared=WALL)),
        (TO_C, NO, YES, SILENT, TO_C),
        (TO_C, NO, YES, NO, COMPARED),
        (TO_C, YES, YES, NO, replace(COMPARED, following="a")),
        (TO_C, NO, NO, NO, None),
        # Nowhere
        (B, NO, NO, NO, None),
        (B, SILENT, NO, NO, B),
        # The home says nothing: who asks finds out
        (B, YES, SILENT, NO, B),
        (B, NO, State.PENDING, YES, B),
    ],
)
def test_compare(home: Home, a: State, b: State, c: State, after: Home | None) -> None:
    assert compare(home, "abc", {"a": a, "b": b, "c": c}, WALL) == after


def test_a_home_that_is_not_asked_stays() -> None:
    assert compare(Home("x", 0, 0), "abc", dict.fromkeys("abc", YES), WALL) == Home("x", 0, 0)


@given(st.fixed_dictionaries(dict.fromkeys("abc", st.sampled_from([YES, NO, SILENT]))), st.booleans())
def test_what_follows_has_the_configuration(states: dict[str, State], by_hand: bool) -> None:
    after = compare(replace(B, by_hand=by_hand), "abc", states, WALL)
    if after is not None and after.following is not None:
        assert states[after.following] is YES
        assert after.place == "b"  # until the next boot
    if after is None:
        assert set(states.values()) == {NO}
