"""One file of one cluster on its way: asked for once, however many wait for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.queue import Empty, SimpleQueue

from appliance.cluster import upstream_http, upstream_tftp
from appliance.cluster.body import Body, Broken, Room
from appliance.cluster.decision import Answer, Failed, Found, Missing
from appliance.cluster.health import Health
from appliance.cluster.upstream import Absent, Opened, Refused, Target, Unreachable, Waiting
from appliance.config.model import Cluster, IPAddress, Protocol

STAGGER = 0.3
"""s of silence after which the next address is asked too; the earlier one may still answer."""
SILENCE = 1.0
"""s of waiting in vain after which an address counts as not answering."""
KEPT = 2.0
"""s for which a finished fetch serves those who ask for the same file (a phone's repetitions)."""


class Clients:
    """What asking takes: connections, the room for bodies, our mark, and each address's health.

    `fault` takes an exception that is a mistake of ours.
    """

    def __init__(self, room: Room, via: str, fault: Callable[[Exception], None]) -> None:
        self.fault = fault
        self.room = room
        self.connections = upstream_http.Connections()
        self.via = via
        self._health: dict[tuple[str, IPAddress], Health] = {}

    def health(self, cluster: Cluster, address: IPAddress) -> Health:
        """The health of one address of a cluster."""
        return self._health.setdefault((cluster.name, address), Health(cluster.protocol))

    def in_use(self, cluster: Cluster) -> list[IPAddress]:
        """The addresses of a cluster that may be asked, in order."""
        return [address for address in cluster.addresses if not self.health(cluster, address).out_of_use]

    def open(
        self, cluster: Cluster, address: IPAddress, protocol: Protocol, name: str, waiting: Waiting
    ) -> Opened:
        """Ask one address in one protocol; see `upstream`."""
        if protocol is Protocol.HTTP:
            target = Target(address, cluster.http_port)
            return upstream_http.open_file(self.connections, target, name, self.via, waiting)
        target = Target(address, cluster.tftp_port)
        return upstream_tftp.open_file(target, name, self.room.disk, waiting)

    def ask(self, cluster: Cluster, address: IPAddress, name: str) -> tuple[Answer, Opened | None]:
        """Ask one address in the protocols that are due; the answer, and the file where there is one."""
        health = self.health(cluster, address)
        faults: list[str] = []
        for protocol in health.protocols(time.monotonic()):
            started, waiting = time.monotonic(), Waiting()
            try:
                opened = self.open(cluster, address, protocol, name, waiting)
            except Absent:
                health.answered(protocol, started, time.monotonic())
                return Missing(str(address), protocol), None
            except Refused as fault:
                health.answered(protocol, started, time.monotonic())
                faults.append(str(fault))
            except Unreachable as fault:
                health.failed(protocol, str(fault), time.monotonic())
                faults.append(str(fault))
            except gevent.GreenletExit:
                # Nobody waits any more. That is no fault of an address that had hardly been asked, or
                # that says it is busy.
                now = time.monotonic()
                if waiting.since is not None and now - waiting.since >= SILENCE:
                    health.failed(protocol, f"no answer in {now - waiting.since:.1f} s", now)
                raise
            else:
                health.answered(protocol, started, time.monotonic())
                return Found(opened.size, str(address), protocol), opened
        return Failed(f"{address}: {', '.join(faults)}"), None


class Fetch:
    """A file asked of a cluster's addresses. `answer` is set once, with `answered`; then bytes follow."""

    def __init__(self, clients: Clients, cluster: Cluster, name: str, done: Callable[[Fetch], None]) -> None:
        self.cluster = cluster
        self.name = name
        self.answer: Answer | None = None
        self.answered = Event()
        self.took: float | None = None  # s until the answer
        self.body = Body(clients.room)
        self.users = 0
        self._clients = clients
        self._done = done
        self._decided = False
        self._started = time.monotonic()
        self._greenlet = gevent.spawn(self._run)

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to come."""
        return self._greenlet.dead

    def share(self) -> Fetch:
        """Itself, with one more user."""
        self.users += 1
        return self

    def stop(self) -> None:
        """Nobody waits any more."""
        self._greenlet.kill(block=False)

    def _run(self) -> None:
        opened: Opened | None = None
        try:
            answer, opened = self._race()
            self.took = time.monotonic() - self._started
            self.answer = answer
            self.answered.set()
            if opened is not None:
                self._receive(opened)
        finally:
            if opened is not None:
                opened.close()
            if not self.body.ended:
                self.body.fail("nobody waits for the file any more")
            if self.answer is None:
                self.answer = Failed("given up")
                self.answered.set()
            self._done(self)

    def _race(self) -> tuple[Answer, Opened | None]:
        """The first answer of any address; they start one after the other, each a little later."""
        waiting = deque(self._clients.in_use(self.cluster))
        results: SimpleQueue[tuple[Answer, Opened | None]] = SimpleQueue()
        running: list[gevent.Greenlet[..., None]] = []
        faults: list[str] = []
        awaited = len(waiting)
        try:
            while len(faults) < awaited:
                if waiting:
                    running.append(gevent.spawn(self._ask, waiting.popleft(), results))
                try:
                    answer, opened = results.get(timeout=STAGGER if waiting else None)
                except Empty:
                    continue
                if not isinstance(answer, Failed):
                    return answer, opened
                faults.append(answer.why)
            return Failed("; ".join(faults) or "no address in use"), None
        finally:
            self._decided = True
            gevent.killall(running, block=False)
            while not results.empty():
                late = results.get()[1]
                if late is not None:
                    late.close()

    def _ask(self, address: IPAddress, results: SimpleQueue[tuple[Answer, Opened | None]]) -> None:
        try:
            answer, opened = self._clients.ask(self.cluster, address, self.name)
        except Exception as error:  # noqa: BLE001  a mistake of ours is no answer, and must not look like waiting
            self._clients.fault(error)
            answer, opened = Failed(f"{address}: a fault of ours, see the log"), None
        if self._decided and opened is not None:
            opened.close()  # another address was faster, and the order to stop has not arrived here yet
        else:
            results.put((answer, opened))

    def _receive(self, opened: Opened) -> None:
        try:
            for count, piece in enumerate(opened.pieces()):
                self.body.write(piece)
                if count % 16 == 15:
                    gevent.sleep(0)  # a fast cluster must not keep the loop to itself
        except Broken as fault:
            self.body.fail(str(fault))
        else:
            self.body.finish()


class Fetches:
    """The fetches that run or have just ended, by cluster and name."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self._fetches: dict[tuple[str, str], Fetch] = {}

    def __len__(self) -> int:
        return len(self._fetches)

    def join(self, cluster: Cluster, name: str) -> Fetch:
        """The fetch of this file, a new one where none can be shared. `leave` it in the end."""
        fetch = self._fetches.get((cluster.name, name))
        if fetch is None:
            fetch = self._fetches[cluster.name, name] = Fetch(self.clients, cluster, name, self._finished)
        return fetch.share()

    def start(self, cluster: Cluster, name: str) -> Fetch:
        """A fetch that nobody else shares. `leave` it in the end."""
        return Fetch(self.clients, cluster, name, self._finished).share()

    def leave(self, fetch: Fetch) -> None:
        """One who joined does not need it any more. The last one ends it where it still runs."""
        fetch.users -= 1
        if fetch.users:
            return
        if not fetch.finished:
            self._retire(fetch)
            fetch.stop()
        elif not self._kept(fetch):
            fetch.body.close()

    @contextmanager
    def joined(self, clusters: list[Cluster], name: str) -> Iterator[list[Fetch]]:
        """The fetches of one name from several clusters, left at the end."""
        fetches = [self.join(cluster, name) for cluster in clusters]
        try:
            yield fetches
        finally:
            for fetch in fetches:
                self.leave(fetch)

    def forget(self, concerned: Callable[[str], bool]) -> int:
        """Share those of the concerned names no longer; transfers that run go on."""
        gone = [fetch for fetch in self._fetches.values() if concerned(fetch.name)]
        for fetch in gone:
            self._retire(fetch)
        return len(gone)

    def _finished(self, fetch: Fetch) -> None:
        whole = isinstance(fetch.answer, Found) and fetch.body.fault is None
        if (whole or isinstance(fetch.answer, Missing)) and self._kept(fetch):
            gevent.spawn_later(KEPT, self._retire, fetch)
        else:
            self._retire(fetch)
            if not fetch.users:
                fetch.body.close()

    def _kept(self, fetch: Fetch) -> bool:
        return self._fetches.get((fetch.cluster.name, fetch.name)) is fetch

    def _retire(self, fetch: Fetch) -> None:
        if self._kept(fetch):
            del self._fetches[fetch.cluster.name, fetch.name]
            if fetch.finished and not fetch.users:
                fetch.body.close()
