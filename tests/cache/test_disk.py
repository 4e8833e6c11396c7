from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.cache.disk import Disk
from appliance.cache.entry import HEAD, Entry, NotAnEntry, file_name
from tests.cache.test_entry import RINGS

KEY = RINGS.key
FILE = file_name(KEY)
BODY = b"<rings/>" * 1000


def put(disk: Disk, *pieces: bytes, entry: Entry = RINGS) -> Entry:
    draft = disk.draft(entry.key)
    for piece in pieces:
        draft.write(piece)
    return draft.commit(entry)


def test_there_and_back(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    entry = put(disk, BODY[:100], BODY[100:])
    assert entry == replace(RINGS, length=len(BODY), digest=entry.digest)
    assert disk.read(KEY) == (entry, BODY)
    opened = disk.open(KEY)
    assert [opened.read(*part) for part in ((0, 5), (7990, 100), (8000, 1), (9000, 1))] == [
        *(BODY[:5], BODY[7990:], b"", b"")
    ]
    fed: list[bytes] = []
    opened.feed(fed.append, 0, 10)
    assert fed == [BODY[:10]]
    [look] = disk.look(disk.names())
    assert (look.name, look.entry, look.confirmed) == (FILE, entry, RINGS.fetched)


def test_only_our_user_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        put(Disk(tmp_path), BODY)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_empty(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    entry = put(disk)
    assert disk.read(KEY) == (entry, b"")


def test_a_new_one_takes_the_place_of_the_old_and_who_reads_that_reads_on(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    put(disk, b"old")
    opened = disk.open(KEY)
    put(disk, b"newer")
    assert opened.read(0, 9) == b"old"
    assert disk.read(KEY)[1] == b"newer"
    assert os.listdir(tmp_path) == [FILE]


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    first, second = disk.draft(KEY), disk.draft(KEY)
    first.write(b"1")
    second.write(b"2")
    second.commit(RINGS)
    first.abort()
    first.abort()
    assert disk.read(KEY)[1] == b"2"
    assert os.listdir(tmp_path) == [FILE]


def test_leftovers_are_removed_at_the_start_and_nothing_else(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.draft(KEY).write(b"1")
    put(disk, BODY)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / f"{FILE}.9.new").mkdir()
    assert disk.names() == [FILE]
    assert sorted(os.listdir(tmp_path)) == sorted([FILE, "notes.txt", f"{FILE}.9.new"])


def test_confirmed(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    put(disk, BODY)
    disk.note(KEY, 1_800_000_000.0)
    disk.note(("east", "another"), 1.0)
    assert [look.confirmed for look in disk.look([FILE])] == [1_800_000_000.0]


def test_remove(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    put(disk, BODY)
    (tmp_path / "folder").mkdir()
    disk.remove([FILE, FILE, "folder"])
    assert os.listdir(tmp_path) == ["folder"]
    with pytest.raises(NotAnEntry, match="gone"):
        disk.read(KEY)


def assert_not_served(disk: Disk) -> None:
    for use in (disk.read, disk.open):
        with pytest.raises((NotAnEntry, OSError)):
            use(KEY)
    assert [look.entry for look in disk.look([FILE])] == [None]


@pytest.mark.parametrize("length", [0, 1, HEAD - 1, HEAD, HEAD + len(BODY) - 1, HEAD + len(BODY) + 1])
def test_a_file_of_another_length(tmp_path: Path, length: int) -> None:
    disk = Disk(tmp_path)
    put(disk, BODY)
    os.truncate(tmp_path / FILE, length)
    assert_not_served(disk)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, HEAD + len(BODY) - 1), st.integers(1, 255))
def test_an_altered_byte_is_seen(tmp_path: Path, place: int, change: int) -> None:
    disk = Disk(tmp_path)
    put(disk, BODY)
    data = bytearray((tmp_path / FILE).read_bytes())
    data[place] ^= change
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(NotAnEntry):
        disk.read(KEY)


def test_an_entry_under_anothers_name(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    other = replace(RINGS, name="x")
    put(disk, BODY, entry=other)
    os.rename(tmp_path / file_name(other.key), tmp_path / FILE)
    assert_not_served(disk)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("sort", ["pipe", "folder", "link"])
def test_what_is_no_file(tmp_path: Path, sort: str) -> None:
    disk = Disk(tmp_path)
    match sort:
        case "pipe":
            os.mkfifo(tmp_path / FILE)
        case "folder":
            (tmp_path / FILE).mkdir()
        case _:
            put(disk, BODY)
            os.rename(tmp_path / FILE, tmp_path / "elsewhere")
            (tmp_path / FILE).symlink_to("elsewhere")
    assert_not_served(disk)


def test_a_part_that_is_gone_while_it_is_read(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    put(disk, BODY)
    opened = disk.open(KEY)
    os.truncate(tmp_path / FILE, HEAD + 10)
    with pytest.raises(NotAnEntry, match="gone"):
        opened.read(0, 100)


def test_descriptors_are_closed(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    put(disk, BODY)
    disk.draft(KEY)
    disk.open(KEY)
    disk.read(KEY)
    disk.look([FILE])
    os.truncate(tmp_path / FILE, 5)
    with pytest.raises(NotAnEntry):
        disk.open(KEY)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "gone")
    for use in (disk.names, lambda: disk.draft(KEY)):
        with pytest.raises(OSError, match="No such file"):
            use()
