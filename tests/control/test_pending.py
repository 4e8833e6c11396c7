"""What becomes of a change, as rows and as a machine that is driven at random."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.control import pending
from appliance.control.pending import BARE_MAX, TABLE, Event, NotNow, Phase, State

WAITS = pending.arm(pending.begin(State(), addressed=True), 100.0, 60.0)


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, Event)))
def test_the_table(phase: Phase, event: Event) -> None:
    """What the table does not name cannot happen, and says why."""
    if (phase, event) in TABLE:
        assert pending.step(State(phase), event).phase is TABLE[phase, event]
    else:
        with pytest.raises(NotNow) as refused:
            pending.step(State(phase), event)
        assert str(refused.value)


def test_ways_into_reverting() -> None:
    """Besides what somebody asked for, and what was never in force, only two."""
    ways = {event for (_, event), after in TABLE.items() if after is Phase.REVERTING}
    assert ways - {Event.REFUSED, Event.ASKED} == {Event.EXPIRED, Event.CUT_OFF}


@pytest.mark.parametrize(
    ("now", "bare_since", "due"),
    [
        (100.0, None, None),
        (159.9, None, None),
        (160.0, None, Event.EXPIRED),
        (1e9, None, Event.EXPIRED),
        (100.0 + BARE_MAX - 0.1, 100.0, None),
        (100.0 + BARE_MAX, 100.0, Event.CUT_OFF),
        (160.0, 100.0, Event.EXPIRED),
    ],
)
def test_due(now: float, bare_since: float | None, due: Event | None) -> None:
    state = WAITS if bare_since is None else pending.watch(WAITS, bare_since, addressed=False)
    assert pending.due(state, now) is due


def test_an_address_that_comes_back() -> None:
    state = pending.watch(WAITS, 100.0, addressed=False)
    assert pending.watch(state, 110.0, addressed=False).bare_since == 100.0
    assert pending.watch(state, 110.0, addressed=True).bare_since is None


def test_a_machine_that_never_had_an_address() -> None:
    """It cannot lose one: set up over the serial console."""
    state = pending.arm(pending.begin(State(), addressed=False), 0.0, 1000.0)
    assert pending.due(pending.watch(state, 0.0, addressed=False), 900.0) is None


def test_too_late() -> None:
    with pytest.raises(NotNow, match="too late"):
        pending.confirm(WAITS, 160.0)
    assert pending.confirm(WAITS, 159.0).phase is Phase.CONFIRMING


def test_unchecked() -> None:
    """A window of 0 needs no confirmation; what then cannot be written is due at once."""
    state = pending.arm(pending.begin(State(), addressed=True), 5.0, 0.0)
    assert state.phase is Phase.CONFIRMING
    assert pending.due(pending.step(state, Event.NOT_WRITTEN), 5.0) is Event.EXPIRED


class Changes(RuleBasedStateMachine):
    """Administrators, addresses that come and go, time, and a disk that may refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.now = 0.0
        self.addressed = True
        self.armed = 0.0
        self.window = 0.0
        self.bare = 0.0  # s without any address, as the loop has seen it

    @rule(window=st.sampled_from([0.0, 1.0, 60.0, 3600.0]))
    def commit(self, window: float) -> None:
        if self.state.phase is not Phase.SETTLED:
            with pytest.raises(NotNow):
                pending.begin(self.state, self.addressed)
            return
        self.state = pending.arm(pending.begin(self.state, self.addressed), self.now, window)
        self.armed, self.window, self.bare = self.now, window, 0.0

    @rule(seconds=st.integers(0, 100), addressed=st.booleans())
    def look(self, seconds: int, addressed: bool) -> None:
        """The loop looks after some time in which there was an address, or none."""
        self.state = pending.watch(self.state, self.now, addressed)
        self.bare = 0.0 if addressed else self.bare + seconds
        self.now += seconds
        self.addressed = addressed
        event = pending.due(self.state, self.now)
        if event is None:
            return
        late = self.now - self.armed >= self.window
        assert late or (self.state.addressed and self.bare >= BARE_MAX)
        self.state = pending.step(self.state, event)
        assert self.state.phase is Phase.REVERTING

    @precondition(lambda self: self.state.phase is Phase.PENDING)
    @rule()
    def confirm(self) -> None:
        if pending.due(self.state, self.now) is None:
            self.state = pending.confirm(self.state, self.now)

    @precondition(lambda self: self.state.phase is Phase.CONFIRMING)
    @rule(written=st.booleans())
    def write(self, written: bool) -> None:
        self.state = pending.step(self.state, Event.WRITTEN if written else Event.NOT_WRITTEN)

    @precondition(lambda self: self.state.phase is Phase.PENDING)
    @rule()
    def revert(self) -> None:
        self.state = pending.step(self.state, Event.ASKED)

    @precondition(lambda self: self.state.phase is Phase.REVERTING)
    @rule()
    def reverted(self) -> None:
        self.state = pending.step(self.state, Event.REVERTED)

    @invariant()
    def settled_is_clean(self) -> None:
        if self.state.phase is Phase.SETTLED:
            assert self.state == State()

    @invariant()
    def a_deadline_is_kept(self) -> None:
        if self.state.phase is Phase.PENDING:
            assert pending.left(self.state, self.now) <= self.window
            assert self.state.deadline == self.armed + self.window


TestChanges = Changes.TestCase
TestChanges.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)
