"""What is known of a cluster's address: pure, with the time passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.config.model import Protocol

HTTP_AGAIN = 60.0
"""s after which `auto` tries HTTP again on an address where it failed and TFTP did not."""


@dataclass(slots=True)
class Health:
    """One address of a cluster."""

    protocol: Protocol
    answers: int = 0
    failures: int = 0
    latency_ms: float | None = None  # of the last answer
    last_answer: float | None = None
    last_failure: float | None = None
    why: str = ""  # of the last failure
    out_of_use: str = ""  # why it is never asked; empty where it is
    _http_failed: float | None = field(default=None, repr=False)

    def protocols(self, now: float) -> tuple[Protocol, ...]:
        """The protocols to try, in order."""
        if self.protocol is not Protocol.AUTO:
            return (self.protocol,)
        if self._http_failed is not None and now - self._http_failed < HTTP_AGAIN:
            return (Protocol.TFTP,)
        return (Protocol.HTTP, Protocol.TFTP)

    @property
    def answering(self) -> bool | None:
        """Whether the last request was answered; None where there has been none."""
        if self.last_answer is None and self.last_failure is None:
            return None
        return (self.last_answer or 0) >= (self.last_failure or 0)

    def answered(self, protocol: Protocol, started: float, now: float) -> None:
        """It answered, be it "no such file"."""
        self.answers += 1
        self.latency_ms = round((now - started) * 1000, 1)
        self.last_answer = now
        if protocol is Protocol.HTTP:
            self._http_failed = None

    def failed(self, protocol: Protocol, why: str, now: float) -> None:
        """It gave no answer."""
        self.failures += 1
        self.last_failure = now
        self.why = why
        if protocol is Protocol.HTTP:
            self._http_failed = now
