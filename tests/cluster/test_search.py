"""The search, over clusters whose answers are scripted: no sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest.mock import Mock

import gevent
import pytest

from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.body import Room, Stored
from appliance.cluster.fetch import Clients, Fetches
from appliance.cluster.names import read
from appliance.cluster.search import Search, describe
from appliance.cluster.situation import Local, Situation
from appliance.cluster.upstream import Absent, Opened, Refused, Unreachable, Waiting
from appliance.cluster.verdict import NotFound, Take, Unavailable
from appliance.config.model import Cluster, IPAddress, Protocol
from tests.cluster.world import ONE, World, until

BUDGET = 0.3  # s; below the patience of 1 s, which then ends with it


class File:
    """A file that an address sends at once."""

    keepable = False
    validator = ""
    via = ""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.closed = False

    def pieces(self) -> Iterator[bytes]:
        yield b"x" * 100

    def close(self) -> None:
        self.closed = True


def has(size: int | None = 100) -> Opened:
    return File(size)


def has_not() -> Opened:
    raise Absent


def refuses() -> Opened:
    raise Refused("HTTP status 500")


def unreachable() -> Opened:
    raise Unreachable("no HTTP connection: Connection refused")


def silent() -> Opened:
    gevent.sleep(10)
    raise Unreachable("timed out")


def late(answer: Callable[[], Opened], seconds: float = 0.05) -> Callable[[], Opened]:
    def wait() -> Opened:
        gevent.sleep(seconds)
        return answer()

    return wait


Script = Mapping[str, Callable[[], Opened]]


class Scripted(Clients):
    """Clients that do not ask, but play."""

    def __init__(self, folder: Path, script: Script) -> None:
        super().__init__(Room(1000, 1000, folder), "", _raise)
        self.script = script

    def open(
        self, cluster: Cluster, address: IPAddress, protocol: Protocol, name: str, waiting: Waiting
    ) -> Opened:
        return self.script[cluster.name]()


def _raise(error: Exception) -> None:
    raise error


def searching(
    fetches: Fetches,
    clusters: list[Cluster],
    said: Callable[[str], None] = lambda text: None,
    budget: float = BUDGET,
    asked: str = "x",
) -> Search:
    order = tuple(cluster.name for cluster in clusters)
    situation = Situation(read(asked.encode()), Local("local"), order, budget)
    return Search(fetches, {cluster.name: cluster for cluster in clusters}, situation, said)


class Searched:
    """A search that has ended: `taken` is the cluster that serves."""

    def __init__(
        self, world: World, folder: Path, script: Script, budget: float = BUDGET, asked: str = "x"
    ) -> None:
        self.fetches = Fetches(Scripted(folder, script))
        self.said: list[str] = []
        started = time.monotonic()
        clusters = [world.cluster(name=name) for name in script]
        with searching(self.fetches, clusters, self.said.append, budget, asked) as search:
            self.outcome = search.run().verdict
            self.took = time.monotonic() - started
            self.taken = None
            if isinstance(self.outcome, Take):
                fetch = search.taken(self.outcome)
                self.taken = fetch.cluster.name
                search.close()
                assert fetch.users == 1
                self.fetches.leave(fetch)


@pytest.mark.parametrize(
    ("script", "taken"),
    [
        ({"east": has, "west": has}, "east"),
        ({"west": has, "east": has}, "west"),
        ({"east": has_not, "west": has}, "west"),
        ({"east": refuses, "west": has}, "west"),
        ({"east": unreachable, "west": has}, "west"),
        ({"east": late(has), "west": has}, "east"),
        ({"east": late(has_not), "west": has}, "west"),
        ({"east": late(unreachable), "west": late(has, 0.02)}, "west"),
        ({"east": silent, "west": has}, "west"),
        ({"east": silent, "west": late(has_not), "north": has}, "north"),
        ({"east": has, "west": silent}, "east"),
    ],
)
def test_who_serves(world: World, tmp_path: Path, script: Script, taken: str) -> None:
    searched = Searched(world, tmp_path, script)
    assert searched.taken == taken
    assert searched.took < BUDGET + 2
    assert searched.said[0] == f"asked at once: {', '.join(script)}"
    assert searched.said[-1] == f"{taken}: the first in order that has it"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ({}, NotFound()),
        ({"east": has_not}, NotFound(remember=True)),
        ({"east": has_not, "west": late(has_not)}, NotFound(remember=True)),
        ({"east": silent}, Unavailable(("east",))),
        ({"east": has_not, "west": silent}, Unavailable(("west",))),
        ({"east": refuses, "west": has_not}, Unavailable(("east",))),
        ({"east": unreachable, "west": late(unreachable)}, Unavailable(("east", "west"))),
    ],
)
def test_nobody_serves(world: World, tmp_path: Path, script: Script, outcome: object) -> None:
    searched = Searched(world, tmp_path, script)
    assert searched.outcome == outcome
    assert (searched.took >= BUDGET - 0.01) == (silent in script.values())
    assert searched.took < BUDGET + 2


def test_one_that_is_silent_is_not_waited_for_when_one_above_it_has_the_file(
    world: World, tmp_path: Path
) -> None:
    assert Searched(world, tmp_path, {"east": late(has, 0.02), "west": silent}, budget=10).took < 5


def test_each_step_is_told_once_and_in_order(world: World, tmp_path: Path) -> None:
    script = {"east": silent, "west": late(refuses, 0.02), "north": has_not, "south": late(lambda: has(None))}
    searched = Searched(world, tmp_path, script)
    assert searched.said == [
        "asked at once: east, west, north, south",
        f"north: does not have it (says {ONE} over HTTP)",
        f"west: no answer: {ONE}: HTTP status 500",
        f"south: has it (from {ONE} over HTTP)",
        "passed over without an answer: east, west",
        "south: the first in order that has it",
    ]


def test_searches_for_one_file_share_its_fetches(world: World, tmp_path: Path) -> None:
    asked = []

    def counted() -> Opened:
        asked.append(1)
        return late(has)()

    fetches = Fetches(Scripted(tmp_path, {"east": counted, "west": has_not}))
    clusters = [world.cluster(name=name) for name in ("east", "west")]
    searches = [searching(fetches, clusters) for _ in range(10)]
    running = [gevent.spawn(search.run) for search in searches]
    taken = {
        search.taken(Take("east")) for search, ended in zip(searches, running, strict=True) if ended.get()
    }
    assert len(asked) == len(taken) == 1
    for search in searches:
        search.close()
    (fetch,) = taken
    assert fetch.users == len(running)
    for _ in running:
        fetches.leave(fetch)


def _falls_silent(fetches: Fetches, cluster: Cluster) -> None:
    now = time.monotonic()
    health = fetches.clients.health(cluster, cluster.addresses[0])
    health.failed(Protocol.HTTP, "timed out", now, now, connected=False)


def test_who_comes_when_the_silence_is_known_does_not_wait(world: World, tmp_path: Path) -> None:
    """Not even for what others began to ask before: the first of them waits on."""
    fetches, east = Fetches(Scripted(tmp_path, {"east": silent})), world.cluster()
    said: list[str] = []
    with (
        searching(fetches, [east], budget=60) as before,
        searching(fetches, [east], said.append, 60) as after,
    ):
        first = gevent.spawn(before.run)
        until(lambda: len(fetches) == 1)
        _falls_silent(fetches, east)
        assert after.run().verdict == Unavailable(("east",))
        assert not first.dead
        assert said[-1] == "east: no answer: known not to answer for 0 s"
        first.kill()


class FreshCopy:
    """What is kept of any file, and takes its time to be opened."""

    size, validator, address, fresh, by_length = 100, "", ONE, True, False

    def open(self) -> Stored:
        gevent.sleep(0.05)
        return Stored(100, "", None, lambda offset, length: (b"x" * 100)[offset : offset + length], None)

    def renew(self) -> None:
        raise AssertionError("the cluster is not asked")


def test_what_is_fresh_comes_though_the_silence_is_known(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who ask at the same moment share the copy that is being opened."""
    fetches, east = Fetches(Scripted(tmp_path, {})), world.cluster()
    monkeypatch.setattr(fetches, "kept", Mock(recall=lambda cluster, name: FreshCopy()))
    _falls_silent(fetches, east)
    with searching(fetches, [east], budget=60) as before, searching(fetches, [east], budget=60) as after:
        first = gevent.spawn(before.run)
        until(lambda: len(fetches) == 1)
        assert after.run().verdict == first.get().verdict == Take("east")


def test_the_configuration_is_asked_for_beside_the_file(world: World, tmp_path: Path) -> None:
    searched = Searched(world, tmp_path, {"east": has_not, "west": has}, asked="ITLSEP001122334455.tlv")
    assert searched.taken == "west"
    assert f"west: SEP001122334455.cnf.xml: has it, 100 bytes (from {ONE} over HTTP)" in searched.said
    assert "home is west: the first in order that has the configuration" in searched.said


def test_who_else_has_the_configuration(world: World, tmp_path: Path) -> None:
    script = {"east": has, "west": has_not, "north": late(has, 0.05), "south": silent}
    fetches = Fetches(Scripted(tmp_path, script))
    clusters = [world.cluster(name=name) for name in script]
    with searching(fetches, clusters, asked="ITLSEP001122334455.tlv") as search:
        assert search.run().verdict == Take("east")
        assert not search.complete
        assert search.holders(BUDGET) == ("east", "north")


def test_one_that_is_given_up_leaves_its_fetches(world: World, tmp_path: Path) -> None:
    """As when the phone goes while the search runs."""
    fetches = Fetches(Scripted(tmp_path, {"east": silent}))

    def run() -> None:
        with searching(fetches, [world.cluster()]) as search:
            search.run()

    running = gevent.spawn(run)
    gevent.idle()
    assert len(fetches) == 1
    running.kill()
    assert len(fetches) == 0


def test_the_files_of_those_that_do_not_serve_are_let_go(world: World, tmp_path: Path) -> None:
    files: list[File] = []

    def stalls() -> Opened:
        files.append(Endless(None))
        return files[-1]

    searched = Searched(world, tmp_path, {"east": late(has), "west": stalls})
    assert searched.taken == "east"
    while not files[0].closed:
        gevent.sleep(0.001)


class Endless(File):
    """A file that never ends."""

    def pieces(self) -> Iterator[bytes]:
        while True:
            yield b"x"
            gevent.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Found(949, "10.1.0.10", "http"), "has it, 949 bytes (from 10.1.0.10 over HTTP)"),
        (Found(0, "10.1.0.10", "http"), "has it, 0 bytes (from 10.1.0.10 over HTTP)"),
        (Found(None, "2001:db8::12", "tftp"), "has it (from 2001:db8::12 over TFTP)"),
        (Missing("10.1.0.10", "tftp"), "does not have it (says 10.1.0.10 over TFTP)"),
        (Failed("10.1.0.10: timed out"), "no answer: 10.1.0.10: timed out"),
    ],
)
def test_describe(answer: Answer, words: str) -> None:
    assert describe(answer) == words
