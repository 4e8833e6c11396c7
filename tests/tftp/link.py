"""A server and clients of TFTP, joined by a link without sockets and without waiting.

Time is a number, what will happen lies in a heap, and chance is a seeded `random.Random`. A port
stands for a whole address: nothing else tells two ends of this link apart.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from appliance.tftp.blocks import BlockBuffer
from appliance.tftp.netascii import Encoder
from appliance.tftp.options import Limits, accept
from appliance.tftp.packet import Mode, Options, decode_request, is_request
from appliance.tftp.receiver import Got, Receiver
from appliance.tftp.sender import Sender
from appliance.tftp.timing import Timing

SERVER = 69
FIRST_TID = 1000  # of the server's transfers; those of clients lie above
FIRST_CLIENT = 50000
EVENTS_MAX = 5_000_000
TRIES_MAX = 8


@dataclass(frozen=True)
class Seen:
    """One datagram as it was sent, whether it arrived or not."""

    at: float
    source: int
    target: int
    datagram: bytes


@dataclass(frozen=True)
class Faults:
    """What a link does to datagrams: shares of them, and delays in seconds."""

    loss: float = 0.0
    doubled: float = 0.0
    delay: tuple[float, float] = (0.005, 0.005)
    late: float = 0.0  # the share that has the delay `lateness`
    lateness: tuple[float, float] = (0.0, 0.0)
    lost: Callable[[Seen], bool] = lambda seen: False  # and these


@dataclass
class Link:
    """The clock, the ports, and what is on its way."""

    rng: random.Random
    faults: Faults = Faults()
    now: float = 0.0
    ports: dict[int, Callable[[int, bytes], None]] = field(default_factory=dict)
    """What takes (source, datagram) at a port."""
    seen: list[Seen] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something later. What was asked for first comes first."""
        self._count += 1
        assert self._count <= EVENTS_MAX
        heapq.heappush(self._events, (when, self._count, do))

    def send(self, source: int, target: int, datagrams: list[bytes]) -> None:
        """Put datagrams on their way."""
        for datagram in datagrams:
            sent = Seen(self.now, source, target, datagram)
            self.seen.append(sent)
            for _ in range(2 if self._chance(self.faults.doubled) else 1):
                if not self._chance(self.faults.loss) and not self.faults.lost(sent):
                    self.at(self.now + self._delay(), partial(self._arrive, sent))

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Until this is so, or nothing is left to happen."""
        while self._events and not until():
            self.now, _, do = heapq.heappop(self._events)
            do()

    def _arrive(self, sent: Seen) -> None:
        take = self.ports.get(sent.target)
        if take is not None:
            take(sent.source, sent.datagram)

    def _delay(self) -> float:
        late = self._chance(self.faults.late)
        return self.rng.uniform(*(self.faults.lateness if late else self.faults.delay))

    def _chance(self, share: float) -> bool:
        return share > 0 and self.rng.random() < share


class Endpoint:
    """One side of a transfer at its port, and what its driver does: the timer, and whom it hears."""

    def __init__(self, link: Link, port: int, side: Sender | Receiver, peer: int | None = None) -> None:
        self._link = link
        self._port = port
        self._side = side
        self._peer = peer  # None until the first answer fixes it (RFC 1350 section 4)
        self._alarm: float | None = None
        link.ports[port] = self._take

    def send(self, datagrams: list[bytes]) -> None:
        """Send what an event has made, and set the timer anew."""
        self._link.send(self._port, self._peer or SERVER, datagrams)
        if self._side.deadline != self._alarm:
            self._alarm = self._side.deadline
            if self._alarm is not None:
                self._link.at(self._alarm, partial(self._ring, self._alarm))

    def _ring(self, alarm: float) -> None:
        if alarm == self._alarm:
            self._alarm = None
            self.send(self._side.tick(self._link.now))

    def _take(self, source: int, datagram: bytes) -> None:
        self._peer = self._peer or source
        if source == self._peer:
            self.send(self._side.receive(datagram, self._link.now))


class Server:
    """One file for every request, served as a proxy does: whole, or piece by piece as it comes.

    The repetition of a request whose transfer runs is ignored: the transfer's timer serves it.
    """

    def __init__(self, link: Link, content: bytes, pieces: int = 1) -> None:
        self._link = link
        self._content = content
        self._pieces = pieces
        self.transfers: list[tuple[int, Sender]] = []  # with the port of the client
        link.ports[SERVER] = self._request

    def _request(self, client: int, datagram: bytes) -> None:
        if not is_request(datagram):
            return
        if any(port == client and sender.outcome is None for port, sender in self.transfers):
            return
        request = decode_request(datagram)
        octet = request.mode is Mode.OCTET
        stream = self._content if octet else Encoder().feed(self._content)
        accepted = accept(request.options, Limits(), len(stream) if octet else None)
        blocks = BlockBuffer(accepted.blksize)
        sender = Sender(blocks, accepted, Timing())
        endpoint = Endpoint(self._link, FIRST_TID + len(self.transfers), sender, client)
        self.transfers.append((client, sender))
        endpoint.send(sender.start(self._link.now))
        self._feed(endpoint, sender, blocks, stream)

    def _feed(self, endpoint: Endpoint, sender: Sender, blocks: BlockBuffer, stream: bytes) -> None:
        step = len(stream) // self._pieces + 1
        come = self._link.now

        def more(start: int) -> None:
            blocks.feed(stream[start : start + step])
            if start + step > len(stream):
                blocks.finish()
            endpoint.send(sender.resume(self._link.now))

        more(0)
        for start in range(step, len(stream) + 1, step):
            come += self._link.rng.uniform(0, 0.4)
            self._link.at(come, partial(more, start))


def fetch(link: Link, mode: Mode, offer: Options) -> list[Receiver]:
    """A client's tries, the last one first complete: one that got silence starts again, as a phone does."""
    tries: list[Receiver] = []
    while len(tries) < TRIES_MAX and not (tries and is_complete(tries[-1])):
        receiver = Receiver(b"file", mode, offer, Timing())
        endpoint = Endpoint(link, FIRST_CLIENT + len(tries), receiver)
        endpoint.send(receiver.start(link.now))
        tries.append(receiver)
        link.run(until=partial(has_ended, receiver))
    link.run()
    return tries


def has_ended(receiver: Receiver) -> bool:
    """Whether the client is done, one way or the other."""
    return receiver.outcome is not None


def is_complete(receiver: Receiver) -> bool:
    """Whether the client holds the file to be whole."""
    return receiver.outcome is not None and receiver.outcome.end is Got.COMPLETE
