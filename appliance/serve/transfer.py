"""One TFTP request whose answer is a file, from its arrival to its record.

Nothing of it waits but looking for the file and reading what is not in memory: these have a greenlet.
The rest runs in the loop. The usual ACK is the lane's matter; what else the peer sends, and what it
leaves out, is decided by a `Sender`, which is made when there is something to decide.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import gevent

from appliance.cluster.body import Broken
from appliance.cluster.names import Name
from appliance.config.model import Unavailable
from appliance.report.record import Result, Trail
from appliance.serve import datagrams
from appliance.serve.answers import error
from appliance.serve.content import Content
from appliance.serve.datagrams import Arrival
from appliance.serve.feed import Feed
from appliance.serve.lookup import Asker, NoSuchFile, NotKnown
from appliance.serve.pump import reply
from appliance.serve.surroundings import Surroundings
from appliance.serve.tids import Tid
from appliance.serve.told import DATAGRAM, DONE, GONE, HUNGRY
from appliance.tftp.options import NOTHING, Limits, accept, mtu_blksize
from appliance.tftp.packet import ErrorCode, Mode, Request
from appliance.tftp.sender import End, Outcome, Sender

SETTLE_MAX = 64  # datagrams

_RESULTS = {
    End.COMPLETE: Result.SERVED,
    End.UNACKNOWLEDGED_END: Result.SERVED,
    End.PROBE: Result.PROBE,
    End.PEER_ERROR: Result.PEER_GONE,
    End.SILENT: Result.PEER_GONE,
    End.ABORTED: Result.BROKEN_OFF,
}


class Transfer:
    """A request that is being answered. `peer` may change until the first datagram is sent."""

    __slots__ = (
        "_accepted",
        "_around",
        "_content",
        "_ended",
        "_feed",
        "_greenlet",
        "_listener",
        "_sender",
        "_tid",
        "_trail",
        "arrival",
        "over",
        "peer",
        "request",
    )

    def __init__(
        self,
        around: Surroundings,
        listener: socket.socket,
        arrival: Arrival,
        request: Request,
        trail: Trail,
        ended: Callable[[Transfer], None],
    ) -> None:
        """`ended` is called once, when nothing is left to be done."""
        self.arrival = arrival
        self.peer = arrival.peer
        self.request = request
        self.over = False
        self._around = around
        self._listener = listener
        self._trail = trail
        self._ended = ended
        self._accepted = NOTHING
        self._sender: Sender | None = None
        self._tid: Tid | None = None
        self._content: Content | None = None
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._feed: Feed | None = None

    @property
    def confirmed(self) -> bool:
        """Whether the peer has acknowledged anything: its address is not a forged one."""
        if self._tid is not None and self._tid.lane.base > 0:
            return True
        return self._sender is not None and self._sender.confirmed

    def is_repeated_by(self, request: Request) -> bool:
        """Whether a request from the peer's own port asks for what is under way.

        Not when the transfer has come to its end, by what has just arrived; and not when the peer has
        left our repetitions unanswered: then it has lost track, or was started anew.
        """
        self._settle()
        if self.over or request != self.request:
            return False
        if self._sender is None:
            return True
        sender = self._caught_up()
        return not (sender.confirmed and sender.unanswered)

    def look_for(self, name: Name, held: AbstractContextManager[object]) -> None:
        """Find the file and send it; `held` is entered while clusters are waited for."""
        self._greenlet = gevent.spawn(self._look_for, name, held)

    def answer(self, content: Content) -> None:
        """Send the file. Never waits, and never raises."""
        self._content = content
        try:
            self._begin(content)
        except Exception as fault:  # noqa: BLE001  a mistake of ours costs this transfer
            self._fail(fault)

    def told(self, kind: int, datagram: bytes | None) -> None:
        """In the loop: see `serve.told`. The one boundary of what peers send: nothing raises further."""
        if self._tid is None:
            return
        try:
            if kind == DONE:
                self.end(Result.SERVED, "")
            elif kind == HUNGRY:
                self._read_on()
            elif kind == GONE:
                self._gone()
            elif kind == DATAGRAM and datagram is not None:
                self._act(self._caught_up().receive(datagram, time.monotonic()))
        except Exception as fault:  # noqa: BLE001  a mistake of ours costs this transfer
            self._fail(fault)

    def overdue(self) -> None:
        """In the loop: send again, or give up. A greenlet may be waiting for more of the file meanwhile."""
        if self._tid is None:
            return
        try:
            self._act(self._caught_up().tick(time.monotonic()))
        except Exception as fault:  # noqa: BLE001  a mistake of ours costs this transfer
            self._fail(fault)

    def stop(self, result: Result, detail: str) -> None:
        """End it from our side; a peer that is known to be there is told."""
        if self._tid is not None and self.confirmed:
            self._tid.lane.send([error(ErrorCode.UNDEFINED)])
        self.end(result, detail)

    def end(self, result: Result, detail: str) -> None:
        """Let go of everything, and leave the record. Once; and nothing is sent from then on."""
        if self.over:
            return
        self.over = True
        sent, retransmits = self._sent(), 0
        if self._sender is not None:
            tally = self._sender.tally
            retransmits = tally.retransmits
            self._around.counters.duplicate_acks += tally.duplicates
            self._around.counters.strays += tally.strays
        if self._feed is not None:
            self._feed.stop()
        if self._tid is not None:
            tid, self._tid = self._tid, None
            self._around.tids.give(tid)
        if self._content is not None:
            self._content.close()
        if self._greenlet is not None and self._greenlet is not gevent.getcurrent():
            self._greenlet.kill(block=False)
        self._ended(self)
        options = dict(self._accepted.oack) if self._accepted.oack else None
        now = time.monotonic()
        self._around.ended(self._trail.record(now, result, detail, sent, retransmits, options))

    def _begin(self, content: Content) -> None:
        local, ifindex = self.arrival.local, self.arrival.ifindex
        try:
            self._tid = tid = self._around.tids.take(local, ifindex, self.peer)
        except OSError as fault:
            self._refuse(ErrorCode.UNDEFINED)
            self.end(Result.BUSY, f"no socket: {fault.strerror}")
            return
        if self.request.options:
            netascii = self.request.mode is Mode.NETASCII
            self._accepted = accept(
                self.request.options, self._limits(tid), None if netascii else content.size
            )
        accepted = self._accepted
        self._feed = feed = Feed(content, tid.lane, accepted, self.request.mode)
        first = self._around.timing.agreed(accepted.timeout).first
        tid.lane.lend(self, accepted.blksize, accepted.windowsize, feed.low, first)
        at_once = feed.all_at_once()
        if accepted.oack:
            self._act(self._caught_up().start(time.monotonic()))
            return
        tid.lane.arm(0, 0, math.inf)
        if not at_once:
            self._read_on()  # the first datagram is a block: it must be there
        else:
            self._fill()

    def _look_for(self, name: Name, held: AbstractContextManager[object]) -> None:
        try:
            content = self._around.lookup.open(name, Asker(self.arrival.client), self._trail, held)
            self._greenlet = None
            self.answer(content)
        except NoSuchFile:
            self._refuse(ErrorCode.NOT_FOUND)
            self.end(Result.NOT_FOUND, "")
        except NotKnown as unknown:
            if self._around.unavailable is Unavailable.ERROR:
                self._refuse(ErrorCode.UNDEFINED)
            self.end(Result.UNAVAILABLE, str(unknown))
        except Exception as fault:  # noqa: BLE001  a mistake of ours costs one request
            self._fail(fault)

    def _read_on(self) -> None:
        """More of the file is wanted; a greenlet brings what has to be waited for."""
        feed, scratch = self._feed, self._around.tids.scratch
        while self._greenlet is None and feed is not None and feed.wanted(self.confirmed):
            if feed.take_cached(self.confirmed, scratch):
                self._fill()
            else:
                self._greenlet = gevent.spawn(self._read, feed)

    def _read(self, feed: Feed) -> None:
        try:
            while feed.wanted(self.confirmed):
                feed.read(self.confirmed)
                self._fill()
        except Broken as broken:
            if self._tid is not None:
                self._tid.lane.send([error(ErrorCode.UNDEFINED)])
            self.end(Result.BROKEN_OFF, str(broken))
        except Exception as fault:  # noqa: BLE001  a mistake of ours costs this transfer
            self._fail(fault)
        finally:
            self._greenlet = None

    def _fill(self) -> None:
        """Send what has just come, as far as the window goes."""
        if self._tid is not None and not self._tid.lane.fill(time.monotonic()):
            self._gone()

    def _caught_up(self) -> Sender:
        """The sender, as if it had decided all that the lane has done."""
        assert self._tid is not None
        lane = self._tid.lane
        if self._sender is None:
            self._sender = Sender(lane, self._accepted, self._around.timing)
        if not self._sender.offering:
            self._sender.catch_up(lane.base, lane.top, lane.sent)
        return self._sender

    def _act(self, packets: list[bytes]) -> None:
        """Do what the sender has decided, and let the lane go on from there."""
        assert self._tid is not None
        assert self._sender is not None
        lane, sender = self._tid.lane, self._sender
        if not lane.send(packets):
            self._gone()
        elif sender.outcome is not None:
            self._conclude(sender.outcome)
        elif sender.offering:
            lane.wait(_moment(sender.deadline))
        else:
            lane.arm(sender.acknowledged, sender.top, _moment(sender.deadline))
            if lane.hungry:
                self._read_on()

    def _conclude(self, outcome: Outcome) -> None:
        detail = "" if outcome.end is End.COMPLETE else outcome.end.value
        if outcome.end is End.PEER_ERROR:
            detail = f"error {outcome.code}: {outcome.text[:80]}"
        self.end(_RESULTS[outcome.end], detail)

    def _gone(self) -> None:
        self._around.counters.peers_gone += 1
        self.end(Result.PEER_GONE, "its port is closed")

    def _fail(self, fault: Exception) -> None:
        self._around.fault(fault)
        self.stop(Result.FAULT, "")

    def _settle(self) -> None:
        """Take what has arrived and was not looked at yet."""
        for _ in range(SETTLE_MAX):
            told = self._tid.lane.hear(time.monotonic()) if self._tid is not None else None
            if told is None:
                return
            self.told(told[1], told[2])

    def _refuse(self, code: ErrorCode) -> None:
        """Answer with an ERROR and nothing else, from the listening socket."""
        answer = error(code), self.peer, self.arrival.local, self.arrival.ifindex
        reply(self._listener.fileno(), [answer])

    def _limits(self, tid: Tid) -> Limits:
        settings = self._around.settings
        blksize = settings.blksize_max
        if settings.mtu_clamp:
            try:
                mtu = datagrams.mtu(tid.wire, self.arrival.ifindex)
            except OSError:
                mtu = 1500  # the interface went while we looked
            blksize = min(blksize, mtu_blksize(mtu, len(self.arrival.local) == 16))
        return Limits(blksize, settings.windowsize_max)

    def _sent(self) -> int:
        """Bytes of the file, as on the wire, that the peer has acknowledged."""
        blocks = self._tid.lane.base if self._tid is not None else 0
        if self._sender is not None:
            blocks = max(blocks, self._sender.acknowledged)
        return min(blocks * self._accepted.blksize, self._feed.fed) if self._feed is not None else 0


def _moment(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline
