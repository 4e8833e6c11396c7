"""The record that every request leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from appliance.report.text import printable

KEPT = 2_000  # records that `explain --last` can tell of
STEPS_MAX = 40  # steps of one record


class Result(StrEnum):
    """How a request ended."""

    SERVED = "served"
    NOT_FOUND = "not found"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    BUSY = "busy"
    PROBE = "size probe"
    BROKEN_OFF = "broken off"
    PEER_GONE = "peer gone"
    REPLACED = "replaced by a newer request"
    FAULT = "fault of ours"


@dataclass(slots=True)  # not frozen, and so made in a quarter of the time: every request makes several
class Step:
    """One step of the decision: when, counted from the request's arrival, and what with its reason."""

    at_ms: float
    text: str


@dataclass(slots=True)  # as for Step
class Record:
    """One request. Texts of the client are escaped. `source` is the store's or the cluster's name;
    `stale_s` the age of a copy that was served in the place of a cluster that gave no answer.
    """

    time: str
    client: str
    transport: str
    name: str
    kind: str | None
    device: str | None
    steps: tuple[Step, ...]
    source: str | None
    address: str | None
    stale_s: int | None
    bytes: int
    duration_ms: float
    retransmits: int
    options: dict[str, str]
    result: Result
    detail: str


def stamp(seconds: float) -> str:
    """A time of the wall clock as RFC 3339 in UTC, to the millisecond."""
    return _stamp(int(seconds), int(seconds % 1 * 1000))


@lru_cache(maxsize=8)  # a busy box has many requests in one millisecond
def _stamp(seconds: int, milliseconds: int) -> str:
    second = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{second}.{milliseconds:03d}Z"


def _milliseconds(seconds: float) -> float:
    # Most steps are taken at once, and to round takes longer than all else that is done for one.
    return 0.0 if 0 <= seconds < 0.00005 else round(seconds * 1000, 1)


class Trail:
    """One request while it is answered: who asked for what and when, and the steps that were taken.

    `wall` is the time of day of the arrival, `now` the same moment of the clock that steps are
    measured by, both in seconds; `asked` is the name as the client sent it.
    """

    __slots__ = (
        "_arrived",
        "_asked",
        "_steps",
        "_wall",
        "address",
        "client",
        "device",
        "kind",
        "source",
        "stale_s",
        "transport",
    )

    def __init__(self, client: str, transport: str, asked: bytes, wall: float, now: float) -> None:
        self.transport = transport
        self.client = client
        self._asked = printable(asked.decode("utf-8", "surrogateescape"))
        self._wall = wall
        self._arrived = now
        self._steps: list[Step] = []
        self.kind: str | None = None
        self.device: str | None = None
        self.source: str | None = None
        self.address: str | None = None
        self.stale_s: int | None = None

    def add(self, now: float, text: str) -> None:
        """One more step."""
        if len(self._steps) < STEPS_MAX:
            self._steps.append(Step(_milliseconds(now - self._arrived), printable(text)))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far."""
        return tuple(self._steps)

    def record(
        self,
        now: float,
        result: Result,
        detail: str,
        sent: int = 0,
        retransmits: int = 0,
        options: dict[str, str] | None = None,
    ) -> Record:
        """The record of the request, which ends now with `sent` bytes delivered."""
        return Record(
            stamp(self._wall),
            self.client,
            self.transport,
            self._asked,
            self.kind,
            self.device,
            tuple(self._steps),
            self.source,
            self.address,
            self.stale_s,
            sent,
            _milliseconds(now - self._arrived),
            retransmits,
            options or {},
            result,
            printable(detail) if detail else "",
        )


class Records:
    """The last records, newest last."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque(maxlen=KEPT)

    def add(self, record: Record) -> None:
        """Keep one more; the oldest goes when there are too many."""
        self._records.append(record)

    def last(self, count: int, client: str | None = None, wanted: str | None = None) -> Iterator[Record]:
        """The newest `count` that fit, oldest of them first. `wanted` is a name or a device."""
        fitting: deque[Record] = deque(maxlen=count)
        for record in self._records:
            if client is not None and record.client != client:
                continue
            if wanted is not None and wanted.lower() not in (
                record.name.lower(),
                (record.device or "").lower(),
            ):
                continue
            fitting.append(record)
        return iter(fitting)
