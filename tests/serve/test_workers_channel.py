"""The channel between two processes, and the bodies that go through it; here both ends are in one loop."""

from __future__ import annotations

import os
import random
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from appliance.cluster.body import MEMORY_MAX, Body, Broken, Room, Stored
from appliance.serve.bodies import Bodies
from appliance.serve.channel import FULL, Channel, close_all, pair
from appliance.serve.content import RemoteContent
from appliance.serve.messages import GiveUp, Leave, Line, Message, Piece, Tell
from appliance.serve.relay import Relays
from tests.hub import watched

BYTES = random.Random(71).randbytes(3 << 20)


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watched():
        yield


@dataclass
class End:
    """One end, and what it has taken."""

    wire: socket.socket
    taken: list[Message] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    channel: Channel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = Channel(self.wire, self.take, self.gone.append, self.faults.append)

    def take(self, message: Message, descriptors: list[int]) -> None:
        if message == Line("boom"):
            raise RuntimeError("boom")
        self.taken.append(message)
        self.descriptors += descriptors


@contextmanager
def ends() -> Iterator[tuple[End, End]]:
    here, there = (End(wire) for wire in pair())
    try:
        yield here, there
    finally:
        for end in (here, there):
            end.channel.close()
            close_all(end.descriptors)


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        gevent.sleep(0.001)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_messages_in_order_both_ways() -> None:
    with ends() as (here, there):
        for number in range(500):
            here.channel.put(GiveUp(number))
            there.channel.put(Leave(number, 1))
        until(lambda: len(here.taken) == len(there.taken) == 500)
        assert there.taken == [GiveUp(number) for number in range(500)]
        assert here.taken == [Leave(number, 1) for number in range(500)]


def test_who_does_not_read_holds_up_nobody() -> None:
    """What is put waits, descriptors with it, and comes in order; `wait_for_room` waits for that."""
    before = open_descriptors()
    wire, other = pair()
    here = End(wire)
    with tempfile.TemporaryFile() as file:
        file.write(b"content")
        file.flush()
        count = 0
        while not here.channel.full:
            here.channel.put(Piece(count, bytes(40_000)), [file.fileno()])
            count += 1
    assert not here.channel.idle
    waiting = gevent.spawn(here.channel.wait_for_room)
    gevent.sleep(0.05)
    assert not waiting.ready()
    there = End(other)
    until(lambda: len(there.taken) == count)
    waiting.get(timeout=1)
    assert here.channel.idle
    assert [cast(Any, each).body for each in there.taken] == list(range(count))
    assert [os.pread(each, 100, 0) for each in there.descriptors] == [b"content"] * count
    close_all(there.descriptors)
    for end in (here, there):
        end.channel.close()
    assert open_descriptors() <= before + 3  # the loop's own


def test_what_waits_is_let_go_with_the_channel() -> None:
    wire, other = pair()
    here = End(wire)
    before = open_descriptors()
    while not here.channel.full:
        here.channel.put(Piece(1, bytes(40_000)), [0])
    waiting = gevent.spawn(here.channel.wait_for_room)
    gevent.sleep(0)
    here.channel.close()
    waiting.get(timeout=1)
    here.channel.put(Tell())
    here.channel.close()
    other.close()
    assert open_descriptors() <= before


def test_the_other_end_is_gone() -> None:
    """Told once, and nothing that is put later raises."""
    with ends() as (here, there):
        there.channel.put(GiveUp(1))
        there.channel.close()
        for _ in range(3):
            here.channel.put(Tell())
        until(lambda: bool(here.gone))
        gevent.sleep(0.01)
        here.channel.put(Tell())
        assert len(here.gone) == 1
        assert here.faults == []


@pytest.mark.parametrize(("unheard", "late"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_last_words_are_heard(unheard: int, late: int) -> None:
    """What the other end has said before it went; though it has not heard all, and though this one finds
    out by sending.
    """
    with ends() as (here, there):
        for _ in range(unheard):
            here.channel.put(Tell())
        for number in range(100):
            there.channel.put(GiveUp(number))
        there.channel.close()
        for _ in range(late):
            here.channel.put(Tell())
        until(lambda: bool(here.gone))
        assert here.taken == [GiveUp(number) for number in range(100)]


@pytest.mark.parametrize("data", [b"nonsense", b'["Tell"', b'["Nothing",1]'])
def test_nonsense(data: bytes) -> None:
    wire, other = pair()
    here = End(wire)
    with other:
        other.send(b'["GiveUp",1]')
        other.send(data)
        other.send(b'["GiveUp",2]')
        until(lambda: bool(here.gone))
    assert here.gone[0].startswith("what it says is not understood")
    assert here.taken == [GiveUp(1)]


def test_a_mistake_of_ours_costs_one_message() -> None:
    with ends() as (here, there):
        for message in (GiveUp(1), Line("boom"), GiveUp(2)):
            here.channel.put(message)
        until(lambda: len(there.taken) == 2)
        assert [str(fault) for fault in there.faults] == ["boom"]
        assert there.gone == []


class Site:
    """Relays at one end, bodies at the other; and what has been let go."""

    def __init__(self, folder: Path) -> None:
        ours, theirs = pair()
        self.faults: list[Exception] = []
        self.room = Room(64 << 20, 64 << 20, folder)
        self.closed: list[Body] = []
        self.ours = Channel(ours, self._left, lambda why: None, self.faults.append)
        self.theirs = Channel(theirs, self._told, lambda why: None, self.faults.append)
        self.relays = Relays(self.ours)
        self.bodies = Bodies(self.theirs)
        self.told: list[str] = []

    def _left(self, message: Message, descriptors: list[int]) -> None:
        assert isinstance(message, Leave)
        self.relays.leave(message.body, message.count)

    def _told(self, message: Message, descriptors: list[int]) -> None:
        self.told.append(type(message).__name__)
        assert self.bodies.take(message, descriptors)

    def body(self) -> Body:
        return Body(self.room)

    def answer(self, body: Body) -> int:
        """As for an answer that names this body; its number."""

        def close() -> None:
            self.closed.append(body)

        content = SimpleNamespace(body=body, close=close)
        number = self.relays.answer(cast(RemoteContent, content))
        self.bodies.answered(number)
        return number

    def close(self) -> None:
        self.relays.close()
        self.ours.close()
        self.theirs.close()
        assert self.faults == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def write(body: Body, content: bytes, piece: int = 60_000) -> None:
    for offset in range(0, len(content), piece):
        body.write(content[offset : offset + piece])
        gevent.sleep(0)


def read_all(body: Body, piece: int = 50_000) -> bytes:
    found = bytearray()
    while data := body.read(len(found), piece):
        found += data
    return bytes(found)


SIZES = [0, 1, 47_000, 200_000, MEMORY_MAX, MEMORY_MAX + 1, len(BYTES)]


@pytest.mark.parametrize("early", [0, 1, 100_000, 2_000_000])
@pytest.mark.parametrize("size", SIZES)
def test_a_body_as_it_comes(size: int, early: int, site: Site) -> None:
    """In memory, in a file, or first this and then that; asked for before, in the middle, or after."""
    content, early = BYTES[:size], min(size, early)
    body = site.body()
    write(body, content[:early])
    number = site.answer(body)
    reading = gevent.spawn(read_all, site.bodies.body(number))
    write(body, content[early:])
    body.finish()
    assert reading.get() == content
    shared = site.bodies.body(number)
    assert shared.length == size
    assert shared.whole == (content if size <= MEMORY_MAX else None)
    assert read_all(shared, 7_000) == content
    site.bodies.leave(number)
    until(lambda: site.closed == [body])
    body.close()


def test_a_whole_one_is_there_with_its_answer(site: Site) -> None:
    """What is sent before the answer is taken before it: nobody waits for a body that is at hand."""
    body = site.body()
    body.write(BYTES[:100_000])
    body.finish()
    site.answer(body)
    assert site.ours.idle
    gevent.sleep(0.01)
    assert site.told == ["Piece", "Piece", "Piece", "Whole"]


def test_a_kept_file_is_handed_over(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"head" + BYTES)
    with path.open("rb") as file:
        place = file.fileno(), 4
        body = site.body()
        body.adopt(Stored(len(BYTES), "", None, lambda offset, length: b"", place))
        body.finish()
        number = site.answer(body)
        until(lambda: "Whole" in site.told)
    path.unlink()
    assert site.told == ["Handed", "Whole"]
    buffer = memoryview(bytearray(1000))
    assert site.bodies.body(number).cached(len(BYTES) - 500, buffer) in (None, BYTES[-500:])
    assert read_all(site.bodies.body(number)) == BYTES


def test_one_body_for_all_who_ask(site: Site) -> None:
    """It is sent once, and stays until the last has left."""
    body = site.body()
    write(body, BYTES[:100_000])
    body.finish()
    numbers = [site.answer(body) for _ in range(3)]
    assert len(set(numbers)) == 1
    until(lambda: "Whole" in site.told)
    assert site.told.count("Piece") == 3
    assert site.closed == [body] * 2
    for _ in range(2):
        site.bodies.leave(numbers[0])
    gevent.sleep(0.01)
    assert "Dropped" not in site.told
    site.bodies.leave(numbers[0])
    until(lambda: "Dropped" in site.told)
    assert site.closed == [body] * 3
    assert site.answer(body) != numbers[0]


def test_an_answer_that_crosses_a_leave(site: Site) -> None:
    """The last one leaves while an answer that names the body is under way: it is still there."""
    body = site.body()
    body.write(BYTES[:1000])
    body.finish()
    number = site.answer(body)
    until(lambda: "Whole" in site.told)
    site.bodies.leave(number)
    assert site.answer(body) == number
    gevent.sleep(0.01)
    assert "Dropped" not in site.told
    assert site.bodies.body(number).whole == BYTES[:1000]
    site.bodies.leave(number)
    until(lambda: "Dropped" in site.told)


@pytest.mark.parametrize("size", [1000, 2_000_000])
@pytest.mark.parametrize("late", [False, True])
def test_one_that_fails(late: bool, size: int, site: Site) -> None:
    """In the middle, or when it had been taken for whole: nobody comes to its end."""
    body = site.body()
    write(body, BYTES[:size])
    if late:
        body.finish()
    number = site.answer(body)
    shared = site.bodies.body(number)
    until(lambda: shared.length == size)
    body.fail("broken off")
    until(lambda: shared.fault is not None)
    assert shared.whole is None
    assert shared.read(0, 100) == BYTES[:100]
    with pytest.raises(Broken, match="broken off"):
        shared.read(size, 1)


def test_a_worker_that_is_gone_lets_go(site: Site) -> None:
    bodies = [site.body() for _ in range(3)]
    for body in bodies:
        body.write(b"x")
        site.answer(body)
    site.relays.close()
    assert site.closed == bodies
    gevent.sleep(0.01)


def test_a_slow_reader_bounds_what_waits(site: Site) -> None:
    """A body that comes faster than the other process takes it waits where it is, not in the channel."""
    there, here = pair()
    channel = Channel(here, lambda message, descriptors: None, lambda why: None, site.faults.append)
    relays = Relays(channel)
    bodies = [site.body() for _ in range(10)]
    for body in bodies:
        relays.answer(cast(RemoteContent, SimpleNamespace(body=body, close=lambda: None)))
    for _ in range(20):
        for body in bodies:
            body.write(BYTES[:50_000])
        gevent.sleep(0.001)
    waiting = cast(Any, channel)._queued
    assert waiting < FULL + len(bodies) * MEMORY_MAX / 4
    relays.close()
    channel.close()
    there.close()
