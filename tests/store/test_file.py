from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.store.folder import File, FileChanged, Folder, StoreUnavailable
from tests.store.looking import descriptors, got

LONG_AGO = 10**9  # s; so that every change shows in the times


@pytest.fixture
def file(root: Path, folder: Folder) -> Iterator[File]:
    (root / "file").write_bytes(b"0123456789")
    os.utime(root / "file", (LONG_AGO, LONG_AGO))
    file = folder.open("file")
    assert file is not None
    yield file
    file.close()


@pytest.mark.parametrize(
    ("offset", "length", "data"),
    [
        (0, 10, b"0123456789"),
        (0, 4, b"0123"),
        (8, 2, b"89"),
        (8, 512, b"89"),
        (9, 1, b"9"),
        (10, 1, b""),
        (99, 1, b""),
        (0, 0, b""),
        (10, 0, b""),
        (0, 2**62, b"0123456789"),
    ],
)
def test_read(file: File, offset: int, length: int, data: bytes) -> None:
    assert file.size == 10
    assert file.read(offset, length) == data


@pytest.mark.parametrize(
    ("offset", "room", "data"),
    [
        (0, 10, b"0123456789"),
        (0, 4, b"0123"),
        (8, 512, b"89"),
        (10, 1, b""),
        (99, 1, b""),
        (0, 0, b""),
        (3, 0, b""),
    ],
)
def test_read_cached(file: File, offset: int, room: int, data: bytes) -> None:
    """What was read just now needs no waiting for."""
    file.read(0, 10)
    buffer = bytearray(room)
    assert file.read_cached(offset, memoryview(buffer)) == len(data)
    assert buffer.startswith(data)


@pytest.mark.parametrize("change", ["longer", "shorter", "other", "closed"])
def test_read_cached_leaves_to_read_what_raises(change: str, root: Path, file: File) -> None:
    match change:
        case "longer":
            with (root / "file").open("ab") as behind:
                behind.write(b"more")
        case "shorter":
            os.truncate(root / "file", 9)
        case "other":
            (root / "file").write_bytes(b"9876543210")
        case "closed":
            file.close()
    buffer = memoryview(bytearray(10))
    assert file.read_cached(0, buffer) in (0, 9)
    assert file.read_cached(9, buffer) == 0
    with pytest.raises((FileChanged, ValueError)):
        file.read(9, 1)


def test_read_cached_on_a_file_system_that_cannot_tell(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (errno.EAGAIN, errno.EOPNOTSUPP):

        def preadv(*_: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "preadv", preadv)
        assert file.read_cached(0, memoryview(bytearray(10))) == 0
    assert file.read(0, 10) == b"0123456789"


def test_read_of_an_empty_file(root: Path, folder: Folder) -> None:
    (root / "empty").touch()
    assert got(folder, "empty") == ("empty", b"")


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1)])
def test_read_counts_from_0(file: File, offset: int, length: int) -> None:
    with pytest.raises(ValueError, match="from 0"):
        file.read(offset, length)


def rewrite(path: Path) -> None:
    path.write_bytes(b"abcdefghij")


def replace(path: Path) -> None:
    (path.parent / "new").write_bytes(b"abc")
    (path.parent / "new").replace(path)


@pytest.mark.parametrize(
    ("change", "offset", "length", "data"),
    [
        # 3c row 41. In the middle nothing is seen of a change that leaves enough bytes ...
        (lambda path: os.truncate(path, 6), 0, 4, b"0123"),
        (lambda path: path.write_bytes(b"0123456789+"), 0, 4, b"0123"),
        # ... but no read past the new end, and none that reaches the old end, passes.
        (lambda path: os.truncate(path, 6), 4, 4, None),
        (lambda path: os.truncate(path, 6), 8, 2, None),
        (lambda path: os.truncate(path, 0), 0, 10, None),
        (lambda path: path.write_bytes(b"0123456789+"), 4, 6, None),
        (lambda path: path.write_bytes(b"0123456789+"), 0, 11, None),
        (lambda path: path.write_bytes(b"0123456789+"), 10, 1, None),
        (rewrite, 0, 10, None),
        (Path.touch, 0, 10, None),
        # What is open goes on as it was when its name is given to another file.
        (replace, 0, 10, b"0123456789"),
        (Path.unlink, 0, 10, b"0123456789"),
        (lambda path: path.chmod(0o400), 0, 10, b"0123456789"),
    ],
)
def test_changed_while_read(
    root: Path, file: File, change: Callable[[Path], object], offset: int, length: int, data: bytes | None
) -> None:
    change(root / "file")
    if data is None:
        with pytest.raises(FileChanged):
            file.read(offset, length)
    else:
        assert file.read(offset, length) == data


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda path: None, False),
        (lambda path: path.chmod(0o400), False),
        (rewrite, True),
        (replace, True),
        (Path.touch, True),
        (lambda path: os.truncate(path, 6), True),
    ],
)
def test_version(
    root: Path, folder: Folder, file: File, change: Callable[[Path], object], differs: bool
) -> None:
    change(root / "file")
    again = folder.open("FILE")
    assert again is not None
    assert (again.version != file.version) is differs
    again.close()


@pytest.mark.parametrize("call", ["pread", "fstat"])
def test_a_failing_disk_is_no_end_of_file(file: File, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: int) -> object:
        raise OSError(errno.EIO, "disk")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing)
        with pytest.raises(StoreUnavailable, match="file"):
            file.read(0, 10)


def test_close(file: File) -> None:
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(0, 1)


def test_close_waits_for_the_read_that_runs(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go = threading.Event(), threading.Event()
    real_pread = os.pread

    def slow(descriptor: int, length: int, offset: int) -> bytes:
        reading.set()
        assert go.wait(10)
        return real_pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", slow)
    data: list[bytes] = []
    thread = threading.Thread(target=lambda: data.append(file.read(0, 10)))
    before = descriptors()
    thread.start()
    assert reading.wait(10)
    file.close()  # does not block
    assert descriptors() == before
    go.set()
    thread.join(10)
    assert data == [b"0123456789"]
    assert descriptors() == before - 1


def test_a_file_that_nobody_took_is_let_go(folder: Folder) -> None:
    before = descriptors()
    folder.open("RingList.xml")
    assert descriptors() == before


def test_what_follows_the_first_bytes(root: Path, folder: Folder) -> None:
    (root / "x").write_bytes(b"head and body")
    file = folder.open("x")
    assert file is not None
    file.skip(5)
    assert (file.size, file.start) == (8, 5)
    assert file.read(0, 100) == b"and body"
    assert file.read(4, 2) == b"bo"
    assert file.read(8, 1) == b""
    buffer = bytearray(20)
    count = file.read_cached(4, memoryview(buffer))
    assert bytes(buffer[:count]) in (b"body", b"")  # not every file system can tell
    file.skip(8)
    assert (file.size, file.read(0, 1)) == (0, b"")
    with pytest.raises(ValueError, match="1 bytes of a file of 0"):
        file.skip(1)
    file.close()


def test_a_change_is_seen_behind_the_first_bytes(root: Path, folder: Folder) -> None:
    (root / "x").write_bytes(b"head and body")
    file = folder.open("x")
    assert file is not None
    file.skip(5)
    os.truncate(root / "x", 9)
    with pytest.raises(FileChanged):
        file.read(0, 8)
    file.close()
