from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.cluster import body
from appliance.cluster.body import MEMORY_MAX, Body, Broken, Room

KIB = 1024


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Room for a few bodies; every test gives it back."""
    room = Room(memory=2 * MEMORY_MAX, disk=4 * MEMORY_MAX, folder=tmp_path)
    yield room
    assert used(room) == (0, 0)


def used(room: Room) -> tuple[int, int]:
    return room.memory_used, room.disk_used


def pattern(length: int) -> bytes:
    """Bytes that tell their place."""
    return b"".join(number.to_bytes(4, "big") for number in range(length // 4 + 1))[:length]


def read_all(whole: Body, piece: int = 100 * KIB) -> bytes:
    """As a transfer reads: piece by piece, to the end."""
    data = b""
    while got := whole.read(len(data), piece):
        assert len(got) <= piece
        data += got
    return data


def written(room: Room, data: bytes, piece: int) -> Body:
    whole = Body(room)
    for start in range(0, len(data), piece):
        whole.write(data[start : start + piece])
    whole.finish()
    return whole


@pytest.mark.parametrize(
    ("length", "memory", "disk"),
    [
        (0, 0, 0),
        (1, 1, 0),
        (MEMORY_MAX, MEMORY_MAX, 0),
        (MEMORY_MAX + 1, 0, MEMORY_MAX + 1),
        (3 * MEMORY_MAX, 0, 3 * MEMORY_MAX),
    ],
)
@pytest.mark.parametrize("piece", [64 * KIB, 1000 * KIB])
def test_where_a_body_is(room: Room, length: int, memory: int, disk: int, piece: int) -> None:
    data = pattern(length)
    whole = written(room, data, piece)
    assert used(room) == (memory, disk)
    assert whole.length == length
    assert read_all(whole) == data
    assert whole.read(length, 1) == whole.read(length + 5, 1) == b""
    whole.wait_whole()
    assert os.listdir(room.folder) == []  # a file on disk has no name
    whole.close()
    assert used(room) == (0, 0)
    whole.close()


def test_without_room_in_memory_it_goes_to_disk(room: Room) -> None:
    room.memory = 10
    first, second = written(room, b"123456", 6), written(room, b"abcdef", 6)
    assert used(room) == (6, 6)
    assert (read_all(first), read_all(second)) == (b"123456", b"abcdef")
    first.close()
    second.close()


def test_a_body_in_memory_moves_when_memory_gets_short(room: Room) -> None:
    room.memory = 10
    growing, other = Body(room), Body(room)
    growing.write(b"1234")
    other.write(b"abcdef")
    growing.write(b"5678")
    assert used(room) == (6, 8)
    growing.finish()
    assert read_all(growing) == b"12345678"
    growing.close()
    other.close()


@pytest.mark.parametrize("disk", [0, 3, 4, 7])
def test_without_room_anywhere_it_breaks(room: Room, disk: int) -> None:
    room.memory, room.disk = 4, disk
    whole = Body(room)
    whole.write(b"1234")
    with pytest.raises(Broken, match=r"\[cache\] size"):
        whole.write(b"5678")
    assert whole.length == 4
    assert whole.read(0, 100) == b"1234"
    whole.fail("no room")
    with pytest.raises(Broken, match=r"^no room$"):
        whole.read(4, 1)
    whole.close()


def test_a_folder_that_is_gone(room: Room) -> None:
    room.memory, room.folder = 4, room.folder / "gone"
    whole = Body(room)
    whole.write(b"1234")
    with pytest.raises(Broken, match="the cache cannot be used: No such file"):
        whole.write(b"5678")
    whole.close()


def test_a_full_disk(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.memory = 0
    whole = Body(room)
    whole.write(b"1234")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(body, "_write_all", full)
    with pytest.raises(Broken, match="No space left on device"):
        whole.write(b"5678")
    another = Body(room)
    with pytest.raises(Broken, match="No space left on device"):
        another.write(b"1")
    assert whole.read(0, 9) == b"1234"
    whole.close()
    another.close()


def test_a_part_on_disk_that_is_gone(room: Room) -> None:
    room.memory = 0
    whole = written(room, b"12345678", 8)
    assert whole._file is not None
    os.ftruncate(whole._file.descriptor, 4)
    with pytest.raises(Broken, match="gone"):
        whole.read(2, 4)
    whole.close()


@pytest.mark.parametrize("memory", [0, 4])
def test_a_writer_that_is_stopped_gives_the_room_back(
    room: Room, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    """As when the last phone goes while the disk is slow: at a write, or at the move from memory."""
    writing, go_on = threading.Event(), threading.Event()
    write_all = body._write_all

    def slow(file: body._File, data: bytes, offset: int) -> None:
        writing.set()
        assert go_on.wait(10)
        write_all(file, data, offset)

    room.memory = memory
    whole = Body(room)
    whole.write(b"1234")
    monkeypatch.setattr(body, "_write_all", slow)
    writer = gevent.spawn(whole.write, b"5678")
    while not writing.is_set():
        gevent.sleep(0.001)
    writer.kill(block=False)
    gevent.sleep(0)
    go_on.set()
    writer.join()
    whole.fail("stopped")
    whole.close()


def test_readers_follow_the_writer(room: Room) -> None:
    data = pattern(3 * MEMORY_MAX)
    whole = Body(room)
    readers = [gevent.spawn(read_all, whole, piece) for piece in (512, 64 * KIB, 5 * MEMORY_MAX)]
    gevent.idle()
    for start in range(0, len(data), 50_000):
        whole.write(data[start : start + 50_000])
        gevent.sleep(0)
    whole.finish()
    gevent.joinall(readers)
    assert [reader.value == data for reader in readers] == [True, True, True]
    whole.close()


def test_a_reader_waits_for_the_first_byte_alone(room: Room) -> None:
    whole = Body(room)
    reader = gevent.spawn(whole.read, 0, 100)
    late = gevent.spawn(whole.read, 4, 100)
    gevent.idle()
    assert not reader.ready()
    whole.write(b"1234")
    reader.join()
    assert reader.value == b"1234"
    gevent.idle()
    assert not late.ready()
    whole.finish()
    late.join()
    assert late.value == b""
    whole.close()


def test_readers_of_a_broken_body(room: Room) -> None:
    whole = Body(room)
    whole.write(b"1234")

    def outcome() -> tuple[bytes, str]:
        first = whole.read(0, 100)
        with pytest.raises(Broken) as broken:
            whole.read(4, 100)
        return first, str(broken.value)

    def waiting() -> str:
        with pytest.raises(Broken) as broken:
            whole.wait_whole()
        return str(broken.value)

    early, patient = gevent.spawn(outcome), gevent.spawn(waiting)
    gevent.idle()
    whole.fail("the cluster broke off")
    assert early.get() == (b"1234", "the cluster broke off")
    assert patient.get() == "the cluster broke off"
    assert outcome() == (b"1234", "the cluster broke off")  # what came is still told, its end never
    whole.close()


@pytest.mark.parametrize("memory", [0, 100])
@pytest.mark.parametrize(
    ("end", "offset", "count", "data"),
    [
        ("", 0, 4, b"0123"),
        ("", 4, 100, b"45678"),  # more may come: then this was not its last byte
        ("", 9, 100, None),
        ("", 10, 100, None),
        ("finished", 4, 100, b"456789"),
        ("finished", 9, 100, b"9"),
        ("finished", 10, 100, None),
        ("failed", 4, 100, b"45678"),
        ("failed", 9, 100, None),
        ("finished, failed", 9, 100, None),
    ],
)
def test_cached(memory: int, end: str, offset: int, count: int, data: bytes | None, room: Room) -> None:
    """On disk as far as it has come; in memory where it is whole, as it may move while it grows."""
    room.memory = memory
    whole = Body(room)
    whole.write(b"01234")
    whole.write(b"56789")
    if "finished" in end:
        whole.finish()
    if "failed" in end:
        whole.fail("broke off")
    got = whole.cached(offset, memoryview(bytearray(count)))
    if memory and end != "finished":
        assert got is None
    else:
        assert (None if got is None else bytes(got)) == data
    del got
    whole.close()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=30), max_size=12),
    st.integers(0, 100),
    st.integers(0, 150),
    st.integers(1, 40),
)
def test_what_is_written_is_read(
    tmp_path: Path, pieces: list[bytes], memory: int, disk: int, step: int
) -> None:
    room = Room(memory, disk, tmp_path)
    whole = Body(room)
    accepted = b""
    try:
        for piece in pieces:
            whole.write(piece)
            accepted += piece
        whole.finish()
    except Broken:
        whole.fail("no room")
    assert room.memory_used <= memory
    assert room.disk_used <= disk
    data = b""
    while len(data) < len(accepted):
        data += whole.read(len(data), step)
    assert data == accepted == b"".join(pieces)[: len(accepted)]
    whole.close()
    assert used(room) == (0, 0)
