"""The TFTP listener: decides which datagrams are requests, and which of these start a transfer."""

from __future__ import annotations

import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent

from appliance.config.model import IPAddress, IPNetwork
from appliance.network.sockaddr import SocketAddress
from appliance.report.counters import Counters
from appliance.report.record import Result, Trail
from appliance.serve import datagrams
from appliance.serve.datagrams import Arrival
from appliance.serve.log import Log
from appliance.serve.surroundings import Surroundings
from appliance.serve.transfer import Transfer, error
from appliance.tftp.packet import ErrorCode, Malformed, Request, decode_request, is_request

UNCONFIRMED_MAX = 512
"""Transfers of one address whose peer has acknowledged nothing yet: the oldest gives way."""
BATCH = 64  # datagrams taken before others get a turn

TransferKey = tuple[SocketAddress, IPAddress]
HeldKey = tuple[SocketAddress, IPAddress, bytes]


class Transfers:
    """The transfers that run, of all listeners; bounded in all and for each client."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._running: dict[TransferKey, tuple[Transfer, gevent.Greenlet[..., None]]] = {}
        self._held: dict[HeldKey, Transfer] = {}
        self._clients: Counter[str] = Counter()
        self._unconfirmed: dict[str, OrderedDict[TransferKey, None]] = {}  # by client, the oldest first
        self._doubtful: OrderedDict[TransferKey, None] = OrderedDict()  # the same of all clients

    def __len__(self) -> int:
        return len(self._running)

    def request(self, listener: socket.socket, arrival: Arrival, request: Request) -> None:
        """Start a transfer, unless this is a repetition or there is no place for one more."""
        key = _key(arrival)
        running = self._running.get(key)
        if running is not None:
            transfer = running[0]
            if transfer.is_repeated_by(request):
                self._around.counters.repetitions += 1
                return
            # It is over, or the peer has given it up: a phone that asks on from the same port.
            transfer.replaced = not transfer.ended
            self._end(transfer)
        held = self._held.get(_held_key(arrival, request))
        if held is not None:
            self._around.counters.repetitions += 1
            held.request = request
            self._move(held, arrival)
            return
        if not self._make_room(arrival):
            self.record(arrival, request, Result.BUSY, "no place for one more transfer")
            datagrams.reply(listener, arrival, error(ErrorCode.UNDEFINED, "busy"))
            return
        transfer = Transfer(self._around, listener, arrival, request, self._confirmed)
        greenlet = gevent.spawn(self._run, transfer)
        self._running[key] = transfer, greenlet
        self._clients[arrival.peer[0]] += 1
        self._doubt(transfer)

    def record(self, arrival: Arrival, request: Request, result: Result, detail: str) -> None:
        """Leave the record of a request that was refused at the door."""
        now = time.monotonic()
        trail = Trail(str(arrival.client), "tftp", request.name, time.time(), now)
        self._around.ended(trail.record(now, result, detail))

    def ending(self) -> list[gevent.Greenlet[..., None]]:
        """Those that run."""
        return [greenlet for _, greenlet in self._running.values()]

    def stop(self) -> None:
        """End those that still run; their peers are told."""
        gevent.killall(self.ending())

    def _end(self, transfer: Transfer) -> None:
        """Stop a transfer, and count it no longer even if its greenlet has not begun to run."""
        running = self._running.get(_peer_key(transfer))
        if running is not None and running[0] is transfer and not transfer.ended:
            running[1].kill(block=False)
            if not transfer.begun:
                self.record(transfer.arrival, transfer.request, Result.REPLACED, "before its turn came")
        self._forget(transfer)

    def _run(self, transfer: Transfer) -> None:
        try:
            transfer.run(self._holding(transfer))
        finally:
            self._forget(transfer)

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
        entry = self._running.pop(_peer_key(held))
        self._confirmed(held)
        held.peer = arrival.peer
        self._running[_peer_key(held)] = entry
        self._doubt(held)

    def _make_room(self, arrival: Arrival) -> bool:
        settings = self._around.settings
        client = arrival.peer[0]
        unconfirmed = self._unconfirmed.get(client)
        if unconfirmed is not None and len(unconfirmed) >= UNCONFIRMED_MAX:
            self._give_way(next(iter(unconfirmed)))
        if self._clients[client] >= settings.transfers_per_client_max:
            return False
        if len(self._running) >= settings.transfers_max and self._doubtful:
            self._give_way(next(iter(self._doubtful)))
        return len(self._running) < settings.transfers_max

    def _give_way(self, key: TransferKey) -> None:
        """End the oldest of those that may be forged, for one that may not be."""
        self._around.counters.drop("gave way: its peer had acknowledged nothing")
        self._end(self._running[key][0])

    def _doubt(self, transfer: Transfer) -> None:
        """Its peer has acknowledged nothing yet: the address may be a forged one."""
        key = _peer_key(transfer)
        self._unconfirmed.setdefault(transfer.peer[0], OrderedDict())[key] = None
        self._doubtful[key] = None

    def _confirmed(self, transfer: Transfer) -> None:
        """It counts no longer among those that give way."""
        client = transfer.peer[0]
        unconfirmed = self._unconfirmed.get(client, OrderedDict())
        unconfirmed.pop(_peer_key(transfer), None)
        self._doubtful.pop(_peer_key(transfer), None)
        if not unconfirmed:
            self._unconfirmed.pop(client, None)

    def _forget(self, transfer: Transfer) -> None:
        key = _peer_key(transfer)
        if self._running.get(key, (None, None))[0] is transfer:
            del self._running[key]
            self._confirmed(transfer)
            client = transfer.peer[0]
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]
        self._hold_no_longer(transfer)


class TftpListener:
    """One listening socket."""

    def __init__(
        self,
        wire: socket.socket,
        transfers: Transfers,
        allow: tuple[IPNetwork, ...],
        counters: Counters,
        log: Log,
    ) -> None:
        self._wire = wire
        self._transfers = transfers
        self._allow = allow
        self._counters = counters
        self._log = log
        self._watcher: Any = gevent.get_hub().loop.io(wire.fileno(), 1)
        self._watcher.start(self._readable)

    def close(self) -> None:
        """Hear no more requests. Answers of running transfers still go out by this socket."""
        self._watcher.stop()
        self._watcher.close()

    def _readable(self) -> None:
        """In the loop: the one boundary of what strangers send. Nothing of it raises further."""
        for _ in range(BATCH):
            try:
                arrival = datagrams.receive(self._wire)
                if arrival is not None:
                    self._take(arrival)
            except BlockingIOError:
                return
            except OSError as fault:
                # About an earlier answer, no memory, a firewall: none of it is the next one's matter.
                self._counters.drop(f"socket: {fault.strerror}")
            except Exception as fault:  # noqa: BLE001  a mistake of ours costs one request, not the service
                self._log.fault(fault)

    def _take(self, arrival: Arrival) -> None:
        if not is_request(arrival.datagram):
            self._counters.drop("no request")
            return
        if not arrival.unicast or arrival.peer[1] == 0:
            # RFC 1123 section 4.2.3.4: no answer to what was sent to everybody.
            self._counters.drop("not sent to this address alone")
            return
        allowed = not self._allow or any(arrival.client in network for network in self._allow)
        if not allowed:
            self._counters.drop("not of an allowed network")
        self._counters.requests_tftp += 1
        try:
            request = decode_request(arrival.datagram)
        except Malformed as fault:
            if allowed:
                self._counters.drop(f"malformed request: {fault}")
                datagrams.reply(self._wire, arrival, error(ErrorCode.ILLEGAL))
            return
        if not allowed:
            self._transfers.record(arrival, request, Result.REFUSED, "not of an allowed network")
            return
        if request.write:
            self._transfers.record(arrival, request, Result.REFUSED, "write request")
            datagrams.reply(self._wire, arrival, error(ErrorCode.ACCESS))
            return
        self._transfers.request(self._wire, arrival, request)


def _key(arrival: Arrival) -> TransferKey:
    return arrival.peer, arrival.local


def _peer_key(transfer: Transfer) -> TransferKey:
    return transfer.peer, transfer.arrival.local


def _held_key(arrival: Arrival, request: Request) -> HeldKey:
    return (arrival.peer[0], *arrival.peer[2:]), arrival.local, request.name
