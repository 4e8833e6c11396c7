"""What is kept, found again, and let go."""

from __future__ import annotations

import os
from pathlib import Path

import gevent
import pytest

from appliance.cache.entry import BLOCK, HEAD, file_name
from appliance.cache.kept import SMALL
from appliance.cache.terms import Terms
from tests.cache.folder import HOUR, STALE, Bytes, Cache, until

LARGE = os.urandom(SMALL + 5000)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path, size=8_000_000)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("data", [b"", b"<rings/>", LARGE])
def test_kept_and_found_again(cache: Cache, data: bytes, inside: bool) -> None:
    assert cache.get() is None
    assert cache.store(data, inside=inside)
    assert cache.get() == data
    assert cache.get("X") is cache.get(cluster="west") is None
    cache.again()
    assert cache.get() == data
    assert cache.kept.usage().damaged == 0


def test_its_age(cache: Cache) -> None:
    cache.store(b"1")
    known = cache.kept.lookup("east", "x", "common")
    assert known is not None
    assert (known.age, known.fresh, known.entry.address) == (0, True, "10.1.0.10")
    cache.now += 61
    known = cache.kept.lookup("east", "x", "common")
    assert known is not None
    assert (known.age, known.fresh) == (61, False)
    cache.kept.confirm(known.entry)
    assert cache.fresh()


@pytest.mark.parametrize(("seconds", "kept_age"), [(10.0, 20.0), (2 * HOUR, 10.0)])
def test_its_age_outlives_a_restart_near_enough(cache: Cache, seconds: float, kept_age: float) -> None:
    cache.store(b"1", kind="image")
    cache.now += seconds
    known = cache.kept.lookup("east", "x", "image")
    assert known is not None
    cache.kept.confirm(known.entry)
    file = cache.folder / file_name(("east", "x"))
    if seconds > HOUR:
        until(lambda: os.stat(file).st_mtime == cache.now)
    cache.now += 10
    cache.again()
    assert cache.kept.stale_age("east", "x") == kept_age


def test_the_same_content_is_not_written_again(cache: Cache) -> None:
    for data in (b"1", LARGE):
        assert cache.store(data, name=str(len(data)))
        drafts = cache.disk.drafts
        cache.now += 100
        assert cache.store(data, name=str(len(data)), inside=False)
        assert cache.disk.drafts == drafts
        assert cache.fresh(str(len(data)))
    assert cache.kept.usage().unchanged == 2


@pytest.mark.parametrize(("data", "validator"), [(b"2", ""), (b"1", "etag:2"), (b"12", "")])
def test_another_content_or_validator_is_written(cache: Cache, data: bytes, validator: str) -> None:
    cache.store(b"1")
    assert cache.store(data, validator=validator)
    assert cache.disk.drafts == 2
    cache.again()
    assert cache.get() == data
    known = cache.kept.lookup("east", "x", "common")
    assert known is not None
    assert known.entry.validator == validator


def test_small_ones_are_read_from_disk_once(cache: Cache) -> None:
    cache.store(b"1", inside=False)
    assert [cache.get() for _ in range(3)] == [b"1"] * 3
    assert cache.disk.reads == 1
    cache.store(b"2", name="y")
    assert cache.get("y") == b"2"
    assert cache.disk.reads == 1  # was in memory from the beginning


def test_a_kind_that_changed_with_the_program(cache: Cache) -> None:
    cache.store(b"1")
    assert cache.kept.lookup("east", "x", "device") is None
    assert cache.get() is None
    until(lambda: cache.files() == 0)


@pytest.mark.parametrize(
    ("terms", "kind", "files"),
    [
        (STALE, "device", 1),
        (Terms({"east": HOUR}), "device", 0),
        (Terms({"east": HOUR}), "generic trust list", 0),
        (Terms({"east": 0}, stale_configs=True), "device", 0),
        (Terms({"west": HOUR}, stale_configs=True), "common", 0),
    ],
)
def test_credentials_are_on_disk_only_where_that_is_wanted(
    cache: Cache, terms: Terms, kind: str, files: int
) -> None:
    cache.store(b"1", kind=kind)
    assert cache.files() == 1
    cache.again(terms)
    until(lambda: cache.files() == files)
    assert cache.store(b"1", kind=kind) is bool(files)
    assert cache.files() == files


def test_other_terms_while_it_runs(cache: Cache) -> None:
    cache.store(b"1", kind="device")
    cache.store(b"2", name="y")
    cache.kept.set_terms(Terms({"east": 24 * HOUR}))
    assert cache.get(kind="device") is None
    assert cache.get("y") == b"2"
    until(lambda: cache.files() == 1)


def test_stale_age(cache: Cache) -> None:
    cache.store(b"1", kind="device")
    cache.now += 23 * HOUR
    assert cache.kept.stale_age("east", "x") == 23 * HOUR
    assert cache.kept.stale_age("east", "y") is None
    cache.now += 2 * HOUR
    assert cache.kept.stale_age("east", "x") is None


def test_forget(cache: Cache) -> None:
    for name in "xyz":
        cache.store(b"1", name=name)
    assert cache.kept.forget(lambda name: name != "y") == 2
    assert [cache.get(name) for name in "xyz"] == [None, b"1", None]
    until(lambda: cache.files() == 1)
    assert cache.store(b"1")
    cache.again()
    assert [cache.get(name) for name in "xyz"] == [b"1", b"1", None]


def test_a_cluster_that_goes(cache: Cache) -> None:
    cache.store(b"1")
    cache.store(b"2", cluster="west")
    assert cache.kept.drop_cluster("east") == 1
    assert (cache.get(), cache.get(cluster="west")) == (None, b"2")
    until(lambda: cache.files() == 1)


def test_forgotten_while_it_is_written(cache: Cache) -> None:
    cache.disk.go_on.clear()
    storing = gevent.spawn(cache.store, b"1")
    until(lambda: cache.disk.drafts == 1)
    assert not cache.store(b"1")  # one at a time
    cache.kept.forget(lambda name: True)
    cache.disk.go_on.set()
    assert storing.get() is False
    assert cache.get() is None
    until(lambda: cache.files() == 0)


def test_forgotten_while_the_folder_is_being_looked_at(cache: Cache) -> None:
    cache.store(b"1")
    cache.store(b"2", name="y")
    cache.begin()
    cache.disk.go_on.clear()
    assert cache.kept.usage().loading
    cache.kept.forget(lambda name: name == "x")
    assert not cache.store(b"3", name="z")
    cache.disk.go_on.set()
    cache.kept.loaded.wait()
    assert [cache.get(name) for name in "xyz"] == [None, b"2", None]
    until(lambda: cache.files() == 1)


def test_bounded_in_bytes(tmp_path: Path) -> None:
    cache = Cache(tmp_path, size=3 * BLOCK)
    for name in "abc":
        assert cache.store(b"1", name=name)
    assert cache.get("a")
    assert cache.store(b"1", name="d")
    assert [cache.get(name) for name in "abcd"] == [b"1", None, b"1", b"1"]
    assert not cache.store(bytes(3 * BLOCK - HEAD + 1), name="e")
    assert cache.store(bytes(3 * BLOCK - HEAD), name="f")
    until(lambda: cache.files() == 1)
    assert cache.kept.usage().disk_bytes == 3 * BLOCK


def test_it_gives_way_to_running_bodies(tmp_path: Path) -> None:
    cache = Cache(tmp_path, size=4 * BLOCK)
    for name in "abcd":
        cache.store(b"1", name=name)
    cache.kept.give_way(2 * BLOCK)
    assert [cache.get(name) for name in "abcd"] == [None, None, b"1", b"1"]
    until(lambda: cache.files() == 2)
    cache.kept.give_way(4 * BLOCK)
    assert not cache.store(b"1", name="a")
    cache.kept.give_way(0)
    assert cache.store(b"1", name="a")
    until(lambda: cache.files() == 1)


def test_a_smaller_size_after_a_restart(tmp_path: Path) -> None:
    cache = Cache(tmp_path, size=4 * BLOCK)
    for number, name in enumerate("abcd"):
        cache.now += number
        cache.store(b"1", name=name)
    cache._sizes = 2 * BLOCK, 1000
    cache.again()
    assert [cache.get(name) for name in "abcd"] == [None, None, b"1", b"1"]
    until(lambda: cache.files() == 2)


def test_hostile_names(cache: Cache) -> None:
    names = ["../../x", "/etc/passwd", "a/b/c", "..", "\u00e4" * 127, '"' * 255]
    for name in names:
        assert cache.store(name.encode(), name=name)
    cache.again()
    assert [cache.get(name) for name in names] == [name.encode() for name in names]
    assert cache.files() == len(names)
    assert not cache.store(b"1", name="\ud800")
    assert not cache.store(b"1", validator="x" * 1000)


def test_too_much_at_once_is_not_kept(cache: Cache) -> None:
    cache.disk.go_on.clear()
    names = [str(number) for number in range(12)]
    storing = [gevent.spawn(cache.store, LARGE[:-6000], name) for name in names]
    gevent.idle()
    cache.disk.go_on.set()
    assert [each.get() for each in storing].count(True) == 8


def test_a_body_that_cannot_be_read_is_not_kept(cache: Cache) -> None:
    class Gone(Bytes):
        def read(self, offset: int, length: int) -> bytes:
            raise KeyError

    with pytest.raises(KeyError):
        cache.kept.store(("east", "x"), "common", "", "", Gone(b"1", inside=False))
    assert cache.get() is None
    until(lambda: cache.files() == 0)
    assert cache.store(b"1")


def test_what_is_no_entry_is_removed_at_the_start(cache: Cache) -> None:
    for name in "xy":
        cache.store(b"1", name=name)
    os.truncate(cache.folder / file_name(("east", "x")), HEAD)
    cache.again()
    assert [cache.get(name) for name in "xy"] == [None, b"1"]
    assert cache.kept.usage().damaged == 1
    until(lambda: cache.files() == 1)
