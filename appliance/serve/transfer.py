"""One TFTP request, from its arrival to its record: a greenlet each."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import gevent
from gevent.hub import Waiter

from appliance.cluster.body import Broken
from appliance.cluster.names import BadName, Fault, read
from appliance.config.model import Unavailable
from appliance.report.record import Record, Result, Trail
from appliance.serve import datagrams
from appliance.serve.content import Content
from appliance.serve.datagrams import Arrival
from appliance.serve.lookup import Asker, NoSuchFile, NotKnown
from appliance.serve.surroundings import Surroundings
from appliance.serve.tids import Tid
from appliance.tftp.blocks import BlockBuffer
from appliance.tftp.netascii import Encoder
from appliance.tftp.options import BLKSIZE, Accepted, Limits, accept, mtu_blksize
from appliance.tftp.packet import Error, ErrorCode, Mode, Request, encode
from appliance.tftp.sender import End, Sender

PIECE = 32 * 1024  # bytes read ahead of the peer

# What a client is told: fixed texts, nothing of our folders (RFC 1350 section 5, ERROR).
TEXTS = {
    ErrorCode.UNDEFINED: "not available now",
    ErrorCode.NOT_FOUND: "file not found",
    ErrorCode.ACCESS: "access violation",
    ErrorCode.ILLEGAL: "illegal TFTP operation",
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
        self,
        around: Surroundings,
        listener: socket.socket,
        arrival: Arrival,
        request: Request,
        confirmed: Callable[[Transfer], None],
    ) -> None:
        """`confirmed` is called when the peer has first acknowledged anything: it is no forged address."""
        self.arrival = arrival
        self.peer = arrival.peer
        self.request = request
        self.replaced = False
        self.begun = False
        self._confirmed: Callable[[Transfer], None] | None = confirmed
        self._around = around
        self._listener = listener
        self._client = arrival.client
        self._trail = Trail(str(self._client), "tftp", request.name, time.time(), time.monotonic())
        self._sender: Sender | None = None
        self._tid: Tid | None = None
        self._waiter: Any = None
        self._gone = False  # the peer's port is closed
        self._accepted = Accepted()
        self._content: Content | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing is left to be sent."""
        return self._gone or (self._sender is not None and self._sender.outcome is not None)

    def is_repeated_by(self, request: Request) -> bool:
        """Whether a request from the peer's own port asks for what is under way.

        Not when the transfer has come to its end, by what has just arrived; and not when the peer has
        left our repetitions unanswered: then it has lost track, or was started anew.
        """
        if self._tid is not None:
            self._tid.settle()
        unanswered = self._sender is not None and self._sender.confirmed and self._sender.unanswered
        return request == self.request and not self.ended and not unanswered

    def run(self, held: AbstractContextManager[object]) -> None:
        """Find the file and send it; `held` is entered while clusters are waited for."""
        self.begun = True
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
            name, asker = read(self.request.name), Asker(self._client)
            self._content = self._around.lookup.open(name, asker, self._trail, held)
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
        local, ifindex = self.arrival.local, self.arrival.ifindex
        try:
            tid = self._around.tids.take(local, ifindex, self.peer)
        except OSError as fault:
            self._refuse(ErrorCode.UNDEFINED)
            return Result.BUSY, f"no socket: {fault.strerror}"
        try:
            return self._send(tid, self._content)
        finally:
            self._tid = None
            self._around.deadlines.remove(self)
            self._around.tids.give(tid, local, ifindex)

    def _send(self, tid: Tid, content: Content) -> tuple[Result, str]:
        netascii = self.request.mode is Mode.NETASCII
        self._accepted = accept(self.request.options, self._limits(tid), None if netascii else content.size)
        feed = _Feed(content, self._accepted.blksize, Encoder() if netascii else None)
        # Only in the blocks that phones take: one cut for each size that anybody asks for would fill memory.
        usual = self._accepted.blksize == BLKSIZE and not netascii
        whole = content.whole() if usual else None
        blocks = feed.blocks if whole is None else self._around.cuts.of(whole)
        self._sender = sender = Sender(blocks, self._accepted, self._around.timing)
        try:
            if not self._accepted.oack and whole is None:
                feed.more()  # the first datagram is a block: it must be there
            self._tid, tid.heard = tid, self._heard
            self._around.deadlines.add(self)
            tid.send(sender.start(time.monotonic()))
            while not self.ended:
                if sender.starved:
                    feed.more()
                    tid.send(sender.resume(time.monotonic()))
                else:
                    self._rest()
        except Broken as fault:
            tid.send(sender.abort(ErrorCode.UNDEFINED, TEXTS[ErrorCode.UNDEFINED]))
            return Result.BROKEN_OFF, str(fault)
        except gevent.GreenletExit:
            if sender.confirmed and not self.replaced:
                tid.send(sender.abort(ErrorCode.UNDEFINED, TEXTS[ErrorCode.UNDEFINED]))
            raise
        outcome = sender.outcome
        if outcome is None:
            self._around.counters.peers_gone += 1
            return Result.PEER_GONE, "its port is closed"
        detail = "" if outcome.end is End.COMPLETE else outcome.end.value
        if outcome.end is End.PEER_ERROR:
            detail = f"error {outcome.code}: {outcome.text[:80]}"
        return _RESULTS[outcome.end], detail

    def _heard(self, datagram: bytes | None) -> None:
        """In the loop: answer a datagram of the peer; wake the greenlet when there is more to do."""
        sender, tid = self._sender, self._tid
        if sender is None or tid is None:
            return
        if datagram is None:
            self._gone = True
            self._wake()
            return
        try:
            packets = sender.receive(datagram, time.monotonic())
        except Exception as error:  # noqa: BLE001  a mistake of ours costs this transfer
            self._around.fault(error)
            packets = sender.abort(ErrorCode.UNDEFINED, TEXTS[ErrorCode.UNDEFINED])
        if packets:
            tid.send(packets)
        if self._confirmed is not None and sender.confirmed:
            self._confirmed(self)
            self._confirmed = None
        if sender.starved or sender.outcome is not None:
            self._wake()

    @property
    def deadline(self) -> float | None:
        """When `due` is to be called though nothing was heard."""
        return self._sender.deadline if self._sender is not None else None

    def due(self) -> None:
        """In the loop: send again, or give up. The greenlet may be waiting for a cluster meanwhile."""
        if self._sender is not None and self._tid is not None:
            self._tid.send(self._sender.tick(time.monotonic()))
            if self._sender.outcome is not None:
                self._wake()

    def _wake(self) -> None:
        """Let the greenlet go on, if it waits for that."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.switch(None)

    def _rest(self) -> None:
        """Wait until there is something to do."""
        self._waiter = Waiter()
        try:
            self._waiter.get()
        finally:
            self._waiter = None

    def _refuse(self, code: ErrorCode) -> None:
        """Answer with an ERROR and nothing else, from the listening socket."""
        arrival = Arrival(b"", self.peer, self.arrival.local, self.arrival.ifindex, True)
        try:
            datagrams.reply(self._listener, arrival, error(code))
        except OSError:
            pass  # as if lost on the way: the client asks again

    def _limits(self, tid: Tid) -> Limits:
        settings = self._around.settings
        blksize = settings.blksize_max
        if settings.mtu_clamp and self.request.options:
            try:
                mtu = datagrams.mtu(tid.wire, self.arrival.ifindex)
            except OSError:
                mtu = 1500  # the interface went while we looked
            blksize = min(blksize, mtu_blksize(mtu, self.arrival.local.version == 6))
        return Limits(blksize, settings.windowsize_max)

    def _record(self, result: Result, detail: str) -> Record:
        sent = retransmits = 0
        if self._sender is not None:
            sent = self._sender.acknowledged_bytes
            retransmits = self._sender.tally.retransmits
        options = dict(self._accepted.oack)
        return self._trail.record(time.monotonic(), result, detail, sent, retransmits, options)


class _Feed:
    """Moves the content's bytes into blocks, a piece at a time."""

    def __init__(self, content: Content, blksize: int, encoder: Encoder | None) -> None:
        self.blocks = BlockBuffer(blksize)
        self._content = content
        self._encoder = encoder
        self._offset = 0

    def more(self) -> None:
        """At least one more byte, or the end. `Broken`."""
        piece = self._content.read(self._offset, PIECE)
        if not piece:
            self.blocks.finish()
            return
        self._offset += len(piece)
        self.blocks.feed(self._encoder.feed(piece) if self._encoder else piece)
