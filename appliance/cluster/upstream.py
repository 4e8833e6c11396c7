"""What asking one address of a cluster can yield, whichever protocol is spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from appliance.cluster.body import Stored
from appliance.config.model import IPAddress

SILENCE_MAX = 3.5
"""s for which a cluster may fall silent in the middle of a file, in either protocol.

Phones ask again after 4 to 5 s without the next block, and begin anew after a few of these. Ending
before the first of them gives the phone its ERROR while it still listens, and it starts again at
once; the lines that lose four packets running are too few to wait longer for.
"""

VIA_MAX = 200
"""Characters of an answer's Via that are looked at."""


class Absent(Exception):
    """The cluster answered that it has no such file: 404, 410, ERROR 1. `via` as `Opened.via`."""

    def __init__(self, via: str = "") -> None:
        super().__init__()
        self.via = via


class Unchanged(Exception):
    """The cluster answered that the file is still the one that `Waiting.validator` stands for: 304."""


class Refused(Exception):
    """The address answers, but not with this file: any other status or ERROR. The text says which;
    what it holds of the cluster's own is cut short, but not escaped.
    """


class Unreachable(Exception):
    """The address gave no answer: timed out, broke off, talked nonsense. The text says which."""


class Unconnected(Unreachable):
    """No connection was to be had: refused, no route, or not made in time."""


class Unheard(Unconnected):
    """Nothing at all came back in time, not even a refusal: it is the machine that is silent."""


class Unasked(Unreachable):
    """It was not asked at all, which says nothing of it: this box had no socket, or other requests
    found it silent meanwhile.
    """


@dataclass(slots=True)
class Waiting:
    """One request to one address, while it waits for its answer."""

    since: float | None = (
        None  # since when it has met silence; None while it is not its turn, or was told "busy"
    )
    sent: float | None = None  # when it was last sent
    until: float | None = None  # when a busy address is asked again no more; None is at any time
    validator: str = ""  # as `answer.Found.validator`: only a changed file is wanted
    allowed: Callable[[], bool] = lambda: True  # whether it may still be sent, after time in a queue
    surplus: Callable[[], None] = lambda: None  # called when more comes after the end that was announced

    def begin(self, now: float) -> None:
        """The request is sent."""
        self.since = self.sent = now

    def pause(self) -> None:
        """An answer is there, or none is due."""
        self.since = None


@dataclass(frozen=True, slots=True)
class Target:
    """One address of a cluster and the port of the protocol that is spoken there."""

    address: IPAddress
    port: int


class Opened(Protocol):
    """A file that an address has begun to send."""

    @property
    def size(self) -> int | None:
        """Bytes, None where the cluster does not tell."""

    @property
    def validator(self) -> str:
        """As `answer.Found.validator`."""

    @property
    def via(self) -> str:
        """The boxes that the answer came through, as its Via field names them: printable, at most
        `VIA_MAX` characters, empty where it names none.
        """

    @property
    def keepable(self) -> bool:
        """Whether its end can be told from a connection that ends too early."""

    def pieces(self) -> Iterator[bytes]:
        """The file's bytes as they come; `cluster.body.Broken` where it ends before its end."""

    def close(self) -> None:
        """Let go, at any time."""


class Recalled(Protocol):
    """A whole file that was fetched before."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def validator(self) -> str:
        """As `answer.Found.validator`."""

    @property
    def address(self) -> str:
        """Where it came from."""

    @property
    def fresh(self) -> bool:
        """Whether it may be used without asking."""

    @property
    def by_length(self) -> bool:
        """Whether a file of the same length is taken for the same."""

    def open(self) -> Stored | None:
        """Its bytes, None where they turn out to be lost; may wait for the disk."""

    def at_hand(self) -> Stored | None:
        """The same where they are in memory, without any waiting."""

    def renew(self) -> None:
        """The cluster has just said that this is still the file."""
