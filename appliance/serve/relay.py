"""Bodies of clusters' files that a worker has, in the process that fetches them.

A worker is sent each body once, however many phones of its ask for it: what is in memory in pieces, what
is in a file as the file's descriptor, and from then on only how much of it there is.
"""

from __future__ import annotations

from itertools import count

import gevent

from appliance.cluster.body import Body, Broken
from appliance.serve.channel import Channel
from appliance.serve.content import RemoteContent
from appliance.serve.framing import TEXT_MAX
from appliance.serve.messages import PIECE, Dropped, Failed, Grown, Handed, Piece, Whole


class Relay:
    """One body on its way to one worker. `content` keeps it, and is closed with it."""

    def __init__(self, channel: Channel, number: int, content: RemoteContent) -> None:
        """What is there already is sent before this returns."""
        self.content = content
        self.answers = 0  # that named it, and are not used up
        self._channel = channel
        self._number = number
        self._passed = 0  # bytes that the worker has been told of
        self._handed = False
        body = content.body
        self._pass_on(body)
        self._told_whole = body.ended and body.fault is None
        if self._told_whole:
            channel.put(Whole(number))
        self._greenlet = gevent.spawn(self._run, body)

    def close(self) -> None:
        """The worker does not need it any more."""
        self._greenlet.kill(block=False)
        self.content.close()
        self._channel.put(Dropped(self._number))

    def _run(self, body: Body) -> None:
        try:
            while body.grows_beyond(self._passed):
                self._channel.wait_for_room()
                self._pass_on(body)
            if not self._told_whole:
                self._channel.put(Whole(self._number))
            body.wait_failed()
        except Broken as fault:
            self._channel.put(Failed(self._number, str(fault)[:TEXT_MAX]))

    def _pass_on(self, body: Body) -> None:
        """Tell of all that is there. It takes no waiting: what is not in a file is in memory."""
        place = body.place
        if place is None:
            while self._passed < body.length:
                piece = body.read(self._passed, PIECE)
                self._channel.put(Piece(self._number, piece))
                self._passed += len(piece)
        elif not self._handed:
            descriptor, start = place
            self._channel.put(Handed(self._number, start, body.length), [descriptor])
            self._handed = True
        else:
            self._channel.put(Grown(self._number, body.length))
        self._passed = body.length


class Relays:
    """All bodies that one worker has."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = count(1)
        self._relays: dict[int, Relay] = {}
        self._by_body: dict[Body, int] = {}

    def answer(self, content: RemoteContent) -> int:
        """The number of this file's body, for an answer that is sent at once. Takes over the content."""
        number = self._by_body.get(content.body)
        if number is None:
            number = next(self._numbers)
            self._relays[number] = Relay(self._channel, number, content)
            self._by_body[content.body] = number
        else:
            content.close()  # the first one keeps it
        self._relays[number].answers += 1
        return number

    def leave(self, number: int, answers: int) -> None:
        """So many answers are used up; `KeyError` for a body that the worker does not have."""
        relay = self._relays[number]
        relay.answers -= answers
        if relay.answers <= 0:
            del self._relays[number], self._by_body[relay.content.body]
            relay.close()

    def close(self) -> None:
        """The worker is gone."""
        for relay in self._relays.values():
            relay.close()
        self._relays.clear()
        self._by_body.clear()
