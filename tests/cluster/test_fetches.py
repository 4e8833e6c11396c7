"""One fetch for all who wait for it, and its end."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from appliance.cluster import fetch as fetch_module
from appliance.cluster.answer import Failed, Missing
from appliance.cluster.body import Broken
from appliance.cluster.fetch import Fetch
from appliance.cluster.upstream import Opened
from appliance.config.model import Cluster
from tests.cluster.answers import FILE, LARGE, breaks, fails, has, has_not, late, silent, stalls
from tests.cluster.servers import Answer, Asked, reply
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


EVIDENCE = 10.0  # s; longer than any of these tests


def evidence(world: World, cluster: Cluster) -> None:
    """As one who wants to know who has the file, and leaves with the answer."""
    fetch = world.fetches.join(cluster, "x", keep=EVIDENCE)
    fetch.answered.wait()
    world.fetches.leave(fetch)


def test_evidence_serves_the_request_that_follows(world: World) -> None:
    server = world.http(has)
    cluster = world.cluster()
    evidence(world, cluster)
    gevent.sleep(0.3)  # longer than others are kept
    assert got(world, cluster) == FILE
    assert got(world, cluster) == FILE  # a repetition
    assert len(server.asked) == 1
    until(lambda: not len(world.fetches))
    assert world.room.memory_used == 0


def test_the_evidence_of_an_earlier_boot_shows_nothing(world: World) -> None:
    server = world.http(has)
    cluster = world.cluster()
    evidence(world, cluster)
    until(lambda: world.room.memory_used == len(FILE))
    evidence(world, cluster)
    assert len(server.asked) == 1
    gevent.sleep(0.3)  # longer than others are kept
    evidence(world, cluster)
    assert len(server.asked) == 2


def test_evidence_comes_to_its_end_though_nobody_waits(world: World) -> None:
    gate = Event()

    def in_two(asked: Asked) -> Iterator[bytes]:
        yield reply(200, FILE)[:-1]
        gate.wait()
        yield FILE[-1:]

    server = world.http(in_two)
    cluster = world.cluster()
    evidence(world, cluster)
    gate.set()
    until(lambda: world.room.memory_used == len(FILE))
    assert got(world, cluster) == FILE
    assert len(server.asked) == 1


def test_evidence_that_never_ends_is_given_up(world: World) -> None:
    server = world.http(stalls)
    fetch = world.fetches.join(world.cluster(), "x", keep=0.25)
    fetch.answered.wait()
    world.fetches.leave(fetch)
    gevent.sleep(0.02)
    assert server.open == 1
    until(lambda: server.open == 0)
    assert len(world.fetches) == 0


def test_evidence_that_nobody_waits_for_is_not_sought(world: World) -> None:
    server = world.http(silent)
    fetch = world.fetches.join(world.cluster(), "x", keep=EVIDENCE)
    until(lambda: len(server.asked) == 1)
    world.fetches.leave(fetch)
    until(lambda: server.open == 0)
    assert len(world.fetches) == 0


def test_what_was_taken_before_is_not_kept_for_longer(world: World) -> None:
    world.http(has)
    cluster = world.cluster()
    taker = world.fetches.join(cluster, "x")
    evidence(world, cluster)
    world.fetches.leave(taker)
    with gevent.Timeout(2):
        until(lambda: not len(world.fetches))


@pytest.mark.parametrize("answer", [has_not, fails])
def test_only_a_file_is_kept_as_evidence(world: World, answer: Answer) -> None:
    world.http(answer)
    evidence(world, world.cluster())
    with gevent.Timeout(2):
        until(lambda: not len(world.fetches))


def test_what_is_kept_gives_way_to_what_comes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first, and nothing that is in use."""
    monkeypatch.setattr(fetch_module, "KEPT", 5.0)
    world.http(lambda asked: has_not(asked) if "none" in asked.line else has(asked))
    world.room.memory, world.room.disk = 2 * len(FILE), 0
    cluster = world.cluster()
    missing = world.fetches.join(cluster, "none")
    until(lambda: missing.finished)
    world.fetches.leave(missing)
    used = world.fetches.join(cluster, "used")
    used.body.wait_whole()
    for name in ("a", "b"):
        fetch = world.fetches.join(cluster, name, keep=EVIDENCE)
        fetch.body.wait_whole()
        world.fetches.leave(fetch)
    assert world.fetches.ready(cluster, "a") is None
    assert world.fetches.ready(cluster, "none") is missing  # that takes no room
    assert world.fetches.ready(cluster, "b") is not None
    assert read_all(used) == FILE
    also_used = world.fetches.join(cluster, "b")
    with pytest.raises(Broken, match="no room"):
        got(world, cluster, "c")
    world.fetches.leave(also_used)
    world.fetches.leave(used)
    world.fetches.forget(lambda name: True)


def test_many_readers_have_the_same_bytes(world: World) -> None:
    world.http(has)
    fetch = world.fetches.join(world.cluster(), "x")
    fetch.body.wait_whole()
    assert fetch.body.read(0, 100_000) is fetch.body.read(0, len(FILE)) is fetch.body.whole
    world.fetches.leave(fetch)


def test_a_cluster_that_is_dropped(world: World) -> None:
    """What runs goes on; what comes is asked anew, of a cluster that nothing is known of."""
    answers = [stalls, has, has]
    server = world.http(lambda asked: answers.pop(0)(asked))
    east, west = world.cluster(name="east"), world.cluster(name="west")
    running = begun(world, east)
    got(world, west)
    assert world.fetches.drop("east") == 1
    assert world.health(east).answers == 0
    assert world.health(west).answers == 1
    assert got(world, east) == FILE
    assert server.open == 2
    assert running.body.read(16, 16) == LARGE[16:32]
    world.fetches.leave(running)


def test_evidence_of_a_dropped_cluster_is_not_waited_for(world: World) -> None:
    server = world.http(stalls)
    evidence(world, world.cluster())
    assert server.open == 1
    assert world.fetches.drop("east") == 1
    until(lambda: server.open == 0)


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
    """Others have taken it, and do not let go."""
    world.http(lambda asked: [reply(200, LARGE)])
    world.room.disk = 2_000_000
    assert world.room.take_disk(1_000_000)
    with pytest.raises(Broken, match=r"no room .* \[cache\] size"):
        got(world, world.cluster())
    world.room.free_disk(1_000_000)


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
