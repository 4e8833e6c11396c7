"""What is kept of a cluster's files, and when the cluster is asked all the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent.event import Event

from appliance.cache.disk import Disk
from appliance.cache.entry import HEAD, file_name
from appliance.cache.kept import Kept
from appliance.cache.terms import Terms
from appliance.cluster.answer import Failed, Found
from appliance.cluster.body import Body, Broken
from appliance.cluster.copies import Copies
from appliance.cluster.fetch import CACHE, Fetches
from appliance.config.model import Protocol
from tests.cluster.answers import FILE, LARGE, breaks, fails, has, has_not
from tests.cluster.servers import HANG_UP, Asked, reply
from tests.cluster.world import ONE, World, read_all, until

COMMON, IMAGE, DEVICE = "RingList.xml", "sip88xx.12-1-1.sb2", "SEP001122334455.cnf.xml"
DAY = 24 * 3600.0
STALE = Terms({"east": 2 * DAY}, stale_configs=True)
ETAG = '"a b"'


class Site:
    """One cluster, and the cache in front of it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.now = 1_700_000_000.0
        self.told: list[str] = []
        self.cluster = world.cluster()
        self.again()

    def again(self, terms: Terms = STALE) -> None:
        """As after a restart."""
        self.kept = Kept(Disk(self.folder), 8_000_000, 4_000_000, terms, self.told.append, lambda: self.now)
        self.kept.start()
        self.kept.loaded.wait()
        self.world.fetches = Fetches(self.world.clients, Copies(self.kept))

    def get(self, name: str = COMMON) -> tuple[bytes, str]:
        """The file as a phone gets it, once nobody shares it any more, and the protocol; `Broken`."""
        fetch = self.world.fetches.join(self.cluster, name)
        try:
            fetch.answered.wait()
            assert isinstance(fetch.answer, Found)
            data = read_all(fetch)
            assert fetch.answer.size in (None, len(data))
            return data, fetch.answer.protocol
        finally:
            self.world.fetches.leave(fetch)
            until(lambda: not len(self.world.fetches))
            until(lambda: not self.kept._storing)

    def break_off(self, name: str) -> None:
        """Ask for a file that does not come to its end."""
        with pytest.raises(Broken):
            self.get(name)


@pytest.fixture
def site(world: World, tmp_path: Path) -> Site:
    folder = tmp_path / "cache"
    folder.mkdir()
    return Site(world, folder)


def validated(asked: Asked) -> list[bytes | None]:
    if asked.fields.get("if-none-match") == ETAG:
        return [b"HTTP/1.1 304 Not Modified\r\nETag: " + ETAG.encode() + b"\r\n\r\n"]
    return [reply(200, FILE, f"ETag: {ETAG}")]


def test_a_common_file_is_fresh_for_a_minute(site: Site) -> None:
    server = site.world.http(has)
    assert site.get() == (FILE, "http")
    site.now += 59
    assert site.get() == (FILE, CACHE)
    assert len(server.asked) == 1
    site.now += 2
    assert site.get() == (FILE, "http")
    assert len(server.asked) == 2
    assert site.get() == (FILE, CACHE)  # the same content: its age started anew
    assert (site.kept.usage().written, site.kept.usage().unchanged) == (1, 1)


def test_a_changed_file_is_the_new_one(site: Site) -> None:
    bodies = [b"old", b"new and longer"]
    site.world.http(lambda asked: [reply(200, bodies.pop(0))])
    site.get()
    site.now += 61
    assert [site.get()[0] for _ in range(2)] == [b"new and longer"] * 2


def test_what_is_fresh_and_in_memory_needs_no_waiting(site: Site) -> None:
    server = site.world.http(has)
    assert site.world.fetches.ready(site.cluster, COMMON) is None
    site.get()
    fetches = site.world.fetches
    fetch = fetches.ready(site.cluster, COMMON)
    assert fetch is not None
    assert fetch.answer == Found(len(FILE), ONE, CACHE)
    assert (fetch.finished, fetch.body.whole) == (True, FILE)
    assert fetches.join(site.cluster, COMMON) is fetch
    fetches.leave(fetch)
    until(lambda: not len(fetches))
    site.now += 61
    assert fetches.ready(site.cluster, COMMON) is None
    site.get()
    site.again()  # now it is on disk alone
    assert site.world.fetches.ready(site.cluster, COMMON) is None
    assert len(server.asked) == 2


def test_fresh_after_a_restart(site: Site) -> None:
    server = site.world.http(has)
    site.get()
    site.again()
    assert site.get() == (FILE, CACHE)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("name", "seconds"), [(COMMON, 61.0), (IMAGE, DAY + 1), (DEVICE, 0.0)])
def test_what_has_a_validator_is_asked_for_with_it(site: Site, name: str, seconds: float) -> None:
    server = site.world.http(validated)
    site.get(name)
    site.now += seconds
    assert site.get(name) == (FILE, "http")
    assert [asked.fields.get("if-none-match") for asked in server.asked] == [None, ETAG]
    assert site.kept.stale_age("east", name) == 0
    assert site.kept.usage().written == 1


@pytest.mark.parametrize("name", [DEVICE, "XMLDefault.cnf.xml", "ITLFile.tlv"])
def test_configurations_are_fetched_anew(site: Site, name: str) -> None:
    server = site.world.http(has)
    for count in (1, 2):
        assert site.get(name) == (FILE, "http")
        assert len(server.asked) == count


def test_an_image_is_fresh_for_a_day_and_compared_by_length(site: Site) -> None:
    server = site.world.http(lambda asked: [reply(200, LARGE)])
    assert site.get(IMAGE) == (LARGE, "http")
    site.now += DAY - 1
    assert site.get(IMAGE) == (LARGE, CACHE)
    assert len(server.asked) == 1
    site.now += 2
    assert site.get(IMAGE) == (LARGE, "http")
    assert len(server.asked) == 2
    assert site.get(IMAGE) == (LARGE, CACHE)
    assert (site.kept.usage().written, site.kept.usage().unchanged) == (1, 0)  # not read from the cluster


def test_an_image_of_another_length_is_another(site: Site) -> None:
    bodies = [LARGE, LARGE[1:]]
    site.world.http(lambda asked: [reply(200, bodies.pop(0))])
    site.get(IMAGE)
    site.now += DAY
    assert site.get(IMAGE) == (LARGE[1:], "http")
    assert site.get(IMAGE) == (LARGE[1:], CACHE)


def test_a_large_copy_is_not_copied_again(site: Site) -> None:
    site.world.http(lambda asked: [reply(200, LARGE)])
    site.get(IMAGE)
    site.world.room.memory = site.world.room.disk = 0
    assert site.get(IMAGE) == (LARGE, CACHE)


@pytest.mark.parametrize("name", [COMMON, IMAGE])
def test_what_breaks_off_is_not_kept(site: Site, name: str) -> None:
    site.world.http(breaks)
    site.break_off(name)
    assert site.kept.usage().entries == 0
    assert os.listdir(site.folder) == []


def test_not_found_and_failures_are_not_kept(site: Site) -> None:
    for answer in (has_not, fails):
        server = site.world.http(answer)
        with site.world.fetches.joined([site.cluster], COMMON) as (fetch,):
            fetch.answered.wait()
        until(lambda: not len(site.world.fetches))
        server.close()
    assert os.listdir(site.folder) == []


def test_a_torn_copy_is_fetched_again(site: Site) -> None:
    server = site.world.http(has)
    site.get()
    with open(site.folder / file_name(("east", COMMON)), "r+b") as file:
        file.seek(HEAD + 10)
        file.write(b"#")
    os.utime(file.name, (site.now, site.now))
    site.again()
    assert site.get() == (FILE, "http")
    assert len(server.asked) == 2
    assert site.get() == (FILE, CACHE)


def test_a_torn_copy_that_the_cluster_confirms_is_fetched_again(site: Site) -> None:
    server = site.world.http(validated)
    site.get()
    with open(site.folder / file_name(("east", COMMON)), "r+b") as file:
        file.seek(HEAD + 10)
        file.write(b"#")
    site.again()
    site.now += 61
    assert site.get() == (FILE, "http")
    assert [asked.fields.get("if-none-match") for asked in server.asked] == [None, ETAG, None]


def test_a_fetch_of_ones_own_goes_past_the_copies(site: Site) -> None:
    server = site.world.http(has)
    site.get()
    assert site.world.ask(site.cluster, COMMON) == (Found(len(FILE), ONE, "http"), FILE)
    assert len(server.asked) == 2


def test_a_full_disk_is_in_nobodys_way(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    server = site.world.http(has)
    monkeypatch.setattr(Disk, "draft", full)
    for count in (1, 2, 3):
        assert site.get() == (FILE, "http")
        assert len(server.asked) == count
    assert site.told == ["no files are kept: No space left on device"]


def test_forget(site: Site) -> None:
    server = site.world.http(has)
    site.get()
    assert site.world.fetches.forget(lambda name: name == COMMON) == 1
    assert site.get() == (FILE, "http")
    assert len(server.asked) == 2


def test_a_cluster_that_was_changed(site: Site) -> None:
    server = site.world.http(has)
    site.get()
    site.world.fetches.drop("east")
    assert site.get() == (FILE, "http")
    assert len(server.asked) == 2


@pytest.mark.parametrize("name", [COMMON, IMAGE, DEVICE])
def test_a_stale_copy(site: Site, name: str) -> None:
    body = LARGE if name == IMAGE else FILE
    server = site.world.http(lambda asked: [reply(200, body)])
    site.get(name)
    server.close()
    site.now += 2 * DAY - 1
    fetch = site.world.fetches.stale(site.cluster, name)
    assert fetch is not None
    assert fetch.answer == Found(len(body), ONE, CACHE)
    assert fetch.whole
    assert read_all(fetch) == body
    site.world.fetches.leave(fetch)
    said, _ = site.world.ask(site.cluster, name)
    assert isinstance(said, Failed)
    site.now += 2
    assert site.world.fetches.stale(site.cluster, name) is None


def test_no_stale_copy_where_there_is_none_or_it_is_not_wanted(site: Site) -> None:
    site.world.http(has)
    site.get(COMMON)
    assert site.world.fetches.stale(site.cluster, IMAGE) is None
    site.kept.set_terms(Terms({"east": 0}))
    assert site.world.fetches.stale(site.cluster, COMMON) is None


def test_copies_give_way_to_bodies_on_their_way(site: Site) -> None:
    site.world.http(lambda asked: [reply(200, LARGE)])
    for name in (IMAGE, "2" + IMAGE):
        site.get(name)
    assert site.kept.usage().entries == 2
    site.world.room.disk = 8_000_000
    assert site.world.room.take_disk(5_500_000)
    assert site.kept.usage().entries == 1
    until(lambda: len(os.listdir(site.folder)) == 1)
    site.world.room.free_disk(5_500_000)
    site.get(IMAGE)
    assert site.kept.usage().entries == 2


def test_over_tftp(site: Site) -> None:
    server = site.world.tftp({COMMON: FILE})
    site.cluster = site.world.cluster(protocol=Protocol.TFTP)
    assert site.get() == (FILE, "tftp")
    assert site.get() == (FILE, CACHE)
    assert len(server.asked) == 1


def test_a_file_whose_end_is_uncertain_is_not_kept(site: Site) -> None:
    server = site.world.http(lambda asked: [b"HTTP/1.1 200 OK\r\n\r\n" + FILE, HANG_UP])
    for count in (1, 2):
        assert site.get() == (FILE, "http")
        assert len(server.asked) == count


def test_a_file_that_was_not_the_whole_is_kept_no_longer(site: Site) -> None:
    rest = Event()

    def too_much(asked: Asked) -> Iterator[bytes | None]:
        yield reply(200, FILE)
        rest.wait()
        yield b"more"

    site.world.http(too_much)
    fetch = site.world.fetches.join(site.cluster, COMMON)
    until(lambda: site.kept.usage().entries == 1)
    rest.set()
    until(lambda: site.kept.usage().entries == 0)
    site.world.fetches.leave(fetch)


def test_a_copy_that_is_lost_while_it_is_read_is_broken(site: Site) -> None:
    site.world.http(lambda asked: [reply(200, LARGE)])
    site.get(IMAGE)
    fetch = site.world.fetches.join(site.cluster, IMAGE)
    assert fetch.body.read(0, 10) == LARGE[:10]
    os.truncate(site.folder / file_name(("east", IMAGE)), HEAD + 100)
    with pytest.raises(Broken, match="kept file cannot be read"):
        read_all(fetch)
    site.world.fetches.leave(fetch)


def test_a_body_that_cannot_be_read_is_no_mistake_of_ours(site: Site) -> None:
    body = Body(site.world.room)
    body.write(LARGE)
    body.finish()
    assert body._file is not None
    os.ftruncate(body._file.descriptor, 10)
    Copies(site.kept).keep("east", COMMON, Found(None, ONE, "http"), body)
    assert site.kept.usage().entries == 0
    body.close()
