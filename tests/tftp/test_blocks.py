from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tftp.blocks import BlockBuffer
from appliance.tftp.packet import Data, decode


def cut(blksize: int, *pieces: bytes) -> list[bytes]:
    """The payloads of a whole stream."""
    blocks = BlockBuffer(blksize)
    for piece in pieces:
        blocks.feed(piece)
    blocks.finish()
    assert blocks.last == blocks.cut
    payloads = []
    for number in range(1, blocks.cut + 1):
        datagram = blocks.packet(number)
        assert datagram is not None
        packet = decode(datagram)
        assert isinstance(packet, Data)
        assert packet.block == number & 0xFFFF
        payloads.append(packet.payload)
    return payloads


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (0, [0]),
        (1, [1]),
        (7, [7]),
        (8, [8, 0]),
        (9, [8, 1]),
        (15, [8, 7]),
        (16, [8, 8, 0]),
        (17, [8, 8, 1]),
    ],
)
def test_lengths_of_blocks(size: int, lengths: list[int]) -> None:
    assert [len(payload) for payload in cut(8, bytes(size))] == lengths


@given(st.lists(st.binary(max_size=50), max_size=10), st.integers(8, 40))
def test_blocks_are_the_stream_wherever_it_was_cut(pieces: list[bytes], blksize: int) -> None:
    *full, last = cut(blksize, *pieces)
    assert b"".join([*full, last]) == b"".join(pieces)
    assert all(len(payload) == blksize for payload in full)
    assert len(last) < blksize


def test_a_block_is_there_when_it_is_whole_or_the_last() -> None:
    blocks = BlockBuffer(8)
    assert (blocks.cut, blocks.last, blocks.packet(1)) == (0, None, None)
    blocks.feed(b"1234567")
    assert (blocks.cut, blocks.packet(1)) == (0, None)
    blocks.feed(b"89")
    assert (blocks.cut, blocks.packet(1)) == (1, b"\0\3\0\x0112345678")
    assert blocks.packet(2) is None
    blocks.finish()
    assert (blocks.cut, blocks.last, blocks.packet(2)) == (2, 2, b"\0\3\0\x029")
    assert (blocks.packet(0), blocks.packet(3), blocks.packet(-1)) == (None, None, None)


def test_released_blocks_are_gone_and_the_others_are_not() -> None:
    blocks = BlockBuffer(8)
    blocks.feed(bytes(8 * 5))
    blocks.release(2)
    blocks.release(1)  # an old one again
    assert [number for number in range(7) if blocks.packet(number) is not None] == [3, 4, 5]
    blocks.feed(bytes(8))
    assert blocks.cut == 6
    blocks.release(6)
    assert [blocks.packet(number) for number in range(7)] == [None] * 7
    blocks.finish()
    assert (blocks.last, blocks.packet(7)) == (7, b"\0\3\0\7")


def test_numbers_go_on_after_65535() -> None:
    blocks = BlockBuffer(8)
    for number in range(1, 65538):
        blocks.feed(bytes(8))
        blocks.release(number - 1)
    blocks.finish()
    assert blocks.last == 65538
    assert blocks.packet(65537) == b"\0\3\0\1" + bytes(8)
    assert blocks.packet(65538) == b"\0\3\0\2"
    assert blocks.packet(1) is None
