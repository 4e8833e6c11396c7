"""The lookup as a worker has it: another process decides, and this one takes what it is told."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from itertools import count

from gevent.event import AsyncResult

from appliance.cache.shelf import Shelf
from appliance.cluster import loop
from appliance.cluster.body import Body
from appliance.cluster.names import Name
from appliance.config.model import Configuration
from appliance.report.record import Trail
from appliance.serve.bodies import Bodies
from appliance.serve.channel import Channel
from appliance.serve.content import Content, LocalContent
from appliance.serve.lookup import Asker, NoSuchFile, NotKnown
from appliance.serve.messages import LOCAL, MISSING, UNKNOWN, Answer, Ask, GiveUp, Waits
from appliance.serve.storage import Opened, Storage
from appliance.store.folder import StoreUnavailable

HELD_MAX = 1024  # answers that hold for a while
PATIENCE = 2.0
"""s beyond the budget that an answer is waited for: the other process waits for its disk as well."""


@dataclass(frozen=True, slots=True)
class _Holding:
    """An answer that holds for every client until a moment of the monotonic clock."""

    answer: Answer
    until: float


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
        self._holding: Shelf[str, _Holding] = Shelf(HELD_MAX)

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
        known = self._known(name, asker)
        if known is not None:
            opened = None if known.verdict == MISSING else self._open(known.path)
            content = self._as_known(known, opened, trail)
            if content is not None:
                return content
        answer = self._ask(name, asker, trail, held or nullcontext())
        for at, text in answer.notes:
            trail.add(at, text)
        if answer.holds_s:
            self._holding.put(name.path, _Holding(answer, time.monotonic() + answer.holds_s), 1)
        if answer.verdict == MISSING:
            raise NoSuchFile
        if answer.verdict == UNKNOWN:
            raise NotKnown(answer.why)
        if answer.verdict == LOCAL:
            opened = self._open(answer.path)
            if opened is None:
                raise NotKnown(f"{answer.source} has it no longer")
            trail.source = answer.source
            return LocalContent(self._storage, answer.source, opened)
        trail.source, trail.address, trail.stale_s = answer.source, answer.address, answer.stale_s
        return SharedContent(self.bodies, answer)

    def at_once(self, name: Name, asker: Asker, trail: Trail) -> Content | None:
        """See `Lookup`."""
        known = self._known(name, asker)
        if known is None:
            return None
        trail.kind = name.kind.value
        opened = None if known.verdict == MISSING else self._storage.kept(known.path)[1]
        return self._as_known(known, opened, trail)

    def _known(self, name: Name, asker: Asker) -> Answer | None:
        """What is known to be so for every client; those that could be a cluster are not taken for one."""
        holding = self._holding.get(name.path)
        if holding is None or time.monotonic() >= holding.until:
            return None
        return None if asker.via or asker.client in self._sources else holding.answer

    def _as_known(self, known: Answer, opened: Opened | None, trail: Trail) -> Content | None:
        """What is known, and is so; `NoSuchFile` where it is missing."""
        now = time.monotonic()
        if known.verdict == MISSING:
            trail.add(now, "no place has it, whoever asks")
            raise NoSuchFile
        if opened is None:
            return None
        trail.add(now, f"{known.source} has it, and gives it to whoever asks")
        trail.source = known.source
        return LocalContent(self._storage, known.source, opened)

    def _open(self, path: str) -> Opened | None:
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
    """A file of a cluster that another process fetches. Takes over one use of its body."""

    def __init__(self, bodies: Bodies, answer: Answer) -> None:
        self.source = answer.source
        self.address = answer.address
        self.size = answer.size
        self._bodies = bodies
        self._number = answer.body
        self._body: Body = bodies.body(answer.body)

    def read(self, offset: int, length: int) -> bytes:
        """See `Content`."""
        return self._body.read(offset, length)

    def cached(self, offset: int, buffer: memoryview) -> memoryview | None:
        """See `Content`."""
        return self._body.cached(offset, buffer)

    def whole_size(self) -> int:
        """See `Content`."""
        if self.size is None:
            self._body.wait_whole()
            self.size = self._body.length
        return self.size

    def whole(self) -> bytes | None:
        """See `Content`."""
        return self._body.whole

    def close(self) -> None:
        """See `Content`."""
        if self._number:
            self._bodies.leave(self._number)
            self._number = 0
