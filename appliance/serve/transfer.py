"""One TFTP request, from its arrival to its record: a greenlet each."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import gevent
from gevent import socket

from appliance.cluster.body import Broken
from appliance.cluster.names import BadName, Fault, read
from appliance.config.model import Unavailable
from appliance.network.sockaddr import SocketAddress
from appliance.report.record import Record, Result, Trail
from appliance.report.text import printable
from appliance.serve import datagrams
from appliance.serve.content import Content
from appliance.serve.datagrams import Arrival
from appliance.serve.lookup import Asker, NoSuchFile, NotKnown
from appliance.serve.surroundings import Surroundings
from appliance.tftp.blocks import BlockBuffer
from appliance.tftp.netascii import Encoder
from appliance.tftp.options import Accepted, Limits, accept, mtu_blksize
from appliance.tftp.packet import Error, ErrorCode, Mode, Request, encode
from appliance.tftp.sender import End, Sender
from appliance.tftp.timing import Timing

PIECE = 32 * 1024  # bytes read ahead of the peer
STRANGERS_MAX = 3  # strangers told ERROR 5 by one transfer

# What a client is told: fixed texts, nothing of our folders (RFC 1350 section 5, ERROR).
TEXTS = {
    ErrorCode.UNDEFINED: "not available now",
    ErrorCode.NOT_FOUND: "file not found",
    ErrorCode.ACCESS: "access violation",
    ErrorCode.ILLEGAL: "illegal TFTP operation",
    ErrorCode.UNKNOWN_TID: "unknown transfer",
}

_BAD_NAME = {
    Fault.TOO_LONG: ErrorCode.ILLEGAL,
    Fault.NOT_PRINTABLE: ErrorCode.NOT_FOUND,
    Fault.ESCAPES: ErrorCode.ACCESS,
    Fault.EMPTY: ErrorCode.NOT_FOUND,
}

_RESULTS = {
    End.COMPLETE: Result.SERVED,
    End.UNACKNOWLEDGED_END: Result.SERVED,
    End.PROBE: Result.PROBE,
    End.PEER_ERROR: Result.PEER_GONE,
    End.SILENT: Result.PEER_GONE,
    End.ABORTED: Result.BROKEN_OFF,
}


def error(code: ErrorCode, text: str | None = None) -> bytes:
    """The ERROR with its fixed text."""
    return encode(Error(code, text or TEXTS[code]))


class Transfer:
    """A request that is being answered. `peer` may change until the first datagram is sent."""

    def __init__(
        self, around: Surroundings, listener: socket.socket, arrival: Arrival, request: Request
    ) -> None:
        self.arrival = arrival
        self.peer = arrival.peer
        self.request = request
        self.replaced = False
        self._around = around
        self._listener = listener
        self._trail = Trail(str(arrival.client), "tftp", request.name, time.time(), time.monotonic())
        self._sender: Sender | None = None
        self._accepted = Accepted()
        self._content: Content | None = None
        self._feed: _Feed | None = None
        self._strangers = 0

    @property
    def confirmed(self) -> bool:
        """Whether the peer has acknowledged anything."""
        return self._sender is not None and self._sender.confirmed

    def run(self, held: AbstractContextManager[object]) -> None:
        """Find the file and send it; `held` is entered while clusters are waited for."""
        result, detail = Result.FAULT, ""
        try:
            result, detail = self._answer(held)
        except gevent.GreenletExit:
            result = Result.REPLACED if self.replaced else Result.BROKEN_OFF
            detail = "" if self.replaced else "stopped"
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one request
            self._around.fault(error)
        finally:
            if self._content is not None:
                self._content.close()
            if self._sender is not None:
                self._around.counters.duplicate_acks += self._sender.tally.duplicates
                self._around.counters.strays += self._sender.tally.strays
            self._around.ended(self._record(result, detail))

    def _answer(self, held: AbstractContextManager[object]) -> tuple[Result, str]:
        try:
            asker = Asker(self.arrival.client)
            self._content = self._around.lookup.open(read(self.request.name), asker, self._trail, held)
        except BadName as fault:
            self._refuse(_BAD_NAME[fault.fault])
            return Result.REFUSED, str(fault)
        except NoSuchFile:
            self._refuse(ErrorCode.NOT_FOUND)
            return Result.NOT_FOUND, ""
        except NotKnown as fault:
            if self._around.unavailable is Unavailable.ERROR:
                self._refuse(ErrorCode.UNDEFINED)
            return Result.UNAVAILABLE, str(fault)
        try:
            wire = datagrams.open_tid(self.arrival.local, self.arrival.ifindex, self._around.settings.dscp)
        except OSError as fault:
            self._refuse(ErrorCode.UNDEFINED)
            return Result.BUSY, f"no socket: {fault.strerror}"
        with wire:
            return self._send(wire, self._content)

    def _send(self, wire: socket.socket, content: Content) -> tuple[Result, str]:
        netascii = self.request.mode is Mode.NETASCII
        size = None if netascii else content.size
        self._accepted = accept(self.request.options, self._limits(wire), size)
        settings = self._around.settings
        blocks = BlockBuffer(self._accepted.blksize)
        timing = Timing(timeout=settings.timeout, retries=settings.retries)
        self._sender = sender = Sender(blocks, self._accepted, timing)
        self._feed = feed = _Feed(content, blocks, Encoder() if netascii else None)
        try:
            if not self._accepted.oack:
                feed.more()  # the first datagram is a block: it must be there
            self._out(wire, sender.start(time.monotonic()))
            while sender.outcome is None:
                while sender.starved and sender.outcome is None:
                    feed.more()
                    self._out(wire, sender.resume(time.monotonic()))
                self._step(wire, sender)
        except Broken as fault:
            self._out(wire, sender.abort(ErrorCode.UNDEFINED, TEXTS[ErrorCode.UNDEFINED]))
            return Result.BROKEN_OFF, str(fault)
        except _PeerGone as gone:
            self._around.counters.peers_gone += 1
            return Result.PEER_GONE, str(gone)
        outcome = sender.outcome
        detail = "" if outcome.end is End.COMPLETE else outcome.end.value
        if outcome.end is End.PEER_ERROR:
            detail = f"error {outcome.code}: {printable(outcome.text, 80)}"
        return _RESULTS[outcome.end], detail

    def _step(self, wire: socket.socket, sender: Sender) -> None:
        """Wait for one datagram of the peer, or for the deadline."""
        now = time.monotonic()
        deadline = sender.deadline
        if sender.outcome is not None or deadline is None:
            return
        if deadline <= now:
            self._out(wire, sender.tick(now))
            return
        wire.settimeout(deadline - now)
        try:
            datagram, source = wire.recvfrom(datagrams.DATAGRAM_MAX)
        except TimeoutError:
            return
        except OSError:
            self._heed_network(wire)
            return
        if source[:2] != self.peer[:2]:
            self._stranger(wire, datagram, source)
            return
        self._out(wire, sender.receive(datagram, time.monotonic()))

    def _stranger(self, wire: socket.socket, datagram: bytes, source: SocketAddress) -> None:
        """A wrong TID is told so and the transfer goes on (RFC 1350 section 4); never for an ERROR."""
        self._around.counters.strays += 1
        self._strangers += 1
        if self._strangers <= STRANGERS_MAX and datagram[:2] != b"\0\5":
            self._send_one(wire, error(ErrorCode.UNKNOWN_TID), source)

    def _out(self, wire: socket.socket, packets: list[bytes]) -> None:
        for packet in packets:
            self._send_one(wire, packet, self.peer)

    def _send_one(self, wire: socket.socket, packet: bytes, to: SocketAddress) -> None:
        try:
            wire.sendto(packet, to)
        except OSError:
            # A full buffer or a firewall: as if lost on the way. Or about an earlier datagram:
            self._heed_network(wire)

    def _heed_network(self, wire: socket.socket) -> None:
        """After an error of the socket: whose port is closed? The queue of such messages is emptied,
        else the socket would seem readable for ever."""
        if self.peer[:2] in datagrams.closed_ports(wire):
            raise _PeerGone("its port is closed")

    def _refuse(self, code: ErrorCode) -> None:
        """Answer with an ERROR and nothing else, from the listening socket."""
        arrival = Arrival(b"", self.peer, self.arrival.local, self.arrival.ifindex, True)
        try:
            datagrams.reply(self._listener, arrival, error(code))
        except OSError:
            pass  # as if lost on the way: the client asks again

    def _limits(self, wire: socket.socket) -> Limits:
        settings = self._around.settings
        blksize = settings.blksize_max
        if settings.mtu_clamp:
            try:
                mtu = datagrams.mtu(wire, self.arrival.ifindex)
            except OSError:
                mtu = 1500  # the interface went while we looked
            blksize = min(blksize, mtu_blksize(mtu, self.arrival.local.version == 6))
        return Limits(blksize, settings.windowsize_max)

    def _record(self, result: Result, detail: str) -> Record:
        sent = retransmits = 0
        if self._sender is not None and self._feed is not None:
            sent = min(self._sender.acknowledged * self._accepted.blksize, self._feed.offset)
            retransmits = self._sender.tally.retransmits
        options = dict(self._accepted.oack)
        return self._trail.record(time.monotonic(), result, detail, sent, retransmits, options)


class _PeerGone(Exception):
    """The network says that nobody listens at the peer's port."""


class _Feed:
    """Moves the content's bytes into blocks, a piece at a time."""

    def __init__(self, content: Content, blocks: BlockBuffer, encoder: Encoder | None) -> None:
        self._content = content
        self._blocks = blocks
        self._encoder = encoder
        self.offset = 0

    def more(self) -> None:
        """At least one more byte, or the end. `Broken`."""
        piece = self._content.read(self.offset, PIECE)
        if not piece:
            self._blocks.finish()
            return
        self.offset += len(piece)
        self._blocks.feed(self._encoder.feed(piece) if self._encoder else piece)
