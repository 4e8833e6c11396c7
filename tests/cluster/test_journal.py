from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from appliance.cluster import journal as module
from appliance.cluster.homes import Home, Homes
from appliance.cluster.journal import Journal
from tests.hub import watched

NOW = 1_700_000_000.0
QUICK = 0.02  # s between two writes


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watched():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "homes"


class Box:
    """One run of the process: its homes, its journal, and what it was told of the disk."""

    def __init__(self, path: Path, every: float = QUICK, patience: float = 5) -> None:
        self.homes = Homes()
        self.faults: list[str] = []
        self.journal = Journal(path, self.homes, self.faults.append, every, patience)
        self.journal.start()

    def learn(self, *numbers: int, place: str = "east") -> None:
        for number in numbers:
            self.homes.learn(f"D{number}", Home(place, NOW, NOW))

    def known(self) -> dict[str, str]:
        found = {device: self.homes.of(device, NOW) for device in self.homes.devices()}
        return {device: home.place for device, home in found.items() if home is not None}


def after(path: Path) -> dict[str, str]:
    """What the next process knows."""
    box = Box(path)
    assert box.faults == []
    known = box.known()
    box.journal.close()
    return known


def until(true: Callable[[], object]) -> None:
    """Bounded by the fixture."""
    while not true():
        gevent.sleep(0.005)


def holds(path: Path, text: str) -> Callable[[], bool]:
    return lambda: path.exists() and text in path.read_text()


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_what_is_learned_outlives_the_process(path: Path) -> None:
    box = Box(path)
    box.learn(1, 2, 3)
    box.homes.named("10.1.1.1", "D1", NOW)
    until(lambda: lines(path) == 4)
    box.learn(2, place="west")
    box.homes.forget(lambda device, _: device == "D3")
    box.journal.close()
    assert lines(path) == 6
    again = Box(path)
    assert again.known() == {"D1": "east", "D2": "west"}
    assert [neighbour.home for neighbour in again.homes.at("10.1.1.1", NOW)] == ["east"]
    again.journal.close()
    assert (box.faults, again.faults, again.journal.skipped) == ([], [], 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_has_not_changed_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = list[int](), os.fsync

    def counted(descriptor: int) -> None:
        synced.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    box = Box(path)
    box.learn(1)
    box.homes.named("10.1.1.1", "D1", NOW)
    until(lambda: box.journal.lines == 2)
    count = len(synced)
    for _ in range(20):
        box.learn(1)
        box.homes.named("10.1.1.1", "D1", NOW + 10)
        gevent.sleep(QUICK / 4)
    box.journal.close()
    assert (lines(path), len(synced)) == (2, count)


def test_changes_wait_for_each_other(path: Path) -> None:
    box = Box(path, every=30)
    gevent.sleep(0)
    box.learn(1)
    box.learn(2)
    gevent.sleep(0.05)
    assert lines(path) == 0
    box.journal.close()
    assert after(path) == {"D1": "east", "D2": "east"}


def test_a_journal_of_more_than_twice_the_live_entries_is_made_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLACK", 10)
    box = Box(path)
    box.learn(1, 2, 3)
    path.parent.mkdir(exist_ok=True)
    path.with_name("homes.new").write_bytes(b"left by a power cut")
    most = 0
    for turn in range(40):
        box.learn(2, place=f"place {turn}")
        until(holds(path, f"place {turn}"))
        most = max(most, lines(path))
    box.journal.close()
    assert 10 <= most <= 2 * 3 + 10
    assert os.listdir(path.parent) == ["homes"]
    assert after(path) == {"D1": "east", "D2": "place 39", "D3": "east"}


@pytest.mark.parametrize("tail", [b"torn", b"\0" * 100, b"deadbeef {}\n", b"\xff\n\n", b"x" * 200_000])
def test_a_torn_or_foreign_line_is_skipped_and_nothing_sticks_to_it(path: Path, tail: bytes) -> None:
    box = Box(path)
    box.learn(1)
    box.journal.close()
    with path.open("ab") as file:
        file.write(tail)
    box = Box(path)
    assert box.known() == {"D1": "east"}
    assert box.journal.skipped >= 1
    box.learn(2)
    box.journal.close()
    assert after(path) == {"D1": "east", "D2": "east"}


@pytest.mark.parametrize("made", ["folder", "pipe", "no folder"])
def test_a_journal_that_cannot_be_used_is_told_once(path: Path, made: str) -> None:
    path.parent.mkdir()
    match made:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "no folder":
            path.parent.rmdir()
            path.parent.write_bytes(b"")
    box = Box(path)
    for number in range(20):
        box.learn(number)
        gevent.sleep(QUICK / 2)
    assert len(box.known()) == 20
    assert len(box.faults) == 1
    assert box.faults[0].startswith("homes are not kept over a restart: homes cannot be ")
    box.journal.close()


def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> Callable[[], None]:
    """The call fails until the returned function is called."""
    real = getattr(os, call)
    state = {"fails": True}

    def either(*arguments: object, **how: object) -> object:
        if state["fails"] and threading.current_thread() is not threading.main_thread():
            raise OSError(number, os.strerror(number))
        return real(*arguments, **how)

    monkeypatch.setattr(os, call, either)
    return lambda: state.update(fails=False)


@pytest.mark.parametrize(
    ("call", "number"),
    [("write", errno.ENOSPC), ("fsync", errno.EIO), ("open", errno.EROFS), ("rename", errno.EIO)],
)
def test_a_disk_that_fails_and_works_again(
    path: Path, call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_MAX", QUICK)
    if call == "rename":
        monkeypatch.setattr(module, "SLACK", -1_000)  # every change makes a new file
    box = Box(path)
    box.learn(1)
    until(lambda: lines(path) == 1)
    mend = failing(monkeypatch, call, number)
    box.learn(2)
    until(lambda: box.faults)
    box.learn(3)
    gevent.sleep(5 * QUICK)
    assert box.faults == [
        f"homes are not kept over a restart: homes cannot be written: {os.strerror(number)}"
    ]
    mend()
    until(lambda: lines(path) == 3 and b"D3" in path.read_bytes())
    box.journal.close()
    assert after(path) == {"D1": "east", "D2": "east", "D3": "east"}
    assert os.listdir(path.parent) == ["homes"]


def test_a_full_disk_takes_half_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(path, every=30)
    box.learn(1)
    box.journal.close()
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) <= 20:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, data[:20])

    box = Box(path, every=30)
    box.learn(2)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        box.journal.close()
    assert len(box.faults) == 1
    assert after(path) == {"D1": "east"}


def hanging(monkeypatch: pytest.MonkeyPatch, call: str) -> threading.Event:
    """The call hangs in other threads until the event is set."""
    real, go = getattr(os, call), threading.Event()

    def late(*arguments: object, **how: object) -> object:
        if threading.current_thread() is not threading.main_thread():
            go.wait(10)
        return real(*arguments, **how)

    monkeypatch.setattr(os, call, late)
    return go


def test_a_disk_that_hangs_holds_up_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(path, patience=0.05)
    go = hanging(monkeypatch, "fsync")
    box.learn(1)
    began = time.monotonic()
    until(lambda: box.faults)
    assert box.faults == ["homes are not kept over a restart: homes has kept the disk busy for 0.05 s"]
    box.learn(2)
    box.journal.close()
    assert 0.9 < time.monotonic() - began < 5
    go.set()
    assert after(path) == {"D1": "east"}  # the second was never begun


def test_the_end_waits_for_a_write_that_is_running(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(path)
    go = hanging(monkeypatch, "fsync")
    box.learn(1)
    until(lambda: lines(path) == 1)
    box.learn(2)
    gevent.spawn_later(0.1, go.set)
    box.journal.close()
    assert go.is_set()
    assert after(path) == {"D1": "east", "D2": "east"}


def test_a_disk_that_hangs_at_the_start_gives_the_homes_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Box(path)
    first.learn(1, 2, 3)
    first.journal.close()
    go = hanging(monkeypatch, "open")
    box = Box(path, patience=0.05)
    box.learn(2, 4, place="west")
    assert "D1" not in box.known()
    until(lambda: box.faults)
    go.set()
    until(lambda: len(box.known()) == 4)
    expected = {"D1": "east", "D2": "west", "D3": "east", "D4": "west"}
    assert box.known() == expected
    box.journal.close()
    assert after(path) == expected


def test_nothing_is_written_over_what_could_not_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Box(path)
    first.learn(1)
    first.journal.close()
    before = path.read_bytes()
    mend = failing(monkeypatch, "open", errno.EIO)
    box = Box(path)
    box.learn(2)
    box.journal.close()
    mend()
    assert path.read_bytes() == before


WRITER = """
import sys, gevent
from pathlib import Path
from appliance.cluster import journal
from appliance.cluster.homes import Home, Homes
journal.SLACK = 50
homes = Homes()
keeper = journal.Journal(Path(sys.argv[1]), homes, print, every=0.005)
keeper.start()
turn = max((int(homes.of(device, 1_700_000_000.0).place) for device in homes.devices()), default=0)
while True:
    turn += 1
    for number in range(40):
        homes.learn(f"D{number}", Home(str(turn), 1_700_000_000.0, 1_700_000_000.0))
    lines = keeper.lines
    while keeper.lines == lines:
        gevent.sleep(0.001)
    print(turn, flush=True)  # this turn is on disk
"""


def test_a_process_that_is_killed_loses_nothing_that_was_written(path: Path) -> None:
    chance = random.Random(5)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            turns = [int(process.stdout.readline())]
            time.sleep(chance.uniform(0, 0.1))  # the moment, not a wait for anything
            process.send_signal(signal.SIGKILL)
            turns += [int(line) for line in process.stdout.read().split()]
        known = after(path)
        assert len(known) == 40
        assert min(map(int, known.values())) >= turns[-1]
