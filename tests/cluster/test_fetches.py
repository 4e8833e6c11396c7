"""One fetch for all who wait for it, and its end."""

from __future__ import annotations

import gevent
import pytest

from appliance.cluster.answer import Failed, Missing
from appliance.cluster.body import Broken
from appliance.cluster.fetch import Fetch
from appliance.cluster.upstream import Opened
from appliance.config.model import Cluster
from tests.cluster.answers import FILE, LARGE, breaks, fails, has, has_not, late, silent, stalls
from tests.cluster.servers import Answer, reply
from tests.cluster.world import ONE, World, read_all, until


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
