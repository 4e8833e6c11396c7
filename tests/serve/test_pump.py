"""Lanes and their pump, the compiled and the Python one, over sockets of loopback."""

from __future__ import annotations

import gc
import math
import socket
import sys
import weakref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.serve.told import DATAGRAM, DONE, GONE, HUNGRY
from appliance.tftp.blocks import BlockBuffer
from tests.serve.lanes import both, load, pair

FILE = bytes(range(256)) * 5
BOTH = both("_pump", "pump_python")


class Owner:
    """Whoever has a lane."""


@BOTH
def test_a_file_block_by_block(module: str) -> None:
    with pair(module) as it:
        owner = Owner()
        it.lane.lend(owner, 512, 1, 0, 2.0)
        it.lane.feed(FILE, True)
        it.lane.arm(0, 0, math.inf)
        assert it.lane.fill(10.0)
        assert (it.lane.base, it.lane.top, it.lane.last) == (0, 1, 3)
        assert it.heard() == [b"\0\3\0\1" + FILE[:512]]
        assert it.ack(1) == []
        assert it.heard() == [b"\0\3\0\2" + FILE[512:1024]]
        assert it.ack(2) == []
        assert it.heard() == [b"\0\3\0\3" + FILE[1024:]]
        assert it.ack(3) == [(owner, DONE, None)]
        assert it.lane.base == 3


@BOTH
@pytest.mark.parametrize(
    ("size", "blksize", "window", "sent"),
    [
        (0, 512, 1, [[1]]),
        (512, 512, 1, [[1], [2]]),
        (4 * 8, 8, 4, [[1, 2, 3, 4], [5]]),
        (100, 8, 5, [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13]]),
        (100 * 8, 8, 100, [[*range(1, 101)], [101]]),
        (4 * 3000, 3000, 1, [[1], [2], [3], [4], [5]]),
        (4 * 3000, 3000, 64, [[1, 2, 3, 4, 5]]),
        (2 * 60000, 60000, 2, [[1, 2], [3]]),
    ],
)
@pytest.mark.parametrize("source", ["127.0.0.1", "::1"])
def test_windows(
    source: str, module: str, size: int, blksize: int, window: int, sent: list[list[int]]
) -> None:
    content = bytes(number % 251 for number in range(size))
    with pair(module, source) as it:
        it.lane.lend(Owner(), blksize, window, 0, 1.0)
        it.lane.feed(content, True)
        it.lane.arm(0, 0, math.inf)
        assert it.lane.fill(0.0)
        received = b""
        for blocks in sent:
            datagrams = it.heard()
            assert [int.from_bytes(each[2:4], "big") for each in datagrams] == blocks
            received += b"".join(each[4:] for each in datagrams)
            told = it.ack(blocks[-1])
        assert [kind for _, kind, _ in told] == [DONE]
        assert received == content


@BOTH
@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0\4",
        b"\0\4\0",
        b"\0\4\0\0",
        b"\0\4\0\2",
        b"\0\4\0\1x",
        b"\0\3\0\1",
        b"\1\4\0\1",
        b"\0\5\0\0bye\0",
    ],
)
def test_what_is_not_the_awaited_ack_is_told(module: str, datagram: bytes) -> None:
    with pair(module) as it:
        owner = Owner()
        it.lane.lend(owner, 512, 1, 0, 1.0)
        it.lane.feed(FILE, True)
        it.lane.arm(0, 0, math.inf)
        it.lane.fill(0.0)
        it.say(datagram)
        assert it.run(1.0) == [(owner, DATAGRAM, datagram)]
        assert it.blocks() == [1]
        assert (it.lane.base, it.lane.top) == (0, 1)


@BOTH
def test_every_datagram_is_told_before_it_is_armed(module: str) -> None:
    with pair(module) as it:
        owner = Owner()
        it.lane.lend(owner, 512, 1, 0, 1.0)
        it.lane.feed(FILE, True)
        it.lane.wait(5.0)
        assert it.lane.fill(0.0)
        assert it.heard() == []
        assert it.ack(0) == [(owner, DATAGRAM, b"\0\4\0\0")]
        assert it.pump.due(4.9) == []
        assert it.pump.due(5.0) == [owner]


@BOTH
def test_a_closed_port_is_told(module: str) -> None:
    with pair(module) as it:
        owner = Owner()
        it.lane.lend(owner, 512, 1, 0, 1.0)
        it.lane.feed(FILE, True)
        it.lane.arm(0, 0, math.inf)
        it.peer.close()
        assert it.lane.fill(0.0)
        assert it.run(1.0) == [(owner, GONE, None)]
        it.lane.send([b"x"])
        assert not it.lane.send([b"x"])


@BOTH
def test_more_is_wanted_once_until_it_is_fed(module: str) -> None:
    with pair(module) as it:
        owner = Owner()
        it.lane.lend(owner, 8, 1, 2, 1.0)
        assert it.lane.hungry
        it.lane.feed(bytes(8 * 4), False)
        assert not it.lane.hungry
        it.lane.arm(0, 0, math.inf)
        it.lane.fill(0.0)
        assert it.ack(1) == [(owner, HUNGRY, None)]
        assert it.ack(2) == []
        it.lane.feed(bytes(8), False)
        assert it.ack(3) == [(owner, HUNGRY, None)]
        it.lane.feed(b"end", True)
        assert not it.lane.hungry
        assert it.ack(4) == it.ack(5) == []
        assert it.ack(6) == [(owner, DONE, None)]
        assert it.blocks() == [1, 2, 3, 4, 5, 6]


@BOTH
def test_while_blocks_are_missing_nothing_is_due(module: str) -> None:
    with pair(module) as it:
        owner = Owner()
        it.lane.lend(owner, 8, 4, 0, 2.0)
        it.lane.feed(bytes(8 * 2), False)
        it.lane.arm(0, 0, math.inf)
        it.lane.fill(10.0)
        assert it.blocks() == [1, 2]
        assert (it.pump.due(11.9), it.pump.due(12.0)) == ([], [owner])
        it.ack(2, 11.0)
        assert it.pump.due(1e9) == []
        it.lane.feed(bytes(8 * 9), False)
        assert it.lane.fill(20.0)
        assert it.blocks() == [3, 4, 5, 6]
        assert (it.lane.sent, it.pump.due(21.9), it.pump.due(22.0)) == (20.0, [], [owner])


@BOTH
def test_numbers_wrap_on_the_wire_alone(module: str) -> None:
    with pair(module) as it:
        owner = Owner()
        it.lane.lend(owner, 8, 2, 0, 1.0)
        it.lane.feed(bytes(8 * 65536), True)
        it.lane.arm(65534, 65534, math.inf)
        it.lane.fill(0.0)
        assert it.blocks() == [65535, 0]
        assert it.ack(65536) == []
        assert it.blocks() == [1]
        assert it.ack(65537) == [(owner, DONE, None)]


@BOTH
def test_what_came_late_is_not_the_next_ones(module: str) -> None:
    with pair(module) as it:
        it.lane.lend(Owner(), 8, 1, 0, 1.0)
        it.lane.end()
        assert it.ack(1) == []
        it.say(b"late")
        assert it.lane.drain()
        assert it.lane.hear(0.0) is None


@BOTH
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("lend", (None, 0, 1, 0, 1.0)),
        ("lend", (None, 512, 0, 0, 1.0)),
        ("feed", (b"no whole block", False)),
        ("arm", (0, 1, 0.0)),
        ("arm", (2, 1, 0.0)),
    ],
)
def test_what_makes_no_sense_is_refused(module: str, method: str, arguments: tuple[object, ...]) -> None:
    with pair(module) as it:
        if method != "lend":
            it.lane.lend(Owner(), 8, 1, 0, 1.0)
        with pytest.raises(ValueError):
            getattr(it.lane, method)(*arguments)


@BOTH
def test_nothing_comes_after_the_end(module: str) -> None:
    with pair(module) as it:
        it.lane.lend(Owner(), 8, 1, 0, 1.0)
        it.lane.feed(b"", True)
        with pytest.raises(ValueError):
            it.lane.feed(bytes(8), False)
        with pytest.raises(ValueError):
            it.lane.lend(Owner(), 8, 1, 0, 1.0)


@BOTH
def test_nothing_is_kept_of_what_is_over(module: str) -> None:
    """Neither the file nor the owner, whichever way a lane ends; also in a ring of references."""
    piece = bytes(1000)
    before = sys.getrefcount(piece)
    for end in ("end", "close"):
        with pair(module) as it:
            owner = Owner()
            gone = weakref.ref(owner)
            for _ in range(3):
                it.lane.lend(owner, 8, 1, 0, 1.0)
                for _ in range(20):
                    it.lane.feed(piece, False)
                it.lane.arm(0, 0, math.inf)
                it.lane.fill(0.0)
                it.ack(1)
                it.lane.end()
            it.lane.lend(owner, 8, 1, 0, 1.0)
            owner.lane = it.lane  # type: ignore[attr-defined]
            del owner.lane  # type: ignore[attr-defined]
            getattr(it.lane, end)()
            del owner
            gc.collect()
            assert gone() is None
            assert it.pump.due(math.inf) == []
    assert sys.getrefcount(piece) == before


@BOTH
def test_many_lanes_at_once(module: str) -> None:
    """More than the table of descriptors begins with, each told of its own."""
    pump = load(module).Pump()
    wires, lanes = [], []
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1", 0))
    try:
        for number in range(300):
            wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            wires.append(wire)
            wire.bind(("127.0.0.1", 0))
            wire.connect(peer.getsockname())
            lane = load(module).Lane(pump, wire.fileno())
            lane.lend(number, 512, 1, 0, 1.0)
            lanes.append(lane)
            peer.sendto(b"%d" % number, wire.getsockname())
        told = []
        while more := pump.run(0.0):
            told += more
        assert sorted((owner, int(datagram)) for owner, _, datagram in told) == [(n, n) for n in range(300)]
        for lane in lanes[::2]:
            lane.close()
        assert sorted(pump.due(math.inf)) == list(range(1, 300, 2))
    finally:
        for lane in lanes:
            lane.close()
        for wire in (*wires, peer):
            wire.close()
        pump.close()


@BOTH
@given(pieces=st.lists(st.integers(0, 6), max_size=12), rest=st.integers(0, 30), released=st.integers(0, 20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_packets_are_those_of_a_block_buffer(
    module: str, pieces: list[int], rest: int, released: int
) -> None:
    with pair(module) as it:
        it.lane.lend(Owner(), 8, 1, 0, 1.0)
        blocks = BlockBuffer(8)
        for size in pieces:
            blocks.feed(FILE[: 8 * size])
            it.lane.feed(FILE[: 8 * size], False)
        it.lane.release(released)
        blocks.feed(FILE[:rest])
        blocks.finish()
        it.lane.feed(FILE[:rest], True)
        assert it.lane.last == blocks.last
        for number in range(released + 1, blocks.cut + 2):
            assert it.lane.packet(number) == blocks.packet(number)
        assert it.lane.packet(0) is None
