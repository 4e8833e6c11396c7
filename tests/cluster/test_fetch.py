"""One fetch: which of a cluster's addresses answers, over which protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from appliance.cluster import connections, health, race, upstream_http
from appliance.cluster.answer import Failed, Found, Missing
from appliance.config.model import Protocol
from tests.cluster.answers import FILE, fails, has, has_not, late, silent
from tests.cluster.servers import Asked, reply
from tests.cluster.world import ONE, THREE, TWO, World, until

AUTO = Protocol.AUTO


def test_the_first_address_serves(world: World) -> None:
    world.http(has, ONE)
    second = world.http(has, TWO)
    assert world.ask(world.cluster(ONE, TWO)) == (Found(len(FILE), ONE, "http"), FILE)
    assert second.asked == []


def test_after_a_silence_the_next_address_is_asked_too(world: World) -> None:
    first, third = world.http(silent, ONE), world.http(has, THREE)
    world.http(has, TWO)
    started = time.monotonic()
    assert world.ask(world.cluster(ONE, TWO, THREE)) == (Found(len(FILE), TWO, "http"), FILE)
    assert 0.09 < time.monotonic() - started < 2
    assert len(first.asked) == 1
    assert third.asked == []
    until(lambda: first.open == 0)  # the slow one is let go


def test_busy_is_no_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_http, "BUSY_PAUSES", (0.25,))
    statuses = [503, 200]
    world.http(lambda asked: [reply(statuses.pop(0), FILE)], ONE)
    second = world.http(has, TWO)
    assert world.ask(world.cluster(ONE, TWO)) == (Found(len(FILE), ONE, "http"), FILE)
    assert second.asked == []


def test_a_queue_is_no_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes the place longer than an address may be silent is another's file, which is coming."""
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 1)
    gate = Event()

    def slowly(asked: Asked) -> Iterator[bytes]:
        yield reply(200, FILE)[:-1]
        gate.wait()
        yield FILE[-1:]

    first, second = world.http(slowly, ONE), world.http(has, TWO)
    cluster = world.cluster(ONE, TWO)
    asking = [gevent.spawn(world.ask, cluster, name) for name in ("x", "y")]
    until(lambda: len(first.asked) == 1)
    gevent.sleep(0.25)
    assert (len(first.asked), len(second.asked)) == (1, 0)
    gate.set()
    gevent.joinall(asking)
    assert [each.get() for each in asking] == [(Found(len(FILE), ONE, "http"), FILE)] * 2
    assert second.asked == []


def test_the_earlier_address_may_still_answer(world: World) -> None:
    first = world.http(lambda asked: late(0.15), ONE)
    second = world.http(silent, TWO)
    assert world.ask(world.cluster(ONE, TWO)) == (Found(len(FILE), ONE, "http"), FILE)
    assert (len(first.asked), len(second.asked)) == (1, 1)
    until(lambda: second.open == 0)


def test_one_that_fails_does_not_hold_up_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "STAGGER", 10)
    world.http(has, TWO)
    cluster = world.cluster(ONE, TWO)
    assert world.ask(cluster) == (Found(len(FILE), TWO, "http"), FILE)
    assert world.health(cluster, ONE).answering is False
    assert world.health(cluster, TWO).answering is True


def test_who_answers_while_the_next_is_asked_has_won(world: World) -> None:
    """Both answers come at once: one is taken, and the connection of the other let go."""
    gate = Event()

    def together(asked: Asked) -> Iterator[bytes]:
        gate.wait()
        yield reply(200, FILE)

    first, second = world.http(together, ONE), world.http(together, TWO)
    cluster = world.cluster(ONE, TWO)
    asking = gevent.spawn(world.ask, cluster)
    until(lambda: len(second.asked) == 1)
    gate.set()
    said, body = asking.get()
    assert (said, body) in [(Found(len(FILE), each, "http"), FILE) for each in (ONE, TWO)]
    until(lambda: (first.open, second.open) in [(1, 0), (0, 1)])
    assert world.ask(cluster)[1] == FILE


def test_nobody_waits_for_a_silent_one_that_is_asked_beside(world: World) -> None:
    first, second = world.http(silent, ONE), world.http(silent, TWO)
    fetch = world.fetches.join(world.cluster(ONE, TWO), "x")
    until(lambda: (first.open, second.open) == (1, 1))
    world.fetches.leave(fetch)
    until(lambda: (first.open, second.open) == (0, 0))


def test_not_found_is_an_answer_too(world: World) -> None:
    world.http(has_not, ONE)
    second = world.http(has, TWO)
    assert world.ask(world.cluster(ONE, TWO)) == (Missing(ONE, "http"), b"")
    assert second.asked == []


def test_when_all_fail_each_is_told_of(world: World) -> None:
    world.http(fails, TWO)
    said, _ = world.ask(world.cluster(ONE, TWO))
    refused = "no HTTP connection: Connection refused"
    assert said == Failed(f"{ONE}: {refused}; {TWO}: HTTP status 500")


def test_an_address_that_is_out_of_use_is_never_asked(world: World) -> None:
    first = world.http(has, ONE)
    world.http(has, TWO)
    cluster = world.cluster(ONE, TWO)
    world.health(cluster, ONE).out_of_use = "an address of this box itself"
    assert world.ask(cluster)[0] == Found(len(FILE), TWO, "http")
    world.health(cluster, TWO).out_of_use = "likewise"
    assert world.ask(cluster)[0] == Failed("no address in use")
    assert first.asked == []


def test_each_address_has_its_own_health(world: World) -> None:
    east, west = world.cluster(ONE, TWO, name="east"), world.cluster(ONE, name="west")
    healths = [world.health(east, ONE), world.health(east, TWO), world.health(west, ONE)]
    assert len({id(health) for health in healths}) == 3
    assert world.health(east, ONE) is healths[0]


def test_http_falls_to_tftp_and_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tftp, cluster = world.tftp({"x": FILE}), world.cluster(protocol=AUTO)
    assert world.ask(cluster) == (Found(None, ONE, "tftp"), FILE)
    http = world.http(has)
    assert world.ask(cluster)[0] == Found(None, ONE, "tftp")
    assert http.asked == []
    monkeypatch.setattr(health, "HTTP_AGAIN", 0)  # the next probe is due
    until(lambda: world.health(cluster).protocols() == (Protocol.HTTP, Protocol.TFTP))
    assert [asked.line for asked in http.asked] == ["GET /none HTTP/1.1"]
    assert world.ask(cluster)[0] == Found(len(FILE), ONE, "http")
    assert (len(tftp.asked), len(http.asked)) == (2, 2)


def test_http_that_refuses_this_file_is_not_given_up(world: World) -> None:
    http, tftp = world.http(lambda asked: [reply(503)]), world.tftp({"x": FILE})
    cluster = world.cluster(protocol=AUTO)
    for count in (1, 2):
        assert world.ask(cluster) == (Found(None, ONE, "tftp"), FILE)
        assert (len(http.asked), len(tftp.asked)) == (4 * count, count)
    assert world.health(cluster).failures == 0


def test_http_that_has_it_not_has_answered(world: World) -> None:
    world.http(has_not)
    tftp = world.tftp({"x": FILE})
    assert world.ask(world.cluster(protocol=AUTO))[0] == Missing(ONE, "http")
    assert tftp.asked == []


def test_when_both_protocols_fail_both_are_told_of(world: World) -> None:
    said, _ = world.ask(world.cluster(protocol=AUTO))
    assert said == Failed(
        f"{ONE}: no HTTP connection: Connection refused, no TFTP answer: Connection refused"
    )
