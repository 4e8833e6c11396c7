"""The TFTP listener: decides which datagrams are requests, and which of these start a transfer."""

from __future__ import annotations

import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.event import Event

from appliance.cluster.names import BadName, read
from appliance.network.sockaddr import SocketAddress
from appliance.report.counters import Counters
from appliance.report.record import Result, Trail
from appliance.serve.answers import BAD_NAME, BUSY, error
from appliance.serve.datagrams import Arrival
from appliance.serve.listening import ELSEWHERE
from appliance.serve.log import Log
from appliance.serve.lookup import Asker, NoSuchFile
from appliance.serve.pump import NAME, receive, reply
from appliance.serve.surroundings import Surroundings
from appliance.serve.transfer import Transfer
from appliance.tftp.packet import ErrorCode, Malformed, Request, decode_request, is_request

UNCONFIRMED_MAX = 512
"""Transfers of one address whose peer has acknowledged nothing yet: the oldest gives way."""

TransferKey = tuple[SocketAddress, bytes]
HeldKey = tuple[SocketAddress, bytes, bytes]


class Transfers:
    """The transfers that run, of all listeners; bounded in all and for each client."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        around.counters.pump = NAME
        self._running: dict[TransferKey, Transfer] = {}
        self._held: dict[HeldKey, Transfer] = {}
        self._clients: Counter[str] = Counter()
        self._unconfirmed: dict[str, OrderedDict[Transfer, None]] = {}  # by client, the oldest first
        self._doubtful: OrderedDict[Transfer, None] = OrderedDict()  # the same of all clients
        self._none = Event()
        self._none.set()

    def __len__(self) -> int:
        return len(self._running)

    def request(self, listener: socket.socket, arrival: Arrival, request: Request) -> bytes | None:
        """Start a transfer, unless this is a repetition; the ERROR to be sent where there will be none."""
        running = self._running.get((arrival.peer, arrival.local))
        if running is not None:
            if running.is_repeated_by(request):
                self._around.counters.repetitions += 1
                return None
            # The peer has given it up, unless it is over: a phone that asks on from the same port.
            running.end(Result.REPLACED, "")
        if self._held:
            held = self._held.get(_held_key(arrival, request))
            if held is not None:
                self._around.counters.repetitions += 1
                held.request = request
                self._move(held, arrival)
                return None
        return self._answer(listener, arrival, request)

    def passes(self, arrival: Arrival) -> bool:
        """Whether it has come in where requests may."""
        wanted = self._around.filter
        return wanted is None or wanted.passes(arrival.local, arrival.ifindex)

    def allowed(self, arrival: Arrival) -> bool:
        """Whether the client is one of those who are served at all."""
        allow = self._around.settings.allow
        return not allow or any(arrival.client in network for network in allow)

    def record(self, arrival: Arrival, request: Request, result: Result, detail: str) -> None:
        """Leave the record of a request that was refused at the door."""
        self._refused(_trail(arrival, request), result, detail)

    def ending(self) -> list[gevent.Greenlet[..., None]]:
        """What ends when none runs any more."""
        return [gevent.spawn(self._wait_for_none)]

    def stop(self) -> None:
        """End those that still run; their peers are told."""
        for transfer in list(self._running.values()):
            transfer.stop(Result.BROKEN_OFF, "stopped")

    def _wait_for_none(self) -> None:
        self._none.wait()

    def _answer(self, listener: socket.socket, arrival: Arrival, request: Request) -> bytes | None:
        trail = _trail(arrival, request)
        content = None
        try:
            name = read(request.name)
            content = self._around.lookup.at_once(name, Asker(arrival.client), trail)
        except NoSuchFile:
            self._refused(trail, Result.NOT_FOUND, "")
            return error(ErrorCode.NOT_FOUND)
        except BadName as bad:
            self._refused(trail, Result.REFUSED, str(bad))
            return error(BAD_NAME[bad.fault])
        if not self._make_room(arrival.peer[0]):
            if content is not None:
                content.close()
            self._refused(trail, Result.BUSY, "no place for one more transfer")
            return BUSY
        transfer = Transfer(self._around, listener, arrival, request, trail, self._forget)
        self._running[arrival.peer, arrival.local] = transfer
        self._clients[arrival.peer[0]] += 1
        self._none.clear()
        self._doubt(transfer)
        if content is not None:
            transfer.answer(content)
        else:
            transfer.look_for(name, self._holding(transfer))
        return None

    def _refused(self, trail: Trail, result: Result, detail: str) -> None:
        self._around.ended(trail.record(time.monotonic(), result, detail))

    @contextmanager
    def _holding(self, transfer: Transfer) -> Iterator[None]:
        self._held[_held_key(transfer.arrival, transfer.request)] = transfer
        try:
            yield
        finally:
            self._hold_no_longer(transfer)

    def _hold_no_longer(self, transfer: Transfer) -> None:
        key = _held_key(transfer.arrival, transfer.request)
        if self._held.get(key) is transfer:
            del self._held[key]

    def _move(self, held: Transfer, arrival: Arrival) -> None:
        """The phone has asked again from another port, and hears answers on that one alone."""
        del self._running[_peer_key(held)]
        self._trust(held)
        held.peer = arrival.peer
        self._running[_peer_key(held)] = held
        self._doubt(held)

    def _make_room(self, client: str) -> bool:
        settings = self._around.settings
        unconfirmed = self._unconfirmed.get(client)
        if unconfirmed is not None and len(unconfirmed) >= UNCONFIRMED_MAX:
            self._give_way(unconfirmed, UNCONFIRMED_MAX)
        if self._clients[client] >= settings.transfers_per_client_max:
            return False
        if len(self._running) >= settings.transfers_max:
            self._give_way(self._doubtful, 1)
        return len(self._running) < settings.transfers_max

    def _give_way(self, doubtful: OrderedDict[Transfer, None], most: int) -> None:
        """End the oldest of those that may be forged, for one that may not be, where there are `most`.

        That a peer has acknowledged something is only looked at here: it would cost each transfer.
        """
        while len(doubtful) >= most:
            oldest = next(iter(doubtful))
            self._trust(oldest)
            if not oldest.confirmed:
                self._around.counters.drop("gave way: its peer had acknowledged nothing")
                oldest.end(Result.BROKEN_OFF, "stopped")
                return

    def _doubt(self, transfer: Transfer) -> None:
        """Its peer has acknowledged nothing yet: the address may be a forged one."""
        client = transfer.peer[0]
        unconfirmed = self._unconfirmed.get(client)
        if unconfirmed is None:
            unconfirmed = self._unconfirmed[client] = OrderedDict()
        unconfirmed[transfer] = None
        self._doubtful[transfer] = None

    def _trust(self, transfer: Transfer) -> None:
        """It counts no longer among those that give way."""
        client = transfer.peer[0]
        self._doubtful.pop(transfer, None)
        unconfirmed = self._unconfirmed.get(client)
        if unconfirmed is not None:
            unconfirmed.pop(transfer, None)
            if not unconfirmed:
                del self._unconfirmed[client]

    def _forget(self, transfer: Transfer) -> None:
        """It is over."""
        del self._running[_peer_key(transfer)]
        self._trust(transfer)
        client = transfer.peer[0]
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]
        if self._held:
            self._hold_no_longer(transfer)
        if not self._running:
            self._none.set()


class TftpListener:
    """One listening socket."""

    def __init__(
        self,
        wire: socket.socket,
        transfers: Transfers,
        counters: Counters,
        log: Log,
    ) -> None:
        self._wire = wire
        self._transfers = transfers
        self._counters = counters
        self._log = log
        self._overflows = 0
        self._watcher: Any = gevent.get_hub().loop.io(wire.fileno(), 1)
        self._watcher.start(self._readable)

    def close(self) -> None:
        """Hear no more requests. Answers of running transfers still go out by this socket."""
        self._watcher.stop()
        self._watcher.close()

    def _readable(self) -> None:
        """In the loop: the one boundary of what strangers send. Nothing of it raises further."""
        try:
            arrived, overflows = receive(self._wire.fileno())
        except OSError as fault:
            # About an earlier answer, no memory, a firewall: none of it is the next one's matter.
            self._counters.drop(f"socket: {fault.strerror}")
            return
        if overflows:
            self._count_overflows(overflows)
        answers = []
        for each in arrived:
            if each is None:
                continue
            arrival = Arrival._make(each)
            try:
                answer = self._take(arrival)
            except OSError as fault:
                self._counters.drop(f"socket: {fault.strerror}")
            except Exception as fault:  # noqa: BLE001  a mistake of ours costs one request, not the service
                self._log.fault(fault)
            else:
                if answer is not None:
                    answers.append((answer, arrival.peer, arrival.local, arrival.ifindex))
        if answers:
            reply(self._wire.fileno(), answers)

    def _count_overflows(self, overflows: int) -> None:
        """The kernel tells a sum of 32 bits, with what it does take after it has dropped something."""
        self._counters.requests_overflowed += (overflows - self._overflows) & 0xFFFFFFFF
        self._overflows = overflows

    def _take(self, arrival: Arrival) -> bytes | None:
        """What is to be answered from this socket, and at once."""
        if not is_request(arrival.datagram):
            self._counters.drop("no request")
            return None
        if not arrival.unicast or arrival.peer[1] == 0:
            # RFC 1123 section 4.2.3.4: no answer to what was sent to everybody.
            self._counters.drop("not sent to this address alone")
            return None
        if not self._transfers.passes(arrival):
            self._counters.drop(ELSEWHERE)
            return None
        allowed = self._transfers.allowed(arrival)
        if not allowed:
            self._counters.drop("not of an allowed network")
        self._counters.requests_tftp += 1
        try:
            request = decode_request(arrival.datagram)
        except Malformed as fault:
            if not allowed:
                return None
            self._counters.drop(f"malformed request: {fault}")
            return error(ErrorCode.ILLEGAL)
        if not allowed:
            self._transfers.record(arrival, request, Result.REFUSED, "not of an allowed network")
            return None
        if request.write:
            self._transfers.record(arrival, request, Result.REFUSED, "write request")
            return error(ErrorCode.ACCESS)
        return self._transfers.request(self._wire, arrival, request)


def _trail(arrival: Arrival, request: Request) -> Trail:
    return Trail(arrival.who, "tftp", request.name, time.time(), time.monotonic())


def _peer_key(transfer: Transfer) -> TransferKey:
    return transfer.peer, transfer.arrival.local


def _held_key(arrival: Arrival, request: Request) -> HeldKey:
    return (arrival.peer[0], *arrival.peer[2:]), arrival.local, request.name
