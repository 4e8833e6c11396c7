"""What is counted since the start."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process, by what they count.

    `looping` requests were answered from the local store alone, as they had come round; `stale` counts
    copies served in the place of a silent cluster. `requests_overflowed` were dropped by the kernel, as
    more came to the TFTP port than it holds. `records_dropped` are lines that the log could not take,
    `syslog_dropped` those that were not sent to the syslog server.
    `results` holds how many requests ended in each way, `datagrams` what was dropped unanswered at
    the TFTP port, and why. `pump` says which one sends TFTP's blocks: the compiled one, or that in Python.
    """

    requests_tftp: int = 0
    requests_http: int = 0
    requests_overflowed: int = 0
    repetitions: int = 0
    bytes_sent: int = 0
    retransmits: int = 0
    duplicate_acks: int = 0
    strays: int = 0
    peers_gone: int = 0
    looping: int = 0
    stale: int = 0
    faults: int = 0
    records_dropped: int = 0
    syslog_dropped: int = 0
    pump: str = ""
    results: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def ended(self, result: str) -> None:
        """One request has ended so."""
        self.results[result] = self.results.get(result, 0) + 1

    def drop(self, why: str) -> None:
        """One datagram or connection was left without an answer."""
        self.dropped[why] = self.dropped.get(why, 0) + 1

    def add(self, other: Counters) -> None:
        """Count what another process has counted."""
        for each in fields(self):
            mine, more = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, int):
                setattr(self, each.name, mine + more)
            elif isinstance(mine, dict):
                for key, count in more.items():
                    mine[key] = mine.get(key, 0) + count
        self.pump = other.pump or self.pump

    def take(self) -> Counters:
        """All that was counted so far; from here on it is counted anew."""
        taken = replace(self)
        fresh = Counters(pump=self.pump)
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))
        return taken
