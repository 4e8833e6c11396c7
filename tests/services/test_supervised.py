from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from appliance.services import supervised
from appliance.services.supervised import LINE_MAX, Supervised

LONG = 20.0  # s

Start = Callable[..., Supervised]


def await_(condition: Callable[[], object], what: str) -> None:
    with gevent.Timeout(LONG, AssertionError(f"waited in vain: {what}")):
        while not condition():
            gevent.sleep(0.01)


class Ears:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.heard: list[str] = []


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, ears: Ears) -> Iterator[Start]:
    """Starts a shell as `one`."""
    monkeypatch.setattr(supervised, "BACKOFF_MIN", 0.02)
    monkeypatch.setattr(supervised, "STOP_MAX", 0.5)
    started: list[Supervised] = []

    def shell(script: str, *, errors: bool = False, argv: tuple[str, ...] = ("sh", "-c")) -> Supervised:
        started.append(
            Supervised("one", [*argv, script], ears.told.append, heard=ears.heard.append, errors=errors)
        )
        return started[-1]

    yield shell
    for each in started:
        each.stop()


def test_it_is_heard(start: Start, ears: Ears) -> None:
    one = start("echo out; echo err >&2; exec sleep 60", errors=True)
    await_(lambda: len(ears.heard) == 2, "both lines")
    assert sorted(ears.heard) == ["err", "out"]
    assert one.running
    one.stop()
    assert not one.running
    assert (one.pid, ears.told) == (None, [])


def test_a_line_without_end_is_heard_in_pieces(start: Start, ears: Ears) -> None:
    start(f"head -c {10 * LINE_MAX} /dev/zero | tr '\\0' x; exec sleep 60")
    await_(lambda: len(ears.heard) == 10, "the pieces")
    assert {len(line) for line in ears.heard} == {LINE_MAX}


def test_one_that_ends_is_started_again(start: Start, ears: Ears, tmp_path: Path) -> None:
    """What is always the same is told once."""
    starts = tmp_path / "starts"
    one = start(f"echo x >> {starts}; exit 3")
    await_(lambda: starts.exists() and starts.read_text() == 4 * "x\n", "4 starts")
    assert ears.told == ["one: sh ended with 3; it is started again"]
    assert one.why == "sh ended with 3"


def test_its_children_do_not_hide_its_end(start: Start, ears: Ears, tmp_path: Path) -> None:
    """They hold its output open."""
    starts = tmp_path / "starts"
    start(f"sleep 60 & echo $! >> {starts}; exit 3")
    await_(lambda: starts.exists() and len(starts.read_text().split()) >= 2, "2 starts")
    for pid in starts.read_text().split():
        os.kill(int(pid), 9)


def test_one_that_is_not_there(start: Start, ears: Ears) -> None:
    start("x", argv=("/nonexistent/program",))
    await_(lambda: ears.told, "the reason")
    assert ears.told[0].startswith("one: program cannot be started: No such file")


def test_one_that_does_not_end_by_itself(start: Start, ears: Ears) -> None:
    one = start("trap '' TERM; echo here; while :; do sleep 0.05; done")
    await_(lambda: ears.heard, "its start")
    one.stop()
    assert not one.running
