"""Fetches that nobody waits for any more: what is left at the server, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from appliance.cluster import clients, upstream_http
from tests.cluster.servers import STALL, Answer, Asked, reply
from tests.cluster.world import World, until

COUNT = 20
MISSING = reply(404, bytes(5000))
CLOSING = reply(404, bytes(5000), "Connection: close")


def _first(count: int, answer: bytes = MISSING) -> Answer:
    """So many bytes of an answer, and no more."""
    return lambda asked: [answer[:count], STALL] if count else [STALL]


@pytest.mark.parametrize(
    "answer",
    [_first(0), _first(10), _first(200), _first(200, CLOSING)],
    ids=["no word", "in the head", "in the body", "in the last body"],
)
def test_let_go_in_the_middle(world: World, answer: Answer) -> None:
    server = world.http(answer)
    names = [f"n{number}" for number in range(COUNT)]
    fetches = [world.fetches.join(world.cluster(), name) for name in names]
    until(lambda: len(server.asked) == COUNT)
    gevent.sleep(0.02)  # what was sent has arrived
    for each in fetches:
        world.fetches.leave(each)
    with gevent.Timeout(2):
        until(lambda: server.open == 0)


def test_let_go_at_any_moment(world: World) -> None:
    """Of what is kept for the next request, and nothing else, connections are open then."""

    def slow(asked: Asked) -> Iterator[bytes]:
        for start, end in ((0, 10), (10, 200), (200, len(MISSING))):
            gevent.sleep(0.01)
            yield MISSING[start:end]

    server = world.http(slow)
    for number in range(COUNT):
        each = world.fetches.join(world.cluster(), f"n{number}")
        gevent.sleep(0.002 * number)
        world.fetches.leave(each)
        until(lambda each=each: each.finished)  # type: ignore[misc]
    world.clients.connections.close()
    with gevent.Timeout(2):
        until(lambda: server.open == 0)


@pytest.mark.parametrize(
    ("answer", "failures"),
    [(lambda asked: [reply(503)], 0), (lambda asked: [STALL], 1)],
    ids=["busy", "silent"],
)
def test_what_is_said_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: Answer, failures: int
) -> None:
    monkeypatch.setattr(clients, "SILENCE", 0.05)
    monkeypatch.setattr(upstream_http, "BUSY_PAUSES", (10.0,))
    world.clients.budget = 20.0
    server = world.http(answer)
    cluster = world.cluster()
    asked = world.fetches.join(cluster, "x")
    until(lambda: len(server.asked) == 1)
    gevent.sleep(0.1)
    world.fetches.leave(asked)
    until(lambda: server.open == len(server.asked) - failures)
    health = world.health(cluster)
    assert health.failures == failures
    assert health.answering is (False if failures else None)
