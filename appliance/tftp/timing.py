"""When to send again, and when to give up (RFC 1350 section 2; RFC 1123 section 4.2.3.2).

Giving up is measured in the peer's silence: each packet of the peer starts it anew. Times are
seconds of any clock that does not go back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Timing:
    """The patience of one transfer."""

    timeout: float = 1.0  # s before the first repetition; each further one waits twice as long
    retries: int = 5  # repetitions into silence
    timeout_max: float = 8.0  # s: where the doubling ends; a longer `timeout` is not doubled
    silence_max: float = 60.0  # s: the end whatever the rest says, even for an agreed timeout of 30
    standstill_max: float = 120.0  # s without progress of a peer that does answer
    unconfirmed_retries: int = 2  # repetitions toward a peer that has acknowledged nothing yet

    @property
    def first(self) -> float:
        """Seconds before the first repetition."""
        return min(self.timeout, self.silence_max, self.standstill_max)

    def agreed(self, timeout: int | None) -> Timing:
        """The same with the timeout option's value (RFC 2349), where there is one."""
        return self if timeout is None else replace(self, timeout=float(timeout))


class Patience:
    """The retransmission timer of one transfer, without a clock."""

    def __init__(self, timing: Timing, now: float) -> None:
        self._timing = timing
        self._interval = timing.timeout
        self._first = timing.first
        self.repeated = 0  # times that the last packets were sent again without an answer
        self._heard = now
        self._progress = now
        self.confirmed = False
        self.deadline: float | None = None

    def sent(self, now: float) -> None:
        """Something new was sent: its answer is due after the first interval."""
        self._interval = self._timing.timeout
        self.repeated = 0
        self._heard = self._progress = now
        self.deadline = now + self._first

    def heard(self, now: float) -> None:
        """The peer sent a packet of this transfer that moved nothing: it lives, and waits for us."""
        self._heard = now
        if not self.confirmed:
            return  # to a forged address no more is sent, whatever seems to come from there
        self.repeated = 0
        self._interval = self._timing.timeout
        if self.deadline is not None:
            # It is not the line that is slow, a packet was lost: no reason for a longer wait.
            self.deadline = min(self.deadline, now + self._interval)

    def rest(self) -> None:
        """Nothing is due from the peer."""
        self.deadline = None

    def repeat(self, now: float) -> bool:
        """At the deadline: whether to send once more; False is giving up."""
        timing = self._timing
        retries = timing.retries if self.confirmed else timing.unconfirmed_retries
        if self.repeated >= retries or now >= self._end:
            self.deadline = None
            return False
        self.repeated += 1
        self._interval = min(self._interval * 2, max(timing.timeout, timing.timeout_max))
        self.deadline = min(now + self._interval, self._end)
        return True

    @property
    def _end(self) -> float:
        """When the peer has been silent, or has stood still, for long enough."""
        return min(self._heard + self._timing.silence_max, self._progress + self._timing.standstill_max)
