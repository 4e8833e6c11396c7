"""What is known of a cluster's address: pure, with the time passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.cluster.breaker import PROBE_EVERY, Breaker
from appliance.config.model import Cluster, IPAddress, Protocol

HTTP_AGAIN = 60.0
"""s between two probes over HTTP where `auto` is served over TFTP."""

_SPOKEN = {
    Protocol.AUTO: (Protocol.HTTP, Protocol.TFTP),
    Protocol.HTTP: (Protocol.HTTP,),
    Protocol.TFTP: (Protocol.TFTP,),
}


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
    out_of_use: str = ""  # why it is never asked, not even by a probe; empty where it is
    loops: bool = False  # its probes come back: it is asked by probes alone
    breakers: dict[Protocol, Breaker] = field(init=False)  # by protocol, in the order of trying

    def __post_init__(self) -> None:
        self.breakers = {protocol: Breaker() for protocol in _SPOKEN[self.protocol]}

    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols to try, in order: those whose breaker is not open."""
        return tuple(protocol for protocol, breaker in self.breakers.items() if not breaker.open)

    def silent(self, now: float) -> float | None:
        """For how long (s) it has been known to answer in no protocol; None where it may be asked."""
        since = 0.0
        for breaker in self.breakers.values():
            if not breaker.open or breaker.since is None:
                return None
            since = max(since, breaker.since)
        return now - since

    @property
    def in_use(self) -> bool:
        """Whether it may be asked for files."""
        return not (self.out_of_use or self.loops)

    @property
    def troubled(self) -> bool:
        """Whether it is known not to answer in some protocol."""
        return any(breaker.open for breaker in self.breakers.values())

    def due(self, now: float) -> tuple[Protocol, ...]:
        """The protocols in which a probe is to be sent."""
        if self.out_of_use:
            return ()
        return tuple(
            protocol for protocol, breaker in self.breakers.items() if breaker.due(now, self._every(protocol))
        )

    @property
    def answering(self) -> bool | None:
        """Whether the last request was answered; None where there has been none."""
        if self.last_answer is None and self.last_failure is None:
            return None
        return (self.last_answer or 0) >= (self.last_failure or 0)

    def answered(self, protocol: Protocol, sent: float, now: float) -> None:
        """A request sent at `sent` was answered, be it with "no such file"."""
        breaker = self.breakers[protocol]
        breaker.answered(sent, now)
        self.answers += 1
        self.latency_ms = breaker.latency_ms
        self.last_answer = now

    def failed(self, protocol: Protocol, why: str, sent: float, now: float, connected: bool = True) -> None:
        """A request sent at `sent` got no answer; `connected` unless there was no connection."""
        self.breakers[protocol].failed(why, sent, now, connected)
        self.failures += 1
        self.last_failure = now
        self.why = why

    def unheard(self, protocol: Protocol, why: str, now: float) -> None:
        """The machine did not even refuse: no phone waits for its other protocol either."""
        for other, breaker in self.breakers.items():
            if other is not protocol:
                breaker.suspect(why, now)

    def _every(self, protocol: Protocol) -> float:
        if self.protocol is Protocol.AUTO and protocol is Protocol.HTTP:
            return HTTP_AGAIN if self.breakers[Protocol.TFTP].answers else PROBE_EVERY
        return PROBE_EVERY


@dataclass(frozen=True, slots=True)
class Upstream:
    """One address of a cluster, with its health."""

    cluster: Cluster
    address: IPAddress
    health: Health
