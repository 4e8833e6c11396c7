"""What one worker asks, answered: the lookup runs in the process that has homes, clusters and cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import gevent

from appliance.cluster.names import Name, read
from appliance.report.record import STEPS_MAX, Trail
from appliance.serve.channel import Channel
from appliance.serve.content import Content, LocalContent, RemoteContent
from appliance.serve.framing import TEXT_MAX
from appliance.serve.lookup import Asker, Lookup, NoSuchFile, NotKnown
from appliance.serve.messages import BODY, LOCAL, MISSING, UNKNOWN, Answer, Ask, GiveUp, Leave, Note, Waits
from appliance.serve.relay import Relays


class Questions:
    """The questions of one worker. At most `most` are answered at a time."""

    def __init__(
        self, lookup: Lookup, channel: Channel, most: int, fault: Callable[[Exception], None]
    ) -> None:
        """`fault` takes what is a mistake of ours."""
        self._lookup = lookup
        self._channel = channel
        self._most = most
        self._fault = fault
        self._relays = Relays(channel)
        self._asked: dict[int, gevent.Greenlet[..., None]] = {}

    def ask(self, ask: Ask) -> None:
        """Answer at once, or when the answer is there. What no worker of ours asks is a `ValueError`."""
        asker, name = Asker(ip_address(ask.client), ask.via), read(ask.name.encode())
        if ask.number in self._asked:
            raise ValueError("a question that is being answered already")
        if len(self._asked) >= self._most:
            self._channel.put(Answer(ask.number, UNKNOWN, "too many questions at a time"))
            return
        trail = _Notes(ask.client, ask.transport)
        if not self._answer(ask, trail, lambda: self._lookup.at_once(name, asker, trail)):
            self._asked[ask.number] = gevent.spawn(self._find, ask, name, asker, trail)

    def give_up(self, give_up: GiveUp) -> None:
        """Nobody waits for it any more: what was asked of clusters for it is let go."""
        greenlet = self._asked.pop(give_up.number, None)
        if greenlet is not None:
            greenlet.kill(block=False)

    def leave(self, leave: Leave) -> None:
        """See `Relays`."""
        self._relays.leave(leave.body, leave.count)

    def close(self) -> None:
        """The worker is gone."""
        for greenlet in self._asked.values():
            greenlet.kill(block=False)
        self._asked.clear()
        self._relays.close()

    def _find(self, ask: Ask, name: Name, asker: Asker, trail: _Notes) -> None:
        try:
            waiting = self._waiting(ask.number)
            self._answer(ask, trail, lambda: self._lookup.open(name, asker, trail, waiting))
        finally:
            self._asked.pop(ask.number, None)

    @contextmanager
    def _waiting(self, number: int) -> Iterator[None]:
        self._channel.put(Waits(number))
        yield

    def _answer(self, ask: Ask, trail: _Notes, look: Callable[[], Content | None]) -> bool:
        """Send how the look ends; whether it came to an end."""
        try:
            content = look()
        except NoSuchFile:
            self._found(ask, trail, None)
        except NotKnown as unknown:
            why = str(unknown)[:TEXT_MAX]
            self._channel.put(Answer(ask.number, UNKNOWN, why, notes=trail.notes()))
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one request
            self._fault(error)
            self._channel.put(Answer(ask.number, UNKNOWN, "a fault of ours", notes=trail.notes()))
        else:
            if content is None:
                return False
            self._found(ask, trail, content)
        return True

    def _found(self, ask: Ask, trail: _Notes, content: Content | None) -> None:
        notes = trail.notes()
        match content:
            case None:
                answer = Answer(ask.number, MISSING, notes=notes)
            case LocalContent(source=source, path=path):
                content.close()
                answer = Answer(ask.number, LOCAL, source=source, path=path, notes=notes)
            case RemoteContent(source=source, address=address, size=size, start=start):
                body = self._relays.answer(content)
                answer = Answer(
                    ask.number,
                    BODY,
                    source=source,
                    body=body,
                    start=start,
                    size=size,
                    address=address,
                    stale_s=trail.stale_s,
                    notes=notes,
                )
            case _:
                raise AssertionError("a file is the store's, or a cluster's")
        self._channel.put(answer)


class _Notes(Trail):
    """The steps as they are said: the worker's own trail escapes them, and knows when the request came."""

    def __init__(self, client: str, transport: str) -> None:
        super().__init__(client, transport, b"", 0.0, 0.0)
        self._notes: list[Note] = []

    def add(self, now: float, text: str) -> None:
        """One more step."""
        if len(self._notes) < STEPS_MAX:
            self._notes.append((now, text[:TEXT_MAX]))

    def notes(self) -> tuple[Note, ...]:
        """Those so far."""
        return tuple(self._notes)
