"""Whether an address is worth asking over one protocol: pure, with the time passed in.

A dead address must not cost every phone its patience: once it is known not to answer, nothing but
a probe is sent there until it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

SILENCES = 2
"""Requests in a row without an answer that open a breaker; a failed connect does so by itself."""
PROBE_EVERY = 5.0
"""s between two probes of an address that does not answer."""


class State(StrEnum):
    """What is known of an address over one protocol."""

    NEVER_ASKED = "never asked"
    CLOSED = "closed"
    OPEN = "open"


@dataclass(slots=True)
class Breaker:
    """One protocol of one address. Times are seconds of any clock that does not go back."""

    state: State = State.NEVER_ASKED
    since: float | None = None  # when the state began; None while it was never asked
    why: str = ""  # of the last failure
    latency_ms: float | None = None  # of the last answer
    _answered: float | None = field(default=None, repr=False)
    _silences: int = field(default=0, repr=False)
    _probed: float = field(default=0.0, repr=False)

    @property
    def open(self) -> bool:
        """Whether nothing but a probe may be sent."""
        return self.state is State.OPEN

    @property
    def answers(self) -> bool:
        """Whether it has answered, and is not known to have stopped."""
        return self._answered is not None and not self.open

    def answered(self, sent: float, now: float) -> None:
        """A request that was sent at `sent` was answered, with whatever: "no such file", "busy"."""
        self.latency_ms = round((now - sent) * 1000, 1)
        self._answered = now
        self._silences = 0
        if self.state is not State.CLOSED:
            self._enter(State.CLOSED, now)

    def failed(self, why: str, sent: float, now: float, connected: bool) -> None:
        """A request that was sent at `sent` got no answer; `connected` unless no connection was made."""
        self.why = why
        if self.state is State.NEVER_ASKED:
            self._enter(State.CLOSED, now)
        if self.open or (self._answered is not None and sent < self._answered):
            return  # known, or it has answered another request since
        self._silences += 1
        if self._silences >= SILENCES or not connected:
            self._enter(State.OPEN, now)

    def suspect(self, why: str, now: float) -> None:
        """The machine is silent otherwise: nothing but a probe, at once, shows whether it answers here."""
        if self.open or (self._answered is not None and now - self._answered < PROBE_EVERY):
            return
        self.why = why
        self._enter(State.OPEN, now)
        self._probed = -inf

    def due(self, now: float, every: float = PROBE_EVERY) -> bool:
        """Whether a probe is to be sent; `probed` tells that it was."""
        return self.open and now - self._probed >= every

    def probed(self, now: float) -> None:
        """A probe is on its way."""
        self._probed = now

    def _enter(self, state: State, now: float) -> None:
        self.state = state
        self.since = self._probed = now
