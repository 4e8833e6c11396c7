from __future__ import annotations

import pytest

from appliance.tftp.timing import Patience, Timing


def silence(timing: Timing, confirmed: bool = True, start: float = 0.0) -> tuple[list[float], float]:
    """When a packet sent at `start` is repeated to a peer that never answers, and when that ends."""
    patience = Patience(timing, start)
    patience.confirmed = confirmed
    patience.sent(start)
    repeated: list[float] = []
    while True:
        now = patience.deadline
        assert now is not None
        if not patience.repeat(now):
            assert patience.deadline is None
            return repeated, now
        repeated.append(now)
        assert len(repeated) < 1000


SILENCE: list[tuple[Timing, list[float], float]] = [
    (Timing(), [1, 3, 7, 15, 23], 31),
    (Timing(timeout=0.5, timeout_max=2), [0.5, 1.5, 3.5, 5.5, 7.5], 9.5),
    (Timing(retries=0), [], 1),
    (Timing(retries=1), [1], 3),
    (Timing(retries=100, timeout_max=16), [1, 3, 7, 15, 31, 47], 60),
    (Timing(retries=2, timeout=10), [10, 20], 30),  # longer than timeout_max: not doubled, not shortened
    # the timeout option; the silence limit holds whatever was agreed
    (Timing().agreed(None), [1, 3, 7, 15, 23], 31),
    (Timing().agreed(1), [1, 3, 7, 15, 23], 31),
    (Timing().agreed(5), [5, 13, 21, 29, 37], 45),
    (Timing().agreed(25), [25, 50], 60),
    (Timing().agreed(30), [30], 60),
    (Timing(silence_max=20, retries=100).agreed(6), [6, 14], 20),
    (Timing().agreed(255), [], 60),
]


@pytest.mark.parametrize(("timing", "repeated", "end"), SILENCE)
@pytest.mark.parametrize("start", [0.0, 1_000_000.0])
def test_silence(timing: Timing, repeated: list[float], end: float, start: float) -> None:
    assert silence(timing, start=start) == ([start + at for at in repeated], start + end)


@pytest.mark.parametrize(
    ("timing", "repeated", "end"),
    [
        (Timing(), [1, 3], 7),
        (Timing(unconfirmed_retries=0), [], 1),
        (Timing().agreed(30), [30], 60),
        (Timing(unconfirmed_retries=1).agreed(2), [2], 6),
    ],
)
def test_silence_of_a_peer_that_has_confirmed_nothing(
    timing: Timing, repeated: list[float], end: float
) -> None:
    assert silence(timing, confirmed=False) == (repeated, end)


def test_agreed_changes_the_timeout_alone() -> None:
    timing = Timing(1, 2, 3, 4, 5, 6)
    assert timing.agreed(30) == Timing(30, 2, 3, 4, 5, 6)


def test_something_new_starts_over() -> None:
    patience = Patience(Timing(), 0)
    patience.confirmed = True
    patience.sent(0)
    assert patience.repeat(1)
    assert patience.repeat(3)
    patience.sent(4)
    assert patience.deadline == 5
    assert patience.repeat(5)
    assert patience.deadline == 7


def test_a_packet_that_moves_nothing_gives_more_repetitions_but_no_earlier_ones() -> None:
    patience = Patience(Timing(retries=2), 0)
    patience.confirmed = True
    patience.sent(0)
    for now in (1.0, 3.0):
        assert patience.repeat(now)
    patience.heard(6)
    assert patience.deadline == 7
    for now in (7.0, 15.0):
        assert patience.repeat(now)
    assert not patience.repeat(23)


def test_a_peer_that_has_confirmed_nothing_gets_no_more_repetitions() -> None:
    patience = Patience(Timing(), 0)
    patience.sent(0)
    for now in (1.0, 3.0):
        patience.heard(now)
        assert patience.repeat(now)
    patience.heard(7)
    assert not patience.repeat(7)


def test_one_that_answers_and_stands_still_is_given_up() -> None:
    patience = Patience(Timing(), 0)
    patience.confirmed = True
    patience.sent(0)
    now = 0.0
    while patience.deadline is not None:
        patience.heard(patience.deadline - 0.5)
        now = patience.deadline
        patience.repeat(now)
        assert now <= 120
    assert now == 120


def test_at_rest_nothing_is_due() -> None:
    patience = Patience(Timing(), 0)
    assert patience.deadline is None
    patience.sent(0)
    assert patience.deadline == 1
    patience.rest()
    assert patience.deadline is None
