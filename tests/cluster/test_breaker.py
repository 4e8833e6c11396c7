"""When an address is not asked any more, and when it is looked at again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.breaker import PROBE_EVERY, SILENCES, Breaker, State

NEVER, CLOSED, OPEN = State.NEVER_ASKED, State.CLOSED, State.OPEN

Event = tuple[str, float, float]
"""What became of a request, when it was sent, and when that was known."""


def after(*events: Event) -> Breaker:
    breaker = Breaker()
    for what, sent, now in events:
        if what == "answered":
            breaker.answered(sent, now)
        else:
            breaker.failed(what, sent, now, connected=what != "no connection")
    return breaker


@pytest.mark.parametrize(
    ("events", "state", "since"),
    [
        ([], NEVER, None),
        ([("answered", 0, 1)], CLOSED, 1),
        ([("answered", 0, 1), ("answered", 2, 3)], CLOSED, 1),
        ([("no connection", 0, 1)], OPEN, 1),
        ([("silence", 0, 1)], CLOSED, 1),
        ([("silence", 0, 1), ("silence", 0, 1)], OPEN, 1),
        ([("silence", 0, 1), ("silence", 2, 3)], OPEN, 3),
        ([("silence", 0, 1), ("no connection", 2, 3)], OPEN, 3),
        ([("silence", 0, 1), ("answered", 2, 3), ("silence", 4, 5)], CLOSED, 1),
        ([("silence", 0, 1), ("answered", 2, 3), ("silence", 4, 5), ("silence", 6, 7)], OPEN, 7),
        ([("no connection", 0, 1), ("no connection", 6, 7), ("silence", 8, 9)], OPEN, 1),
        ([("no connection", 0, 1), ("answered", 6, 7)], CLOSED, 7),
        ([("no connection", 0, 1), ("answered", 6, 7), ("silence", 8, 9)], CLOSED, 7),
        # It has answered another request since this one was sent.
        ([("answered", 1, 2), ("no connection", 1.9, 2.9)], CLOSED, 2),
        ([("answered", 1, 2), ("silence", 1.9, 3), ("silence", 1.9, 3)], CLOSED, 2),
        ([("answered", 1, 2), ("no connection", 2, 3)], OPEN, 3),
    ],
)
def test_state(events: list[Event], state: State, since: float | None) -> None:
    breaker = after(*events)
    assert (breaker.state, breaker.since, breaker.open) == (state, since, state is OPEN)


@pytest.mark.parametrize(
    ("events", "answers"),
    [
        ([], False),
        ([("silence", 0, 1)], False),
        ([("answered", 0, 1)], True),
        ([("answered", 0, 1), ("silence", 2, 3)], True),
        ([("answered", 0, 1), ("no connection", 2, 3)], False),
        ([("no connection", 0, 1), ("answered", 2, 3)], True),
    ],
)
def test_answers(events: list[Event], answers: bool) -> None:
    assert after(*events).answers is answers


def test_what_is_shown() -> None:
    breaker = after(("answered", 1, 1.0125), ("no connection", 2, 3), ("silence", 8, 9))
    assert (breaker.latency_ms, breaker.why) == (12.5, "silence")


def test_probes() -> None:
    """The first one so long after it opened, the next so long after the one before was sent."""
    breaker = after(("no connection", 9, 10))
    assert [breaker.due(now) for now in (10, 14.9, 15, 100)] == [False, False, True, True]
    breaker.probed(16)
    assert [breaker.due(now) for now in (16, 20.9, 21)] == [False, False, True]
    breaker.failed("silence", 16, 19.5, connected=True)
    assert [breaker.due(now) for now in (20.9, 21)] == [False, True]
    assert [breaker.due(now, 60) for now in (75.9, 76)] == [False, True]
    breaker.answered(76, 76.1)
    assert not breaker.due(1000)
    breaker.failed("no connection", 100, 101, connected=False)
    assert [breaker.due(now) for now in (105.9, 106)] == [False, True]


def test_nothing_is_probed_that_is_not_open() -> None:
    assert [after(*events).due(1000) for events in ([], [("answered", 0, 1)], [("silence", 0, 1)])] == [
        False
    ] * 3


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["answered", "silence", "no connection"]),
            st.floats(0.001, 3),
            st.floats(0, 10),
        )
    )
)
def test_any_order(steps: list[tuple[str, float, float]]) -> None:
    """Against the rule as a sentence: what has come since the last answer, of requests sent after it."""
    events: list[Event] = []
    now = 0.0
    for what, took, pause in steps:
        now += pause + took
        events.append((what, now - took, now))
    breaker = after(*events)
    last = max((at for what, _, at in events if what == "answered"), default=None)
    since = [what for what, sent, at in events if last is None or (sent >= last and at > last)]
    since = [what for what in since if what != "answered"]
    assert breaker.open is (len(since) >= SILENCES or "no connection" in since)
    if breaker.open:
        assert breaker.since is not None
        assert breaker.since <= now
        assert not breaker.due(breaker.since + PROBE_EVERY - 0.01)
        assert breaker.due(breaker.since + PROBE_EVERY + 0.01)


def test_one_that_is_suspected_is_probed_at_once() -> None:
    breaker = Breaker()
    breaker.suspect("no HTTP connection: timed out", 100.0)
    assert breaker.open
    assert breaker.due(100.0)
    breaker.probed(100.0)
    assert not breaker.due(104.9)
    breaker.answered(100.0, 100.1)
    assert not breaker.open
    breaker.suspect("no HTTP connection: timed out", 105.0)  # it has just answered
    assert not breaker.open
    breaker.suspect("no HTTP connection: timed out", 105.1)
    assert breaker.open
