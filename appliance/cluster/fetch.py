"""One file of one cluster on its way: asked for once, however many wait for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.hub import Waiter

from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.body import Body, Broken, Room, Stored
from appliance.cluster.clients import Clients as Clients
from appliance.cluster.clients import Outcome
from appliance.cluster.race import Race
from appliance.cluster.upstream import Opened, Recalled
from appliance.config.model import Cluster

KEPT = 2.0
"""s for which a finished fetch serves those who ask for the same file (a phone's repetitions)."""
CACHE = "cache"
"""What stands for the protocol of a file that was not asked for, being fresh."""


class Kept(Protocol):
    """Whole files that were fetched before."""

    def recall(self, cluster: str, name: str) -> Recalled | None:
        """What is kept of a file, by a look at memory alone."""

    def stale_age(self, cluster: str, name: str) -> float | None:
        """s since the cluster confirmed a file that may be served while it does not answer; else None."""

    def may_keep(self, cluster: str, name: str) -> bool:
        """Whether `keep` may keep a file of this name, by a look at memory alone."""

    def keep(self, cluster: str, name: str, found: Found, body: Body) -> None:
        """Keep a whole file, or not. May wait: nobody waits for it, and the body stays until then."""

    def lose(self, cluster: str, name: str) -> None:
        """Keep a file no longer: what was taken for whole is not."""

    def forget(self, concerned: Callable[[str], bool]) -> int:
        """Keep the concerned names no longer; how many there were."""

    def drop_cluster(self, cluster: str) -> int:
        """Keep nothing of a cluster; how many there were."""

    def give_way(self, taken: int) -> None:
        """Bodies on their way take `taken` bytes of `[cache] size` just now: what is kept has the rest."""


class Fetch:
    """A file asked of a cluster's addresses. `answer` is set once, with `answered`; then bytes follow."""

    def __init__(
        self,
        room: Room,
        cluster: Cluster,
        name: str,
        done: Callable[[Fetch], None],
    ) -> None:
        """`done` is called at the end of one that was started."""
        self.cluster = cluster
        self.name = name
        self.answer: Answer | None = None
        self.answered = Event()
        self.waiting: list[Callable[[None], None]] = []  # called in the loop when it has its answer
        self.took: float | None = None  # s until the answer
        self.body = Body(room)
        self.keepable = False  # from the cluster just now, and as `upstream.Opened.keepable`
        self.users = 0
        self.keep = 0.0  # s for which it is shared after its end
        self.taken = False  # somebody has joined who wants it for more than evidence
        self.timer: Any = None  # of the loop, for the end of sharing
        self.ended: float | None = None  # when there was nothing more to come
        self._done = done
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self, ask: Callable[[Fetch], Outcome]) -> Fetch:
        """Have the file asked for; itself."""
        self._greenlet = gevent.spawn(self._run, ask, time.monotonic())
        return self

    def settle(self, found: Found, stored: Stored) -> Fetch:
        """It need not be asked for: this is the file. Itself."""
        self.answer, self.took, self.ended = found, 0.0, time.monotonic()
        self.answered.set()
        self.body.adopt(stored)
        self.body.finish()
        return self

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to come."""
        return self._greenlet is None or self._greenlet.dead

    @property
    def whole(self) -> bool:
        """Whether the file has come, and to its end."""
        return isinstance(self.answer, Found) and self.body.ended and self.body.fault is None

    def share(self) -> Fetch:
        """Itself, with one more user."""
        self.users += 1
        return self

    def stop(self) -> None:
        """Nobody waits any more."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def stop_timer(self) -> None:
        """Share it for longer."""
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.stop()
            timer.close()

    def _run(self, ask: Callable[[Fetch], Outcome], started: float) -> None:
        opened: Opened | Stored | None = None
        try:
            answer, opened = ask(self)
            self.took = time.monotonic() - started
            self._answer(answer)
            if isinstance(opened, Stored):
                self.body.adopt(opened)
                self.body.finish()
            elif opened is not None:
                self.keepable = opened.keepable
                self._receive(opened)
        finally:
            if opened is not None:
                opened.close()
            if not self.body.ended:
                self.body.fail("nobody waits for the file any more")
            if self.answer is None:
                self._answer(Failed("given up"))
            self._done(self)

    def _answer(self, answer: Answer) -> None:
        self.answer = answer
        self.answered.set()
        loop = gevent.get_hub().loop
        for call in self.waiting:
            loop.run_callback(call, None)

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


def await_any(fetches: Sequence[Fetch], timeout: float) -> None:
    """Wait until one of them has its answer, at most for so many s."""
    if any(fetch.answer is not None for fetch in fetches):
        return
    waiter: Any = Waiter()
    timer: Any = gevent.get_hub().loop.timer(timeout)
    timer.start(waiter.switch, None)
    for fetch in fetches:
        fetch.waiting.append(waiter.switch)
    try:
        waiter.get()
    finally:
        timer.stop()
        timer.close()
        for fetch in fetches:
            fetch.waiting.remove(waiter.switch)


class Fetches:
    """The fetches that run or have just ended, by cluster and name. What is `kept` spares some of them."""

    def __init__(self, clients: Clients, kept: Kept | None = None) -> None:
        self.clients = clients
        self.kept = kept
        self._fetches: dict[tuple[str, str], Fetch] = {}
        self._idle: dict[Fetch, None] = {}  # ended, and kept for those who may come; oldest first
        clients.room.spare = self._spare
        if kept is not None:
            clients.room.taken = kept.give_way

    def __len__(self) -> int:
        return len(self._fetches)

    def join(self, cluster: Cluster, name: str, keep: float = 0.0) -> Fetch:
        """The fetch of this file, a new one where none can be shared. `leave` it in the end.

        A `keep` above `KEPT` is for a file that is fetched as evidence, beside another: it comes to its
        end though all have left, and is shared for `keep` s then, or until `KEPT` s after the first who
        joins without. It shares none that has ended more than `KEPT` s ago.
        """
        fetch = self._fetches.get((cluster.name, name))
        if fetch is not None and keep > KEPT and time.monotonic() - (fetch.ended or math.inf) > KEPT:
            self._retire(fetch)  # the evidence of an earlier boot shows nothing
            fetch = None
        if fetch is None:
            fetch = self._fetch(cluster, name).start(self._recall_or_ask)
            self._fetches[cluster.name, name] = fetch
        self._idle.pop(fetch, None)
        if keep > KEPT:
            fetch.keep = fetch.keep if fetch.taken else max(fetch.keep, keep)
        elif not fetch.taken:
            fetch.taken, fetch.keep = True, KEPT
            if fetch.finished:
                self._expire_in(fetch, KEPT)
        return fetch.share()

    def ready(self, cluster: Cluster, name: str) -> Fetch | None:
        """The fetch of this file, where it has its answer and all its bytes, by a look at memory alone;
        `join` gives it at once.
        """
        fetch = self._fetches.get((cluster.name, name))
        if fetch is None:
            return self._at_hand(cluster, name)
        if not fetch.finished or not (fetch.whole or isinstance(fetch.answer, Missing)):
            return None
        return fetch

    def start(self, cluster: Cluster, name: str) -> Fetch:
        """A fetch that nobody else shares, past what is kept. `leave` it in the end."""
        return self._fetch(cluster, name).start(self._ask).share()

    def stale(self, cluster: Cluster, name: str) -> Fetch | None:
        """What is kept of a file and may be served while its cluster does not answer, as a fetch that has
        its answer and is whole; None where nothing is. `leave` it in the end.
        """
        if self.stale_age(cluster, name) is None:
            return None
        found, opened = self._recall(cluster, name, fresh=False)
        if found is None or opened is None:
            return None
        return self._fetch(cluster, name).settle(found, opened).share()

    def stale_age(self, cluster: Cluster, name: str) -> float | None:
        """s since the cluster confirmed what `stale` would give, by a look at memory; None for nothing."""
        return None if self.kept is None else self.kept.stale_age(cluster.name, name)

    def leave(self, fetch: Fetch) -> None:
        """One who joined does not need it any more. The last one ends it where it still runs."""
        fetch.users -= 1
        if fetch.users:
            return
        if self._shared(fetch) and fetch.finished:
            self._idle[fetch] = None
        elif self._shared(fetch) and not fetch.taken and isinstance(fetch.answer, Found):
            self._expire_in(fetch, fetch.keep)  # evidence that is still coming; unless it never ends
        else:
            self._retire(fetch)

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
        """Neither share nor keep those of the concerned names any longer; transfers that run go on."""
        kept = 0 if self.kept is None else self.kept.forget(concerned)
        return kept + self._retire_all(lambda fetch: concerned(fetch.name))

    def drop(self, cluster_name: str) -> int:
        """Forget a cluster that was removed or changed; transfers that run go on."""
        self.clients.drop(cluster_name)
        if self.kept is not None:
            self.kept.drop_cluster(cluster_name)
        return self._retire_all(lambda fetch: fetch.cluster.name == cluster_name)

    def _fetch(self, cluster: Cluster, name: str) -> Fetch:
        return Fetch(self.clients.room, cluster, name, self._finished)

    def _at_hand(self, cluster: Cluster, name: str) -> Fetch | None:
        """A fetch of what is kept, where it is fresh and in memory."""
        recalled = self.kept.recall(cluster.name, name) if self.kept is not None else None
        stored = recalled.at_hand() if recalled is not None and recalled.fresh else None
        if recalled is None or stored is None:
            return None
        fetch = self._fetch(cluster, name).settle(_found(recalled), stored)
        self._fetches[cluster.name, name] = fetch
        self._idle[fetch] = None
        self._expire_in(fetch, KEPT)
        return fetch

    def _recall(self, cluster: Cluster, name: str, fresh: bool) -> tuple[Found | None, Stored | None]:
        """What is kept, opened."""
        recalled = self.kept.recall(cluster.name, name) if self.kept is not None else None
        if recalled is None or (fresh and not recalled.fresh):
            return None, None
        opened = recalled.open()
        if opened is None:
            return None, None
        return _found(recalled), opened

    def _recall_or_ask(self, fetch: Fetch) -> Outcome:
        found, opened = self._recall(fetch.cluster, fetch.name, fresh=True)
        return self._ask(fetch, recall=True) if found is None else (found, opened)

    def _ask(self, fetch: Fetch, recall: bool = False) -> Outcome:
        kept = self.kept if recall else None
        recalled = kept.recall(fetch.cluster.name, fetch.name) if kept is not None else None
        doubt = partial(self._doubt, fetch)
        return Race(self.clients, fetch.cluster, fetch.name, doubt, recalled).run()

    def _finished(self, fetch: Fetch) -> None:
        """The fetch, whose greenlet is about to end, tells so."""
        fetch.ended = time.monotonic()
        if self._shared(fetch) and (fetch.whole or isinstance(fetch.answer, Missing)):
            kept = self.kept if fetch.whole and fetch.keepable else None
            if kept is not None and kept.may_keep(fetch.cluster.name, fetch.name):
                gevent.spawn(self._keep, kept, fetch.share())
            self._expire_in(fetch, fetch.keep if fetch.whole else KEPT)
            if not fetch.users:
                self._idle[fetch] = None
            return
        self._unshare(fetch)
        if not fetch.users:
            fetch.body.close()

    def _keep(self, kept: Kept, fetch: Fetch) -> None:
        try:
            assert isinstance(fetch.answer, Found)
            kept.keep(fetch.cluster.name, fetch.name, fetch.answer, fetch.body)
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one copy
            self.clients.fault(error)
        finally:
            self.leave(fetch)

    def _doubt(self, fetch: Fetch) -> None:
        """More came than was announced, after the end: it was not the whole file."""
        fetch.body.fail("the server sent more than it had announced")
        self._retire(fetch)
        if self.kept is not None:
            self.kept.lose(fetch.cluster.name, fetch.name)

    def _shared(self, fetch: Fetch) -> bool:
        return self._fetches.get((fetch.cluster.name, fetch.name)) is fetch

    def _expire_in(self, fetch: Fetch, seconds: float) -> None:
        fetch.stop_timer()
        fetch.timer = gevent.get_hub().loop.timer(seconds)
        fetch.timer.start(self._expire, fetch)

    def _expire(self, fetch: Fetch) -> None:
        """In the loop."""
        try:
            self._retire(fetch)
        except Exception as error:  # noqa: BLE001  a mistake of ours must not stop the loop
            self.clients.fault(error)

    def _retire(self, fetch: Fetch) -> None:
        """Share it no longer, and end it where nobody uses it."""
        self._unshare(fetch)
        if fetch.users:
            return
        if fetch.finished:
            fetch.body.close()
        else:
            fetch.stop()

    def _unshare(self, fetch: Fetch) -> None:
        if not self._shared(fetch):
            return
        del self._fetches[fetch.cluster.name, fetch.name]
        self._idle.pop(fetch, None)
        fetch.stop_timer()

    def _retire_all(self, concerned: Callable[[Fetch], bool]) -> int:
        gone = [fetch for fetch in self._fetches.values() if concerned(fetch)]
        for fetch in gone:
            self._retire(fetch)
        return len(gone)

    def _spare(self) -> bool:
        """Give up the oldest of those that wait for others to come; whether there was one."""
        oldest = next((fetch for fetch in self._idle if fetch.body.length), None)
        if oldest is not None:
            self._retire(oldest)
        return oldest is not None


def _found(recalled: Recalled) -> Found:
    return Found(recalled.size, recalled.address, CACHE, recalled.validator)
