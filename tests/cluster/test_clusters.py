"""All the parts by which clusters are asked, put together: the start, the end, and what a reload drops."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from appliance.cluster.answer import Found, Missing
from appliance.cluster.clusters import Clusters
from appliance.cluster.homes import Home
from appliance.cluster.inventory import NAME
from appliance.cluster.knowledge import Event
from appliance.cluster.probe import is_probe
from appliance.config.changes import changes
from appliance.config.model import Configuration
from tests.cluster.answers import FILE
from tests.cluster.servers import Asked, reply
from tests.cluster.world import ONE, TWO, World, until

SEP, OTHER = "SEP001122334455", "SEP001122334466"


def answer(asked: Asked) -> list[bytes | None]:
    """A cluster that has firmware, a list, and nothing else."""
    name = asked.line.split()[1].removeprefix("/")
    bodies = {"phone.loads": FILE, NAME: f"{SEP}.cnf.xml\n".encode()}
    return [reply(200, bodies[name]) if name in bodies else reply(404)]


def configuration(world: World, folder: Path, *addresses: str, **keys: str) -> Configuration:
    paths = f"[paths]\ndata = {folder}\nrun = {folder}"
    return world.configuration(*addresses, more=f"{paths}\n{keys.get('more', '')}", each=keys.get("each", ""))


Told = list[tuple[str, dict[str, str]]]


@contextmanager
def running(
    world: World, asked: Configuration, told: Told | None = None, folders: bool = True
) -> Iterator[Clusters]:
    """Between its start and its end."""

    def tell(event: str, facts: Mapping[str, str]) -> None:
        if told is not None:
            told.append((event, dict(facts)))

    made = Clusters(asked, tell, world.faults.append)
    if folders:
        for folder in made.folders:
            folder.mkdir(exist_ok=True)
    made.start()
    try:
        if folders:
            until(lambda: not made.kept.usage().loading)
        yield made
    finally:
        made.close()


def names(asked: list[Asked]) -> list[str]:
    """What was asked for besides probes."""
    found = [each.line.split()[1].removeprefix("/") for each in asked]
    return [name for name in found if not is_probe(name)]


def test_the_start(world: World, tmp_path: Path) -> None:
    """A cluster is looked at and asked for its list, with our mark, which stays the same."""
    server = world.http(answer)
    marks = []
    for _ in range(2):
        del server.asked[:]
        with running(world, configuration(world, tmp_path, ONE, each="inventory = yes")) as made:
            until(lambda: len(server.asked) == 2)
            assert names(server.asked) == [NAME]
            until(lambda made=made: made.inventories.inventory.count("east") == 1)  # type: ignore[misc]
        marks.append({asked.fields["via"] for asked in server.asked})
    number = (tmp_path / "state/box-id").read_text().strip()
    assert marks == [{f"1.1 appliance-{number}"}] * 2


def test_homes_outlive_the_process(world: World, tmp_path: Path) -> None:
    asked = configuration(world, tmp_path, ONE)
    wall = time.time()
    home = Home("east", wall, wall, duplicates=("west",), by_hand=True)
    with running(world, asked) as made:
        made.homes.learn(SEP, home)
        made.homes.named("10.9.0.7", SEP, wall)
    with running(world, asked) as made:
        until(lambda: len(made.homes) == 1)
        again = made.homes.of(SEP, wall)
        assert again is not None
        assert (again.place, again.duplicates, again.by_hand) == ("east", ("west",), True)
        assert [each.device for each in made.homes.at("10.9.0.7", wall)] == [SEP]


def test_copies_outlive_the_process(world: World, tmp_path: Path) -> None:
    server = world.http(answer)
    asked = configuration(world, tmp_path, ONE)
    with running(world, asked) as made:
        fetch = made.fetches.join(asked.clusters[0], "phone.loads")
        fetch.answered.wait()
        assert isinstance(fetch.answer, Found)
        fetch.body.wait_whole()
        made.fetches.leave(fetch)
        until(lambda: made.kept.usage().entries == 1)
    count = len(names(server.asked))
    with running(world, asked) as made:
        until(lambda: made.kept.usage().entries == 1)
    assert len(names(server.asked)) == count


def test_a_disk_that_fails(world: World, tmp_path: Path) -> None:
    """All is told, as long as it is so, and everything works but for what is not kept."""
    server = world.http(answer)
    asked = configuration(world, tmp_path, ONE)
    state = tmp_path / "state"
    state.touch()
    told: Told = []
    with running(world, asked, told, folders=False) as made:
        fetch = made.fetches.start(asked.clusters[0], "phone.loads")
        fetch.answered.wait()
        assert isinstance(fetch.answer, Found)
        made.fetches.leave(fetch)
        assert "Not a directory" in made.homes_fault
        state.unlink()
    assert made.homes_fault == ""
    assert told[0] == ("box id not kept", {"why": "Not a directory"})
    assert [event for event, _ in told].count("homes are not kept") == 1
    assert server.asked[0].fields["via"].startswith("1.1 appliance-")


def test_another_configuration(world: World, tmp_path: Path) -> None:
    """A cluster that is gone takes what was remembered of it along, and nothing else."""
    server, other = world.http(answer), world.http(answer, TWO)
    both = configuration(world, tmp_path, ONE, TWO, more="[lookup]\nstale = 86400")
    alone = configuration(world, tmp_path, ONE, more="[lookup]\nstale = 86400\nbudget = 1.5")
    wall = time.time()
    with running(world, both) as made:
        for cluster in both.clusters:
            fetch = made.fetches.join(cluster, "phone.loads")
            fetch.answered.wait()
            fetch.body.wait_whole()
            made.fetches.leave(fetch)
            until(lambda cluster=cluster: made.kept.stale_age(cluster.name, "phone.loads") is not None)  # type: ignore[misc]
        made.homes.learn(SEP, Home("east", wall, wall))
        made.homes.learn(OTHER, Home("west", wall, wall))
        made.knowledge.negatives.remember("some.bin", time.monotonic())
        made.configure(alone, changes(both, alone))
        assert [made.homes.of(device, wall) is not None for device in (SEP, OTHER)] == [True, False]
        assert len(made.knowledge.negatives) == 0
        ages = [made.kept.stale_age(name, "phone.loads") for name in ("east", "west")]
        assert [age is not None for age in ages] == [True, False]
        assert made.clients.budget == 1.5
        asked = len(names(other.asked))
        until(lambda: len(server.asked) - len(names(server.asked)) == 2)  # a probe by each configuration
        assert len(names(other.asked)) == asked
        made.configure(both, changes(alone, both))
        fetch = made.fetches.start(both.clusters[1], "absent.bin")
        fetch.answered.wait()
        assert isinstance(fetch.answer, Missing)
        made.fetches.leave(fetch)


def test_what_was_learned_of_a_device(world: World, tmp_path: Path) -> None:
    told: Told = []
    with running(world, configuration(world, tmp_path), told) as made:
        made.learned(Event("device in several clusters", SEP, "east", ("west", "north")))
        made.learned(Event("device is nowhere any more", SEP, "east"))
    assert told == [
        ("device in several clusters", {"device": SEP, "home": "east", "others": "west, north"}),
        ("device is nowhere any more", {"device": SEP, "home": "east"}),
    ]
