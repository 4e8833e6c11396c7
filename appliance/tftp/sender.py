"""The sending side of a transfer: RFC 1350 with options, and windows by RFC 7440.

No socket and no clock: datagrams of the peer and the time come in, datagrams to send come out. The
one who drives it calls `start`, then `receive` for each datagram of the peer, `tick` when `deadline`
has come, and `resume` when blocks that were missing (`starved`) are there. `outcome` ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from appliance.tftp.blocks import Blocks
from appliance.tftp.options import Accepted
from appliance.tftp.packet import (
    ACK_START,
    BLOCK_MASK,
    HEADER,
    Ack,
    Error,
    ErrorCode,
    Malformed,
    Oack,
    decode,
    encode,
)
from appliance.tftp.timing import Patience, Timing


class End(Enum):
    """How a transfer ended; the value is what a record says."""

    COMPLETE = "complete"
    UNACKNOWLEDGED_END = "complete, last block not acknowledged"
    PROBE = "size probe"
    PEER_ERROR = "ended by the peer"
    SILENT = "peer silent"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a transfer; `code` and `text` are those of an ERROR that was seen or sent."""

    end: End
    code: int | None = None
    text: str = ""


@dataclass(slots=True)
class Tally:
    """What a transfer counted. `duplicates`: ACKs that moved nothing; `strays`: other packets."""

    blocks: int = 0
    retransmits: int = 0
    duplicates: int = 0
    strays: int = 0


@dataclass(slots=True)
class Sender:
    """One file on its way to one peer."""

    blocks: Blocks
    accepted: Accepted
    timing: Timing
    tally: Tally = field(default_factory=Tally)
    outcome: Outcome | None = None
    starved: bool = False
    _base: int = field(init=False, default=0)  # the last block acknowledged
    _top: int = field(init=False, default=0)  # the last block sent
    _awaited: bytes | None = field(init=False, default=None)  # the ACK of all that was sent
    _offering: bool = field(init=False, default=False)  # the OACK is out and not yet acknowledged
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.timing.agreed(self.accepted.timeout), 0.0)  # runs from the start on

    @property
    def deadline(self) -> float | None:
        """When `tick` is due; None while nothing is due from the peer."""
        return self._patience.deadline

    @property
    def confirmed(self) -> bool:
        """Whether the peer has acknowledged anything: its address is not a forged one."""
        return self._patience.confirmed

    @property
    def unanswered(self) -> bool:
        """Whether the peer has left at least one repetition without an answer."""
        return self._patience.repeated > 0

    @property
    def acknowledged(self) -> int:
        """The last block that the peer has acknowledged."""
        return self._base

    @property
    def top(self) -> int:
        """The last block that was sent."""
        return self._top

    @property
    def offering(self) -> bool:
        """Whether the OACK is out and not yet acknowledged."""
        return self._offering

    def catch_up(self, base: int, top: int, sent: float) -> None:
        """Take over from whoever has answered the usual ACKs meanwhile: `base` is the last block
        acknowledged, `top` the last one sent, and `sent` when that was.
        """
        if (base, top) == (self._base, self._top):
            return
        self.tally.blocks += top - self._top
        self._base, self._top = base, top
        self.starved = False
        self._patience.confirmed = self._patience.confirmed or base > 0
        if top > base:
            self._awaited = ACK_START + (top & BLOCK_MASK).to_bytes(2, "big")
            self._patience.sent(sent)
        else:
            self._awaited = None
            self._patience.rest()

    def start(self, now: float) -> list[bytes]:
        """The first datagram: OACK where an option was taken, else block 1."""
        if not self.accepted.oack:
            return self._fill(0, now)
        self._offering = True
        self._patience.sent(now)
        return [encode(Oack(self.accepted.oack))]

    def receive(self, datagram: bytes, now: float) -> list[bytes]:
        """Take a datagram that came from the peer's address and port."""
        if datagram == self._awaited:
            # The usual one, which acknowledges all that was sent: decided by one comparison, as this
            # is done for every block of every phone.
            return self._advance(self._top, now)
        if self.outcome is not None:
            return []
        try:
            packet = decode(datagram)
        except Malformed:
            self.tally.strays += 1
            return []
        if isinstance(packet, Error):
            # The size is known from the OACK: a client that only wanted it stops here.
            probe = self._offering and self.accepted.tsize is not None
            self._end(Outcome(End.PROBE if probe else End.PEER_ERROR, packet.code, packet.text))
            return []
        if not isinstance(packet, Ack):
            self.tally.strays += 1
            return []
        return self._acknowledge(packet.block, now)

    def resume(self, now: float) -> list[bytes]:
        """Blocks that were missing have come: send them as far as the window goes."""
        return self._fill(self._top, now) if self.starved and self.outcome is None else []

    def tick(self, now: float) -> list[bytes]:
        """The deadline has come: send again what is unacknowledged, or give up."""
        if self.outcome is not None or self.deadline is None or now < self.deadline:
            return []
        if not self._patience.repeat(now):
            self._give_up()
            return []
        if self._offering:
            self.tally.retransmits += 1
            return [encode(Oack(self.accepted.oack))]
        return self._send_again()

    def abort(self, code: ErrorCode, text: str) -> list[bytes]:
        """End from this side, with the one ERROR to send; none where the peer has ended already."""
        if self.outcome is not None:
            return []
        self._end(Outcome(End.ABORTED, code, text))
        return [encode(Error(code, text))]

    def _acknowledge(self, wire: int, now: float) -> list[bytes]:
        step = (wire - self._base) & BLOCK_MASK
        if self._offering and wire == 0:
            self._offering = False
            self._patience.confirmed = True
            return self._fill(0, now)
        if not 0 < step <= self._top - self._base:
            # Never a block for an ACK that moves nothing: two sides that do so double every
            # packet from then on (RFC 1123 section 4.2.3.1).
            self.tally.duplicates += 1
            self._patience.heard(now)
            return []
        return self._advance(self._base + step, now)

    def _advance(self, base: int, now: float) -> list[bytes]:
        """The peer has every block up to `base`."""
        self._patience.confirmed = True
        self._base = base
        if base == self.blocks.last:
            self._end(Outcome(End.COMPLETE))
            return []
        self.blocks.release(base)
        # An ACK inside a window asks for what follows it, sent or not (RFC 7440 section 4).
        return self._fill(self._base, now)

    def _fill(self, number: int, now: float) -> list[bytes]:
        """The blocks after `number` that the window has room for, those already sent among them."""
        out: list[bytes] = []
        limit = self._base + self.accepted.windowsize
        self.starved = False
        while number < limit and number != self.blocks.last:
            packet = self.blocks.packet(number + 1)
            if packet is None:
                self.starved = True
                break
            number += 1
            out.append(packet)
        new = number - self._top
        self.tally.blocks += new
        self.tally.retransmits += len(out) - new
        self._top = number
        if out:
            self._awaited = ACK_START + out[-1][2:HEADER]
            self._patience.sent(now)
        elif self._top == self._base:
            self._awaited = None
            self._patience.rest()  # it is our own source that is late, not the peer
        return out

    def _send_again(self) -> list[bytes]:
        packets = [self.blocks.packet(number) for number in range(self._base + 1, self._top + 1)]
        out = [packet for packet in packets if packet is not None]
        self.tally.retransmits += len(out)
        return out

    def _give_up(self) -> None:
        # A peer that has every block may be gone before its last ACK arrives.
        whole = self._patience.confirmed and self._top == self.blocks.last
        self._end(Outcome(End.UNACKNOWLEDGED_END if whole else End.SILENT))

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._awaited = None
        self._patience.rest()
