"""The store as greenlets ask it: what is kept for a moment, and looked at again before that is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from appliance.serve import storage
from appliance.serve.storage import AHEAD, FRESH, Opened, Storage
from appliance.store.store import Store

STEP = FRESH - AHEAD + 0.01  # s after which a look is old enough to be renewed, and not yet too old


class Clock:
    """The time that the store goes by."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(storage, "time", clock)
    return clock


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tftp"
    root.mkdir()
    return root


def opened(root: Path) -> Storage:
    """Later than anything was written: a folder that has just been written to may change unseen."""
    return Storage(Store(root, root.parent / "made", lambda: time.time() + 60), 5.0, 1_000_000)


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.002)


def head(kept: tuple[bool, object]) -> bytes | None:
    """The bytes of a file that is known; None where it is not known."""
    known, looked = kept
    return looked.head if known and isinstance(looked, Opened) else None


def test_what_nobody_asks_for_is_soon_too_old(root: Path, clock: Clock) -> None:
    (root / "a").write_bytes(b"1")
    files = opened(root)
    assert head(files.kept("a")) is None
    files.open("a")
    assert head(files.kept("a")) == b"1"
    clock.now += FRESH
    assert head(files.kept("a")) is None


def test_what_is_asked_for_is_looked_at_again_in_time(root: Path, clock: Clock) -> None:
    (root / "a").write_bytes(b"1")
    files = opened(root)
    files.open("a")
    for content in (b"2", b"3", b"4"):
        before = head(files.kept("a"))
        (root / "new").write_bytes(content)
        (root / "new").rename(root / "a")
        clock.now += STEP
        assert head(files.kept("a")) == before
        until(lambda content=content: head(files.kept("a")) == content)  # type: ignore[misc]


def test_a_file_that_has_gone_is_found_missing(root: Path, clock: Clock) -> None:
    (root / "a").write_bytes(b"1")
    files = opened(root)
    files.open("a")
    (root / "a").unlink()
    clock.now += STEP
    assert head(files.kept("a")) == b"1"
    until(lambda: files.kept("a") == (True, None))


def test_one_that_has_grown_large_is_opened_by_who_asks_next(root: Path, clock: Clock) -> None:
    (root / "a").write_bytes(b"1")
    files = opened(root)
    files.open("a")
    (root / "a").write_bytes(bytes(storage.HEAD_MAX + 1))
    clock.now += STEP
    assert head(files.kept("a")) == b"1"
    gevent.sleep(0.05)
    clock.now += STEP
    assert files.kept("a") == (False, None)
    looked = files.open("a")
    assert isinstance(looked, Opened)
    assert looked.head == b""
    looked.file.close()


def test_names_that_are_not_there_are_renewed_as_well(root: Path, clock: Clock) -> None:
    files = opened(root)
    files.open("x")
    until(lambda: files.kept("y") == (True, None))
    for _ in range(3):
        clock.now += STEP
        assert files.kept("y") == (True, None)
        until(lambda: files._names_until >= clock.now + FRESH)
    (root / "y").write_bytes(b"1")
    clock.now += STEP
    files.kept("z")
    until(lambda: files.kept("y") == (False, None))
