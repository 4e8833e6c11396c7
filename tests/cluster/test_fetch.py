from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
import pytest

from appliance.cluster import fetch as fetch_module
from appliance.cluster import health
from appliance.cluster.body import Broken
from appliance.cluster.decision import Failed, Found, Missing
from appliance.cluster.fetch import Fetch
from appliance.cluster.upstream import Opened
from appliance.config.model import Cluster, Protocol
from tests.cluster.servers import HANG_UP, STALL, Answer, Asked, reply
from tests.cluster.world import ONE, THREE, TWO, World, read_all, until

FILE = b"<device/>" * 1000
LARGE = b"0123456789abcdef" * 100_000
AUTO = Protocol.AUTO


def has(asked: Asked) -> list[bytes | None]:
    return [reply(200, FILE)]


def has_not(asked: Asked) -> list[bytes | None]:
    return [reply(404)]


def fails(asked: Asked) -> list[bytes | None]:
    return [reply(500)]


def breaks(asked: Asked) -> list[bytes | None]:
    return [reply(200, FILE)[:-1], HANG_UP]


def silent(asked: Asked) -> list[bytes | None]:
    return [STALL]


def stalls(asked: Asked) -> list[bytes | None]:
    """A large file whose second half does not come."""
    return [reply(200, LARGE)[: -len(LARGE) // 2], STALL]


def late(seconds: float) -> Iterator[bytes]:
    gevent.sleep(seconds)
    yield reply(200, FILE)


# The addresses of a cluster


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
    assert 0.09 < time.monotonic() - started < 0.5
    assert len(first.asked) == 1
    assert third.asked == []
    until(lambda: first.open == 0)  # the slow one is let go


def test_the_earlier_address_may_still_answer(world: World) -> None:
    first = world.http(lambda asked: late(0.15), ONE)
    second = world.http(silent, TWO)
    assert world.ask(world.cluster(ONE, TWO)) == (Found(len(FILE), ONE, "http"), FILE)
    assert (len(first.asked), len(second.asked)) == (1, 1)
    until(lambda: second.open == 0)


def test_one_that_fails_does_not_hold_up_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "STAGGER", 10)
    world.http(has, TWO)
    cluster = world.cluster(ONE, TWO)
    assert world.ask(cluster) == (Found(len(FILE), TWO, "http"), FILE)
    assert world.health(cluster, ONE).answering is False
    assert world.health(cluster, TWO).answering is True


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


# HTTP first, then TFTP


def test_http_falls_to_tftp_and_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tftp, cluster = world.tftp({"x": FILE}), world.cluster(protocol=AUTO)
    assert world.ask(cluster) == (Found(None, ONE, "tftp"), FILE)
    http = world.http(has)
    assert world.ask(cluster)[0] == Found(None, ONE, "tftp")
    assert http.asked == []
    monkeypatch.setattr(health, "HTTP_AGAIN", 0)
    assert world.ask(cluster)[0] == Found(len(FILE), ONE, "http")
    assert (len(tftp.asked), len(http.asked)) == (2, 1)
    monkeypatch.setattr(health, "HTTP_AGAIN", 60)
    assert world.ask(cluster)[0] == Found(len(FILE), ONE, "http")


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


# One fetch, many who wait for it


def got(world: World, cluster: Cluster, name: str = "x") -> bytes:
    fetch = world.fetches.join(cluster, name)
    try:
        return read_all(fetch)
    finally:
        world.fetches.leave(fetch)


def test_one_fetch_is_shared_by_many(world: World) -> None:
    server = world.http(lambda asked: late(0.05))
    cluster = world.cluster()
    waiting = [gevent.spawn(got, world, cluster) for _ in range(20)]
    gevent.joinall(waiting)
    assert {greenlet.get() for greenlet in waiting} == {FILE}
    assert len(server.asked) == 1


def test_a_finished_fetch_is_kept_for_a_moment(world: World) -> None:
    server = world.http(has)
    cluster = world.cluster()
    assert got(world, cluster) == FILE
    assert got(world, cluster) == FILE
    assert len(server.asked) == 1
    assert world.room.memory_used == len(FILE)
    until(lambda: not len(world.fetches))
    assert world.room.memory_used == 0
    assert got(world, cluster) == FILE
    assert len(server.asked) == 2


def test_who_still_reads_keeps_the_body(world: World) -> None:
    world.http(has)
    fetch = world.fetches.join(world.cluster(), "x")
    fetch.body.wait_whole()
    until(lambda: not len(world.fetches))
    assert read_all(fetch) == FILE
    world.fetches.leave(fetch)
    assert world.room.memory_used == 0


def test_not_found_is_kept_likewise(world: World) -> None:
    server = world.http(has_not)
    cluster = world.cluster()
    for _ in range(2):
        with world.fetches.joined([cluster], "x") as (fetch,):
            fetch.answered.wait()
            assert fetch.answer == Missing(ONE, "http")
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [fails, breaks])
def test_what_is_no_whole_answer_is_not_kept(world: World, answer: Answer) -> None:
    server = world.http(answer)
    for count in (1, 2):
        with world.fetches.joined([world.cluster()], "x") as (fetch,):
            until(lambda fetch=fetch: fetch.finished)  # type: ignore[misc]
            assert len(server.asked) == count


def test_other_names_and_clusters_are_other_fetches(world: World) -> None:
    server = world.http(has)
    east, west = world.cluster(name="east"), world.cluster(name="west")
    for cluster, name in ((east, "x"), (east, "X"), (west, "x")):
        assert got(world, cluster, name) == FILE
    assert len(server.asked) == 3


def test_a_fetch_of_ones_own(world: World) -> None:
    server = world.http(has)
    cluster = world.cluster()
    got(world, cluster)
    world.ask(cluster)
    assert len(server.asked) == 2
    assert world.room.memory_used == len(FILE)  # of the shared one alone


def test_joined_leaves_all(world: World) -> None:
    world.http(silent)
    clusters = [world.cluster(name="east"), world.cluster(name="west")]
    with world.fetches.joined(clusters, "x") as fetches:
        assert [fetch.cluster.name for fetch in fetches] == ["east", "west"]
        assert [fetch.users for fetch in fetches] == [1, 1]
        assert len(world.fetches) == 2
    assert [fetch.users for fetch in fetches] == [0, 0]
    assert len(world.fetches) == 0


# Its end


def begun(world: World, cluster: Cluster) -> Fetch:
    fetch = world.fetches.join(cluster, "x")
    assert fetch.body.read(0, 16) == LARGE[:16]
    return fetch


def test_the_last_who_leaves_stops_it(world: World) -> None:
    server = world.http(stalls)
    cluster = world.cluster()
    first, second = begun(world, cluster), begun(world, cluster)
    world.fetches.leave(first)
    gevent.sleep(0.02)
    assert server.open == 1
    world.fetches.leave(second)
    until(lambda: server.open == 0)
    until(lambda: first.finished)
    assert (world.room.memory_used, world.room.disk_used) == (0, 0)


def test_left_before_it_has_begun(world: World) -> None:
    server = world.http(has)
    cluster = world.cluster()
    fetch = world.fetches.join(cluster, "x")
    world.fetches.leave(fetch)
    assert fetch.finished
    assert got(world, cluster) == FILE
    assert len(server.asked) == 1


def test_left_while_it_asks(world: World) -> None:
    server = world.http(silent)
    with world.fetches.joined([world.cluster()], "x"):
        until(lambda: len(server.asked) == 1)
    assert len(world.fetches) == 0
    until(lambda: server.open == 0)


def test_who_comes_after_the_last_has_left_starts_anew(world: World) -> None:
    answers = [stalls, has]
    world.http(lambda asked: answers.pop(0)(asked))
    cluster = world.cluster()
    world.fetches.leave(begun(world, cluster))
    assert got(world, cluster) == FILE


def test_one_that_is_stopped_is_broken_for_whoever_still_reads(world: World) -> None:
    world.http(stalls)
    fetch = begun(world, world.cluster())
    fetch.stop()
    with pytest.raises(Broken, match="nobody waits"):
        fetch.body.wait_whole()
    world.fetches.leave(fetch)


def test_stopped_while_it_asks(world: World) -> None:
    world.http(silent)
    fetch = world.fetches.join(world.cluster(), "x")
    gevent.sleep(0.02)
    fetch.stop()
    fetch.answered.wait()
    assert fetch.answer == Failed("given up")
    world.fetches.leave(fetch)


def test_one_that_breaks_off(world: World) -> None:
    world.http(breaks)
    with pytest.raises(Broken, match=f"after {len(FILE) - 1} of {len(FILE)} bytes"):
        got(world, world.cluster())


def test_one_for_which_there_is_no_room(world: World) -> None:
    world.http(lambda asked: [reply(200, LARGE)])
    world.room.memory = world.room.disk = 100_000
    with pytest.raises(Broken, match=r"no room .* \[cache\] size"):
        got(world, world.cluster())


def test_forget(world: World) -> None:
    answers = [stalls, has]
    server = world.http(lambda asked: answers.pop(0)(asked))
    cluster = world.cluster()
    running = begun(world, cluster)
    assert world.fetches.forget(lambda name: name == "y") == 0
    assert world.fetches.forget(lambda name: name == "x") == 1
    assert got(world, cluster) == FILE  # asked anew
    assert server.open == 2  # and the one that ran goes on
    assert running.body.read(16, 16) == LARGE[16:32]
    world.fetches.leave(running)
    assert world.fetches.forget(lambda name: True) == 1
    assert len(world.fetches) == 0


def test_a_mistake_of_ours_is_no_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> Opened:
        raise KeyError("oops")

    monkeypatch.setattr(world.clients, "open", mistaken)
    said, _ = world.ask(world.cluster())
    assert said == Failed(f"{ONE}: a fault of ours, see the log")
    assert [type(fault) for fault in world.faults] == [KeyError]
    world.faults.clear()
