"""Connections after their answer: used again, closed by either side, or not yet done with."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from appliance.cluster import connections, upstream_http
from appliance.cluster.answer import Found
from appliance.cluster.body import Broken
from tests.cluster.answers import FILE, has, silent
from tests.cluster.servers import HANG_UP, STALL, Asked, reply
from tests.cluster.world import ONE, TWO, World, read_all, until

HAS = Found(len(FILE), ONE, "http")


def test_one_that_the_cluster_closes_is_closed_at_once(world: World) -> None:
    server = world.http(has, idle=0.05)
    cluster = world.cluster()
    assert world.ask(cluster) == (HAS, FILE)
    until(lambda: server.open == 0)
    for _ in range(2):
        assert world.ask(cluster) == (HAS, FILE)
    assert [asked.connection for asked in server.asked] == [0, 1, 1]
    assert world.health(cluster).failures == 0


@pytest.mark.parametrize("fields", [[], ["Connection: close"]], ids=["kept", "closed"])
def test_more_after_the_announced_end(world: World, fields: list[str]) -> None:
    """Who has not read to the end does not take it for one, and nobody else gets the file."""
    rest = Event()

    def too_much(asked: Asked) -> Iterator[bytes | None]:
        yield reply(200, FILE, *fields)
        rest.wait()
        yield b"the rest"
        yield STALL

    server = world.http(too_much)
    cluster = world.cluster()
    fetch = world.fetches.join(cluster, "x")
    until(lambda: fetch.finished)
    assert fetch.body.read(0, 100) == FILE[:100]
    assert fetch.body.whole == FILE
    rest.set()
    until(lambda: not len(world.fetches))
    with pytest.raises(Broken, match="more than it had announced"):
        read_all(fetch)
    assert fetch.body.whole is None
    world.fetches.leave(fetch)
    until(lambda: server.open == 0)


@pytest.mark.parametrize("word", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"HT"])
def test_a_word_at_the_close_is_no_file(world: World, word: bytes) -> None:
    gate = Event()

    def polite(asked: Asked) -> Iterator[bytes]:
        yield reply(200, FILE)
        gate.wait()
        yield word
        yield HANG_UP

    server = world.http(polite)
    fetch = world.fetches.join(world.cluster(), "x")
    until(lambda: fetch.finished)
    gate.set()
    until(lambda: server.open == 0)
    assert read_all(fetch) == FILE
    world.fetches.leave(fetch)


def test_a_failure_closes_those_that_were_kept_as_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would cost another phone the same patience."""
    monkeypatch.setattr(upstream_http, "HEAD_TIMEOUT", 0.05)
    gate = Event()

    def together(asked: Asked) -> Iterator[bytes]:
        gate.wait()
        yield reply(200, FILE)

    answers = [together] * 3
    server = world.http(lambda asked: answers.pop()(asked) if answers else silent(asked))
    cluster = world.cluster()
    asking = [gevent.spawn(world.ask, cluster, f"x{number}") for number in range(3)]
    until(lambda: len(server.asked) == 3)
    gate.set()
    gevent.joinall(asking)
    assert server.open == 3
    world.ask(cluster)
    until(lambda: server.open == 0)
    assert len(server.asked) == 5  # one that was kept, and a fresh one


def test_a_dropped_cluster_lets_go_of_its_own(world: World) -> None:
    first, second = world.http(has, ONE), world.http(has, TWO)
    world.ask(world.cluster(ONE, name="east"))
    world.ask(world.cluster(TWO, name="west"))
    world.fetches.drop("east")
    until(lambda: first.open == 0)
    assert second.open == 1


def test_one_that_the_cluster_means_to_close_is_not_waited_for_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_MAX", 0.05)
    server = world.http(lambda asked: [reply(200, FILE, "Connection: close"), STALL])
    assert world.ask(world.cluster()) == (HAS, FILE)
    until(lambda: server.open == 0)
