"""What the processes of one proxy say to each other; `framing` has the bytes.

The supervisor has homes, clusters, cache and log; a worker has phones; the nursery starts workers.
Descriptors (sockets, files) go beside a message.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.report.counters import Counters
from appliance.report.record import Record

PIECE = 48 * 1024
"""bytes of a file in one message."""

Note = tuple[float, str]
"""A step of a decision: when, in seconds of the machine's monotonic clock, and what; not yet escaped."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Worker: a request to be decided. `number` is the worker's; the rest as in `Name`, `Asker`, `Trail`."""

    number: int
    name: str
    client: str
    via: str
    transport: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Worker: nobody waits for the answer any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Worker: as many answers that named this body as `count` are used up."""

    body: int
    count: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Worker: records of requests."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Worker: what it has at the moment, and what it has counted since the last report."""

    transfers: int
    connections: int
    counted: Counters


@dataclass(frozen=True, slots=True)
class Line:
    """Worker: a line for the log."""

    text: str


@dataclass(frozen=True, slots=True)
class Configure:
    """Supervisor: the next part of a pickle, of a configuration and the addresses of this box; with the
    `last` part, go by it.
    """

    last: bool
    part: bytes


@dataclass(frozen=True, slots=True)
class Listen:
    """Supervisor: take requests from the socket that comes beside this; `number` names it from then on."""

    number: int
    transport: str


@dataclass(frozen=True, slots=True)
class Shut:
    """Supervisor: take no more requests from the socket of this number, and close it."""

    number: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Supervisor: for this `Ask` clusters are being waited for; the answer may take a while."""

    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Supervisor: how an `Ask` ended.

    `verdict` is one of those below. `path` names a file of the local store, `body` one that is or will be
    told of, from whose byte `start` on it is the file, of `size` bytes where that is known; `why` is for
    "nobody knows". The rest as in `Trail`.
    """

    number: int
    verdict: str
    why: str = ""
    source: str = ""
    path: str = ""
    body: int = 0
    start: int = 0
    size: int | None = None
    address: str | None = None
    stale_s: int | None = None
    notes: tuple[Note, ...] = ()


LOCAL, BODY, MISSING, UNKNOWN = "local", "body", "missing", "unknown"
VERDICTS = (LOCAL, BODY, MISSING, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Piece:
    """Supervisor: the next bytes of a body; the first one begins it."""

    body: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Handed:
    """Supervisor: the body is in a file, whose descriptor comes beside; it begins at `start` in it and has
    `length` bytes so far.
    """

    body: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Grown:
    """Supervisor: so many bytes of a body are in its file."""

    body: int
    length: int


@dataclass(frozen=True, slots=True)
class Whole:
    """Supervisor: that was all of it."""

    body: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Supervisor: the body has no end, or turned out not to be what was asked for."""

    body: int
    why: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Supervisor: no answer will name this body any more."""

    body: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Supervisor: send a `Report` now."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Supervisor: take nothing new, let what runs come to its end, and end."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Supervisor: end now."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """Supervisor to nursery: start worker `number`. Beside it its end of a channel."""

    number: int


@dataclass(frozen=True, slots=True)
class Kill:
    """Supervisor to nursery: end worker `number` by force, if it runs."""

    number: int


@dataclass(frozen=True, slots=True)
class Born:
    """Nursery: worker `number` runs."""

    number: int
    pid: int


@dataclass(frozen=True, slots=True)
class Died:
    """Nursery: worker `number` has ended; `status` is its exit status, negative for a signal."""

    number: int
    status: int


Message = (
    Ask | GiveUp | Leave | Ended | Report | Line
    | Configure | Listen | Shut | Waits | Answer | Piece | Handed | Grown | Whole | Failed | Dropped
    | Tell | Drain | Stop | Spawn | Kill | Born | Died
)  # fmt: skip
