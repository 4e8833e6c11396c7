"""The receiving side of a transfer: the client of a cluster, and of `appliance get`.

Driven like the sender: `start`, `receive`, `tick` at `deadline`; `take` yields the bytes that have
come in order. The driver checks where a datagram came from: the first answer fixes the peer's TID
(RFC 1350 section 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from appliance.tftp.netascii import Decoder
from appliance.tftp.options import Accepted, Unacceptable, agree
from appliance.tftp.packet import (
    BLOCK_MASK,
    Ack,
    Data,
    Error,
    ErrorCode,
    Malformed,
    Mode,
    Oack,
    Options,
    Request,
    decode,
    encode,
)
from appliance.tftp.timing import Patience, Timing


class Got(Enum):
    """How a fetch ended; the value is what a person is told."""

    COMPLETE = "complete"
    LENGTH_DIFFERS = "length differs from the announced one"
    PEER_ERROR = "ended by the server"
    OPTIONS_REFUSED = "options not agreed"
    TOO_LARGE = "larger than allowed"
    SILENT = "server silent"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The end of a fetch; `code` and `text` are those of an ERROR that was seen."""

    end: Got
    code: int | None = None
    text: str = ""


class Receiver:
    """One file on its way from one server."""

    def __init__(
        self, name: bytes, mode: Mode, offer: Options, timing: Timing, size_max: int | None = None
    ) -> None:
        self._request = Request(name, mode, offer)
        self._timing = timing
        self._size_max = size_max
        self._decoder = Decoder() if mode is Mode.NETASCII else None
        self._accepted = Accepted()
        self._block = 0  # the last block taken, counted without bound
        self._window = 0  # blocks taken since the last ACK
        self._gap = False  # the ACK that names a gap is out
        self._data: list[bytes] = []
        self._last_sent = encode(self._request)
        self.opened = False
        self.received = 0  # bytes, as on the wire
        self.retransmits = 0
        self.duplicates = 0
        self.outcome: Fetched | None = None

    @property
    def size(self) -> int | None:
        """The announced size in bytes, None where none was, or where it means nothing (netascii)."""
        return self._accepted.tsize if self._decoder is None else None

    @property
    def accepted(self) -> Accepted:
        """The options in force."""
        return self._accepted

    @property
    def deadline(self) -> float | None:
        """When `tick` is due."""
        return self._patience.deadline

    def start(self, now: float) -> list[bytes]:
        """The request."""
        self._patience = Patience(self._timing, now)
        self._patience.confirmed = True
        self._patience.sent(now)
        return [self._last_sent]

    def receive(self, datagram: bytes, now: float) -> list[bytes]:
        """Take a datagram of the server."""
        if self.outcome is not None:
            return []
        try:
            packet = decode(datagram)
        except Malformed:
            return []
        match packet:
            case Error(code, text):
                refused = code == ErrorCode.OPTION and bool(self._request.options)
                self._end(Fetched(Got.OPTIONS_REFUSED if refused else Got.PEER_ERROR, code, text))
                return []
            case Oack(options) if not self.opened:
                return self._agree(options, now)
            case Oack() if self._block == 0:
                return self._repeat_for_duplicate(now)  # our ACK 0 was lost
            case Data(block, payload):
                return self._take(block, payload, now)
        return []

    def tick(self, now: float) -> list[bytes]:
        """The deadline has come: send the last packet again, or give up."""
        if self.outcome is not None or self.deadline is None or now < self.deadline:
            return []
        if not self._patience.repeat(now):
            self._end(Fetched(Got.SILENT))
            return []
        self.retransmits += 1
        if self.opened:
            self._window = 0  # what came of a window: the server goes on behind that
            self._last_sent = encode(Ack(self._block))
        return [self._last_sent]

    def abort(self, code: ErrorCode, text: str) -> list[bytes]:
        """End from this side, with the ERROR to send."""
        if self.outcome is not None:
            return []
        self._end(Fetched(Got.ABORTED))
        return [encode(Error(code, text))] if self.opened else []

    def take(self) -> bytes:
        """The bytes that have come since the last call, in order."""
        data = b"".join(self._data)
        self._data.clear()
        return data

    def _agree(self, options: Options, now: float) -> list[bytes]:
        try:
            self._accepted = agree(self._request.options, options)
        except Unacceptable as fault:
            self._end(Fetched(Got.OPTIONS_REFUSED, None, str(fault)))
            return [encode(Error(ErrorCode.OPTION, "options not agreed"))]
        if self._size_max is not None and (self._accepted.tsize or 0) > self._size_max:
            return self._refuse_size()
        self.opened = True
        return self._acknowledge(now)

    def _take(self, wire: int, payload: bytes, now: float) -> list[bytes]:
        if len(payload) > self._accepted.blksize:
            return []
        ahead = (wire - self._block) & BLOCK_MASK
        if ahead != 1:
            return self._out_of_order(ahead, now) if self.opened else []
        self.opened = True
        self._block += 1
        self._window += 1
        self._gap = False
        self.received += len(payload)
        if self._size_max is not None and self.received > self._size_max:
            return self._refuse_size()
        self._data.append(payload if self._decoder is None else self._decoder.feed(payload))
        last = len(payload) < self._accepted.blksize
        if last or self._window >= self._accepted.windowsize:
            acknowledgement = self._acknowledge(now)
            if last:
                self._finish()
            return acknowledgement
        self._patience.sent(now)
        return []

    def _out_of_order(self, ahead: int, now: float) -> list[bytes]:
        if 1 < ahead <= self._accepted.windowsize and not self._gap:
            # A block of the window is lost: tell at once, and once, where to go on (RFC 7440 section 4).
            self._gap = True
            return self._acknowledge(now)
        if ahead == 0 and self._window == 0:
            return self._repeat_for_duplicate(now)
        self.duplicates += 1
        self._patience.heard(now)
        return []

    def _repeat_for_duplicate(self, now: float) -> list[bytes]:
        """The peer repeats itself, so our answer was lost."""
        self.duplicates += 1
        self._patience.heard(now)
        return [self._last_sent]

    def _finish(self) -> None:
        if self._decoder is not None:
            self._data.append(self._decoder.finish())
        differs = self.size is not None and self.size != self.received
        self._end(Fetched(Got.LENGTH_DIFFERS if differs else Got.COMPLETE))

    def _refuse_size(self) -> list[bytes]:
        self._end(Fetched(Got.TOO_LARGE))
        return [encode(Error(ErrorCode.DISK_FULL, "file too large"))]

    def _acknowledge(self, now: float) -> list[bytes]:
        self._window = 0
        self._last_sent = encode(Ack(self._block))
        self._patience.sent(now)
        return [self._last_sent]

    def _end(self, outcome: Fetched) -> None:
        self.outcome = outcome
        self._patience.rest()
