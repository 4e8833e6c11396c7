"""The lookup as a worker has it: another process decides, and this one takes what it is told."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from itertools import count

from gevent.event import AsyncResult

from appliance.cluster import box, loop
from appliance.cluster.body import Body
from appliance.cluster.decision import store_decides
from appliance.cluster.device import STRIPPED, unfit
from appliance.cluster.names import Name
from appliance.config.model import Configuration
from appliance.report.record import Trail
from appliance.serve.bodies import Bodies
from appliance.serve.channel import Channel
from appliance.serve.content import Content, LocalContent, after
from appliance.serve.lookup import Asker, NoSuchFile, NotKnown
from appliance.serve.messages import LOCAL, MISSING, UNKNOWN, Answer, Ask, GiveUp, Waits
from appliance.serve.storage import Looked, Opened, Storage, Unfit
from appliance.store.folder import StoreUnavailable

PATIENCE = 2.0
"""s beyond the budget that an answer is waited for: the other process waits for its disk as well."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that waits for its answer; `held` is entered when clusters are waited for."""

    result: AsyncResult[Answer]
    held: AbstractContextManager[object]
    entered: ExitStack


class RemoteLookup:
    """Finds files by asking. A file of the local store is opened here, by the name that was told."""

    def __init__(self, configuration: Configuration, storage: Storage, channel: Channel) -> None:
        self.bodies = Bodies(channel)
        self._storage = storage
        self._channel = channel
        self._numbers = count(1)
        self._asked: dict[int, _Asked] = {}
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Go by another configuration from the next request on."""
        self._patience = configuration.lookup.budget + PATIENCE
        self._sources = loop.sources(configuration.clusters)
        number = box.known(configuration.paths.data)  # made before there are workers
        self.via = "" if number is None else loop.via(number)
        self._clusters = any(each.enabled for each in configuration.clusters)
        self._local = configuration.local

    def answered(self, answer: Answer) -> None:
        """An answer has come."""
        if answer.body:
            self.bodies.answered(answer.body)
        asked = self._asked.get(answer.number)
        if asked is None:
            self._let_go(answer)  # whoever asked has gone
        else:
            asked.result.set(answer)

    def waits(self, waits: Waits) -> None:
        """An answer may take a while."""
        asked = self._asked.get(waits.number)
        if asked is not None:
            asked.entered.enter_context(asked.held)

    def open(
        self,
        name: Name,
        asker: Asker,
        trail: Trail,
        held: AbstractContextManager[object] | None = None,
    ) -> Content:
        """See `Lookup`."""
        trail.kind, trail.device = name.kind.value, name.device
        if self._may_decide(name, asker):
            content = self._decide(name, self._open(name.path), trail)
            if content is not None:
                return content
        answer = self._ask(name, asker, trail, held or nullcontext())
        for at, text in answer.notes:
            trail.add(at, text)
        if answer.verdict == MISSING:
            raise NoSuchFile
        if answer.verdict == UNKNOWN:
            raise NotKnown(answer.why)
        if answer.verdict == LOCAL:
            opened = self._open(answer.path)
            if not isinstance(opened, Opened):
                raise NotKnown(f"{answer.source} has it no longer")
            trail.source = answer.source
            return LocalContent(self._storage, answer.source, opened)
        trail.source, trail.address, trail.stale_s = answer.source, answer.address, answer.stale_s
        return SharedContent(self.bodies, answer)

    def at_once(self, name: Name, asker: Asker, trail: Trail) -> Content | None:
        """See `Lookup`."""
        if not self._may_decide(name, asker):
            return None
        known, looked = self._storage.kept(name.path)
        if not known:
            return None
        trail.kind = name.kind.value
        return self._decide(name, looked, trail)

    def _may_decide(self, name: Name, asker: Asker) -> bool:
        """Whether it may be that the store alone decides; the other process counts what came round."""
        may = store_decides(name, True, self._clusters, self._local.common_files)
        return may and not asker.via and asker.client not in self._sources

    def _decide(self, name: Name, looked: Looked, trail: Trail) -> Content | None:
        """The store's file; `NoSuchFile`; None where it is not for the store to decide."""
        found = isinstance(looked, Opened)
        if not store_decides(name, found, self._clusters, self._local.common_files):
            return None
        store = self._local.name
        if not isinstance(looked, Opened):
            if isinstance(looked, Unfit):
                trail.add(time.monotonic(), unfit(store, name, looked.why))
            trail.add(time.monotonic(), f"{store} does not have it, and there is no cluster")
            raise NoSuchFile
        how = f", {STRIPPED}" if looked.stripped else ""
        trail.add(time.monotonic(), f"{store} has it{how}, and gives it to every client")
        trail.source = store
        return LocalContent(self._storage, store, looked)

    def _open(self, path: str) -> Looked:
        try:
            return self._storage.open(path)
        except StoreUnavailable as fault:
            raise NotKnown(str(fault)) from None

    def _ask(self, name: Name, asker: Asker, trail: Trail, held: AbstractContextManager[object]) -> Answer:
        if self._channel.full:
            raise NotKnown("the process that decides takes no more questions")
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(AsyncResult(), held, ExitStack())
        self._channel.put(Ask(number, name.asked, trail.client, asker.via, trail.transport))
        answer = None
        try:
            with asked.entered:
                answer = asked.result.wait(self._patience)
        finally:
            del self._asked[number]
            if not asked.result.ready():
                self._channel.put(GiveUp(number))
            elif answer is None and asked.result.value is not None:
                self._let_go(asked.result.value)  # it came while the transfer was being ended
        if answer is None:
            raise NotKnown("the process that decides gives no answer")
        return answer

    def _let_go(self, answer: Answer) -> None:
        if answer.body:
            self.bodies.leave(answer.body)


class SharedContent:
    """A file of a cluster that another process fetches; else as `RemoteContent`."""

    def __init__(self, bodies: Bodies, answer: Answer) -> None:
        self.source = answer.source
        self.address = answer.address
        self.size = answer.size
        self._bodies = bodies
        self._number = answer.body
        self._body: Body = bodies.body(answer.body)
        self._start = answer.start

    def read(self, offset: int, length: int) -> bytes:
        """See `Content`."""
        return self._body.read(self._start + offset, length)

    def cached(self, offset: int, buffer: memoryview) -> memoryview | None:
        """See `Content`."""
        return self._body.cached(self._start + offset, buffer)

    def whole_size(self) -> int:
        """See `Content`."""
        if self.size is None:
            self._body.wait_whole()
            self.size = self._body.length - self._start
        return self.size

    def whole(self) -> bytes | None:
        """See `Content`."""
        return after(self._body.whole, self._start)

    def close(self) -> None:
        """See `Content`."""
        if self._number:
            self._bodies.leave(self._number)
            self._number = 0
