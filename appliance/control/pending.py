"""Confirm or revert: a pure machine. Everything that decides what becomes of a change stands here.

    settled      what is in force is what was confirmed last
    applying     a change comes into force
    pending      it is in force, and waits for somebody to confirm it
    confirming   somebody did: it is being written as the confirmed one
    reverting    what was confirmed last comes into force again

By itself nothing but a missing confirmation, or the loss of every address, leads from `pending` to
`reverting`. Times are seconds of a clock that nobody sets (monotonic): a jump of the time of day moves no
deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

BARE_MAX = 30.0
"""s without any address before that reverts: as long as DHCP or IPv6 may take to give one."""


class Phase(StrEnum):
    """Where a change is."""

    SETTLED = "settled"
    APPLYING = "applying"
    PENDING = "pending"
    CONFIRMING = "confirming"
    REVERTING = "reverting"


class Event(StrEnum):
    """What moves it on."""

    COMMIT = "commit"
    APPLIED = "applied"
    UNCHECKED = "applied, and nobody need confirm it"
    REFUSED = "refused"
    CONFIRM = "confirm"
    WRITTEN = "written"
    NOT_WRITTEN = "not written"
    EXPIRED = "not confirmed in time"
    CUT_OFF = "no address left"
    ASKED = "asked to revert"
    REVERTED = "reverted"


TABLE = {
    (Phase.SETTLED, Event.COMMIT): Phase.APPLYING,
    (Phase.APPLYING, Event.APPLIED): Phase.PENDING,
    (Phase.APPLYING, Event.UNCHECKED): Phase.CONFIRMING,
    (Phase.APPLYING, Event.REFUSED): Phase.REVERTING,
    (Phase.PENDING, Event.CONFIRM): Phase.CONFIRMING,
    (Phase.PENDING, Event.EXPIRED): Phase.REVERTING,
    (Phase.PENDING, Event.CUT_OFF): Phase.REVERTING,
    (Phase.PENDING, Event.ASKED): Phase.REVERTING,
    (Phase.CONFIRMING, Event.WRITTEN): Phase.SETTLED,
    (Phase.CONFIRMING, Event.NOT_WRITTEN): Phase.PENDING,
    (Phase.REVERTING, Event.REVERTED): Phase.SETTLED,
}
"""All that can happen."""


class NotNow(Exception):
    """This cannot happen at the moment. The text says why."""


@dataclass(frozen=True, slots=True)
class State:
    """`deadline` is when a pending change reverts. `addressed`: there were addresses before it; only then
    their loss means anything. `bare_since` is since when there is none.
    """

    phase: Phase = Phase.SETTLED
    deadline: float = 0.0
    addressed: bool = False
    bare_since: float | None = None


def step(state: State, event: Event) -> State:
    """The state after an event; `NotNow`."""
    after = TABLE.get((state.phase, event))
    if after is None:
        raise NotNow(_WHY.get((state.phase, event), f"not while a change is {state.phase}"))
    return State() if after is Phase.SETTLED else replace(state, phase=after)


def begin(state: State, addressed: bool) -> State:
    """A change comes into force; `addressed` tells whether the machine has an address now. `NotNow` while
    another is on its way: one at a time.
    """
    return replace(step(state, Event.COMMIT), addressed=addressed)


def arm(state: State, now: float, window: float) -> State:
    """It is in force, and reverts `window` seconds from now; with 0 it need not be confirmed."""
    if window <= 0:
        return replace(step(state, Event.UNCHECKED), deadline=now)
    return replace(step(state, Event.APPLIED), deadline=now + window)


def confirm(state: State, now: float) -> State:
    """Somebody confirms; `NotNow` where nothing waits for that, or not any more."""
    if state.phase is Phase.PENDING and due(state, now) is not None:
        raise NotNow(f"too late: {due(state, now)}, the change is being reverted")
    return step(state, Event.CONFIRM)


def watch(state: State, now: float, addressed: bool) -> State:
    """Remember since when there is no address."""
    if addressed or state.phase is not Phase.PENDING or not state.addressed:
        return replace(state, bare_since=None)
    return state if state.bare_since is not None else replace(state, bare_since=now)


def due(state: State, now: float) -> Event | None:
    """What reverts a pending change now, if anything does."""
    if state.phase is not Phase.PENDING:
        return None
    if now >= state.deadline:
        return Event.EXPIRED
    if state.bare_since is not None and now - state.bare_since >= BARE_MAX:
        return Event.CUT_OFF
    return None


def left(state: State, now: float) -> float:
    """Seconds until a pending change reverts."""
    return max(0.0, state.deadline - now)


_WHY = {
    (Phase.SETTLED, Event.CONFIRM): "there is nothing to confirm",
    (Phase.SETTLED, Event.ASKED): "there is nothing to revert",
    (Phase.PENDING, Event.COMMIT): "a change waits for its confirmation: confirm or revert it first",
    (Phase.APPLYING, Event.COMMIT): "another change is coming into force",
    (Phase.CONFIRMING, Event.COMMIT): "another change is being confirmed",
    (Phase.REVERTING, Event.COMMIT): "another change is being reverted",
}
