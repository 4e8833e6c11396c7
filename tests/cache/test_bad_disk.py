"""A disk that is full, worn, hanging or gone: told once, and never in the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from appliance.cache import kept, reader, threads, writer
from appliance.cache.entry import HEAD, file_name
from appliance.cache.kept import SMALL
from tests.cache.folder import BAD_SECTOR, NO_DESCRIPTORS, NO_SPACE, READ_ONLY, Cache, until

LARGE = os.urandom(SMALL + 5000)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """One that takes the disk for hanging after a short time."""
    monkeypatch.setattr(reader, "PATIENCE", 0.1)
    monkeypatch.setattr(writer, "PATIENCE", 0.1)
    return Cache(tmp_path, size=8_000_000)


@pytest.mark.parametrize("fault", [NO_SPACE, READ_ONLY])
def test_a_full_disk_is_told_of_once(cache: Cache, fault: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store(b"1")
    cache.disk.fault = fault
    assert not cache.store(b"2", name="y")
    drafts = cache.disk.drafts
    assert not cache.store(b"3", name="z")
    assert cache.disk.drafts == drafts  # not tried again at once
    assert cache.told == [f"no files are kept: {os.strerror(fault)}"]
    assert cache.kept.usage().fault == os.strerror(fault)
    assert cache.get() == b"1"
    cache.disk.fault = None
    monkeypatch.setattr(writer, "REST", 0)
    assert cache.store(b"2", name="y")
    assert cache.kept.usage().fault == ""
    assert len(cache.told) == 1


def test_a_file_that_does_not_fit(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if offset > HEAD:  # the second piece
            raise OSError(NO_SPACE, "No space left on device")
        return written(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    assert not cache.store(LARGE, inside=False)
    until(lambda: cache.files() == 0)
    assert len(cache.told) == 1


def test_a_fault_that_comes_again_is_told_again_later(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "REST", 0)
    for again, told in ((60.0, 1), (60.0, 1), (0.0, 2)):
        monkeypatch.setattr(threads, "TOLD_AGAIN", again)
        cache.disk.fault = NO_SPACE
        assert not cache.store(b"1")
        cache.disk.fault = None
        assert cache.store(b"1")
        cache.kept.forget(lambda name: True)
        assert len(cache.told) == told


def test_a_disk_that_hangs_while_it_is_written(cache: Cache) -> None:
    cache.store(b"1")
    cache.disk.go_on.clear()
    assert not cache.store(b"2", name="y")
    assert not cache.store(b"3", name="z")
    assert cache.told == ["no files are kept: the disk has not answered within 0.1 s"]
    assert cache.get() == b"1"  # from memory
    cache.kept.forget(lambda name: True)  # waits for nothing
    assert cache.get() is None
    cache.disk.go_on.set()
    until(lambda: not cache.kept._writer.threads.hangs)


def test_a_disk_that_hangs_while_it_is_read(cache: Cache) -> None:
    cache.store(b"1", inside=False)
    cache.store(LARGE, name="large")
    cache.disk.go_on.clear()
    assert cache.get() is None
    reads = cache.disk.reads
    assert cache.get() is None
    assert cache.get("large") is None
    assert cache.disk.reads == reads  # nothing more is asked of it
    assert cache.told == ["kept files cannot be read: the disk has not answered within 0.1 s"]
    cache.disk.go_on.set()
    until(lambda: not cache.kept._reader.threads.hangs)
    assert cache.get() == b"1"
    assert cache.get("large") == LARGE


def test_a_reader_that_is_stopped_while_the_disk_hangs(cache: Cache) -> None:
    cache.store(b"1", inside=False)
    cache.disk.go_on.clear()
    reading = gevent.spawn(cache.get)
    until(lambda: cache.disk.reads == 1)
    reading.kill()
    until(lambda: cache.kept._reader.threads.hangs)
    assert cache.get() is None
    cache.disk.go_on.set()
    until(lambda: cache.get() == b"1")


def test_a_bad_sector(cache: Cache) -> None:
    """A file that cannot be read must not be taken for a good one when the cluster confirms it."""
    cache.store(b"1", inside=False)
    cache.disk.fault = BAD_SECTOR
    assert cache.get() is None
    cache.disk.fault = None
    assert cache.kept.usage().entries == 0
    assert cache.store(b"1")
    assert cache.get() == b"1"


def test_no_descriptors_is_no_damage(cache: Cache) -> None:
    cache.store(b"1", inside=False)
    cache.disk.fault = NO_DESCRIPTORS
    assert cache.get() is None
    cache.disk.fault = None
    assert cache.get() == b"1"


@pytest.mark.parametrize("data", [b"<rings/>" * 100, LARGE])
@pytest.mark.parametrize("offset", [0, HEAD, -1])
@pytest.mark.parametrize("again", [True, False])
def test_a_worn_file_is_not_served(cache: Cache, data: bytes, offset: int, again: bool) -> None:
    cache.store(data, inside=False)
    file = cache.folder / file_name(("east", "x"))
    worn = bytearray(file.read_bytes())
    worn[offset] ^= 1
    file.write_bytes(worn)
    if again:
        cache.again()
    elif len(data) > SMALL and offset:
        return  # was written in this run, and found whole: it is not read twice
    assert cache.get() is None
    assert cache.kept.lookup("east", "x", "common") is None
    until(lambda: cache.files() == 0)
    assert cache.store(data)
    assert cache.get() == data


@pytest.mark.parametrize("data", [b"<rings/>" * 100, LARGE])
def test_a_file_that_is_gone(cache: Cache, data: bytes) -> None:
    cache.store(data, inside=False)
    os.unlink(cache.folder / file_name(("east", "x")))
    assert cache.get() is None
    assert cache.kept.usage().damaged == 1
    assert cache.told == []


def test_a_large_file_is_checked_once_for_all_who_ask(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store(LARGE)
    cache.again()
    fed: list[int] = []
    feed = reader.Copy.feed

    def counting(copy: reader.Copy, update: Callable[[bytes], None], offset: int, length: int) -> None:
        fed.append(offset)
        feed(copy, update, offset, length)

    monkeypatch.setattr(reader.Copy, "feed", counting)
    asking = [gevent.spawn(cache.get) for _ in range(5)]
    assert [each.get() for each in asking] == [LARGE] * 5
    assert cache.get() == LARGE
    assert fed == [0, reader.PIECE]


def test_a_check_that_takes_long_holds_nobody_up(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "CHECK_PATIENCE", 0.0)
    cache.store(LARGE)
    cache.again()
    assert cache.get() is None
    until(lambda: cache.get() == LARGE)  # the check has gone on
    assert cache.kept.usage().damaged == 0


def test_a_folder_that_cannot_be_looked_at(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store(b"1")
    monkeypatch.setattr(kept, "REST", 0.01)
    cache.begin()
    cache.disk.fault = NO_DESCRIPTORS
    until(lambda: bool(cache.told))
    assert not cache.store(b"2", name="y")
    cache.disk.fault = None
    cache.kept.loaded.wait()
    assert cache.get() == b"1"


def test_what_could_not_be_removed_is_removed_later(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "REST", 0.01)
    cache.store(b"1", kind="device")
    cache.disk.fault = READ_ONLY
    cache.kept.forget(lambda name: True)
    until(lambda: bool(cache.told))
    assert cache.files() == 1
    cache.disk.fault = None
    until(lambda: cache.files() == 0)
