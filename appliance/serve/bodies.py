"""The bodies of clusters' files that a worker is told of: one each, however many phones ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.cluster.body import Body, Room
from appliance.serve.channel import Channel
from appliance.serve.messages import Dropped, Failed, Grown, Handed, Leave, Message, Piece, Whole

UNBOUNDED = 1 << 62  # bytes


@dataclass(slots=True)
class _Known:
    """A body; `users` have it now, and `answers` that named it are not yet told to be used up."""

    body: Body
    users: int = 0
    answers: int = 0


class Bodies:
    """What is known of bodies, by the number that the other process gave them."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        # The process that fetches bounds what is under way, for all; and nothing is put on disk here.
        self._room = Room(UNBOUNDED, 0, Path())
        self._known: dict[int, _Known] = {}

    def take(self, message: Message, descriptors: list[int]) -> bool:
        """Whether the message is of a body; if so, what it tells is known now."""
        match message:
            case Piece(body=number, data=data):
                self._of(number).body.write(data)
            case Handed(body=number, start=start, length=length):
                self._of(number).body.hand(descriptors.pop(), start, length)
            case Grown(body=number, length=length):
                self._of(number).body.grow(length)
            case Whole(body=number):
                self._of(number).body.finish()
            case Failed(body=number, why=why):
                self._of(number).body.fail(why)
            case Dropped(body=number):
                self._known.pop(number).body.close()
            case _:
                return False
        return True

    def answered(self, number: int) -> None:
        """An answer names the body: one user more, who leaves it in the end."""
        known = self._of(number)
        known.users += 1
        known.answers += 1

    def body(self, number: int) -> Body:
        """The body, for one of its users."""
        return self._known[number].body

    def leave(self, number: int) -> None:
        """One user less. After the last, it stays until the other process says that it drops it: an answer
        that names it may be under way.
        """
        known = self._known[number]
        known.users -= 1
        if not known.users:
            answers, known.answers = known.answers, 0
            self._channel.put(Leave(number, answers))

    def _of(self, number: int) -> _Known:
        known = self._known.get(number)
        if known is None:
            known = self._known[number] = _Known(Body(self._room))
        return known
