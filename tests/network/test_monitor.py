"""Rings of a real kernel, in a namespace of their own, and the looks that follow."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest

from appliance.network import monitor
from appliance.network.monitor import TRIES, Monitor
from tests.netns.process import run

pytestmark = pytest.mark.root

CLONE_NEWNET = 0x40000000
MANY = 2000
"""Changes that make more rings than a socket holds."""


@pytest.fixture
def namespace() -> Iterator[None]:
    """This thread, and what it starts, is in an empty network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        libc.setns(before, CLONE_NEWNET)
        os.close(before)


def ip(*lines: str) -> None:
    """Commands of `ip`, in this namespace."""
    done = run(["ip", "-batch", "-"], timeout=60, text_in="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr


def links() -> frozenset[str]:
    return frozenset(name for _, name in socket.if_nameindex())


class Watched:
    """What a monitor has told."""

    def __init__(self, look: Callable[[], frozenset[str]]) -> None:
        self.seen: list[frozenset[str]] = []
        self.faults: list[Exception] = []
        self.monitor = Monitor(look, self.seen.append, self.faults.append)

    def until(self, condition: Callable[[], bool]) -> None:
        with gevent.Timeout(20):
            while not condition():
                gevent.sleep(0.01)


@contextmanager
def watched(look: Callable[[], frozenset[str]] = links) -> Iterator[Watched]:
    made = Watched(look)
    try:
        yield made
    finally:
        made.monitor.close()


def test_each_change_is_seen(namespace: None) -> None:
    """Of links, addresses of both families, and IPv6 switched on and off."""
    with watched() as here:
        here.monitor.start()
        for line in (
            "link add one type bridge",
            "link set one up",
            "address add 10.9.0.1/24 dev one",
            "address add fd99::1/64 dev one",
            "address del 10.9.0.1/24 dev one",
            "link del one",
        ):
            count = len(here.seen)
            ip(line)
            here.until(lambda count=count: len(here.seen) > count)  # type: ignore[misc]
        assert here.seen[0] == {"lo", "one"}
        here.until(lambda: here.seen[-1] == {"lo"})
        assert here.faults == []


def test_rings_that_come_together_are_one(namespace: None) -> None:
    with watched() as here:
        here.monitor.start()
        ip("link add one type bridge", *(f"address add 10.9.0.{each}/32 dev one" for each in range(200)))
        ip("link add last type bridge")
        here.until(lambda: bool(here.seen) and "last" in here.seen[-1])
        assert len(here.seen) < 20


def test_what_changes_before_the_start_is_seen(namespace: None) -> None:
    """And be it more than the socket holds."""
    with watched() as here:
        ip("link add one type bridge")
        ip(*(f"address add 10.{number // 250}.{number % 250}.1/32 dev one" for number in range(MANY)))
        here.monitor.start()
        here.until(lambda: bool(here.seen))
        assert here.seen[0] == {"lo", "one"}
        ip("link del one")
        here.until(lambda: here.seen[-1] == {"lo"})


def test_a_look_that_fails(namespace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is repeated, without another ring; one that fails now and then is no fault."""
    monkeypatch.setattr(monitor, "AGAIN", 0.01)
    failing = [OSError("changed meanwhile")] * (TRIES + 1)

    def look() -> frozenset[str]:
        if failing:
            raise failing.pop()
        return links()

    with watched(look) as here:
        here.monitor.start()
        ip("link add one type bridge")
        here.until(lambda: bool(here.seen))
        assert here.seen[-1] == {"lo", "one"}
        assert [str(fault) for fault in here.faults] == ["changed meanwhile"]
        failing.append(OSError("changed meanwhile"))
        assert here.monitor.look() == {"lo", "one"}
        failing += [OSError("broken")] * TRIES
        with pytest.raises(OSError, match="broken"):
            here.monitor.look()


def test_a_mistake_with_what_was_seen(namespace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not end the watching."""
    monkeypatch.setattr(monitor, "AGAIN", 0.01)
    with watched() as here:
        mistakes = [ValueError("ours")]

        def changed(seen: frozenset[str]) -> None:
            if mistakes:
                raise mistakes.pop()
            here.seen.append(seen)

        here.monitor._changed = changed
        here.monitor.start()
        ip("link add one type bridge")
        here.until(lambda: bool(here.seen))
        assert [str(fault) for fault in here.faults] == ["ours"]
