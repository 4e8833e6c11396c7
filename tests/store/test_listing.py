from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.store.listing import RACY, Listings, Stamp

SECOND = 10**9
CHANGED = 1000.0  # s; when the folders of these tests changed last
LATER = CHANGED + RACY + 1


class Disk:
    """Folders as lists of names, and how often each was listed."""

    def __init__(self, **folders: list[str]) -> None:
        self.folders = folders
        self.listed: list[str] = []

    def read(self, folder: str) -> list[str]:
        self.listed.append(folder)
        return list(self.folders[folder])


def stamp(folder: str = "a", mtime: float = CHANGED, ctime: float | None = None) -> Stamp:
    changed = mtime if ctime is None else ctime
    return Stamp((1, ord(folder)), int(mtime * SECOND), int(changed * SECOND))


def find(listings: Listings, disk: Disk, name: str, folder: str = "a", now: float = LATER) -> str | None:
    return listings.find(stamp(folder), now, name, lambda: disk.read(folder))


@pytest.mark.parametrize(
    ("names", "name", "real"),
    [
        (["RingList.xml"], "RingList.xml", "RingList.xml"),
        (["RingList.xml"], "ringlist.XML", "RingList.xml"),
        (["RingList.xml"], "ringlist", None),
        ([], "a", None),
        (["b", "B"], "B", "B"),
        (["b", "B"], "b", "B"),  # the exact spelling is the caller's to try first
        (["abc", "aBC", "Abc"], "ABC", "Abc"),
        (["STRASSE"], "straße", "STRASSE"),
        (["Grüße.xml"], "GRÜSSE.XML", "Grüße.xml"),
        (["\udcff\udcfeA"], "\udcff\udcfea", "\udcff\udcfeA"),  # not UTF-8 on the disk
    ],
)
def test_fold(names: list[str], name: str, real: str | None) -> None:
    for order in (names, names[::-1]):
        assert find(Listings(), Disk(a=order), name) == real


@given(st.lists(st.text(min_size=1), unique=True), st.text(min_size=1))
def test_fold_is_the_first_that_folds_alike(names: list[str], name: str) -> None:
    alike = sorted(each for each in names if each.casefold() == name.casefold())
    assert find(Listings(), Disk(a=names), name) == (alike[0] if alike else None)


@pytest.mark.parametrize(
    ("mtime", "ctime", "now", "settled"),
    [
        (1000, 1000, 1000.0, False),
        (1000, 1000, 1002.0, False),
        (1000, 1000, 1002.1, True),
        (1000, 1000, 999.0, False),  # the disk's clock runs ahead of ours
        (1000, 1000, 10.0, True),  # the box woke without a clock: the next change says 10
        (10, 1000, 1000.0, False),  # a copy just set mtime back
        (1000, 10, 1000.0, False),
        (10, 1000, 1003.0, True),
    ],
)
def test_settled(mtime: float, ctime: float, now: float, settled: bool) -> None:
    assert stamp(mtime=mtime, ctime=ctime).settled(now) is settled


@pytest.mark.parametrize(
    ("times", "listed"),
    [
        ([LATER] * 3, 1),
        ([CHANGED] * 3, 3),  # racy: each use lists anew
        ([CHANGED, CHANGED + RACY, LATER, LATER, LATER + 86400], 3),  # until a listing is settled
    ],
)
def test_a_listing_is_kept_once_settled(times: list[float], listed: int) -> None:
    listings, disk = Listings(), Disk(a=["X"])
    for now in times:
        assert find(listings, disk, "x", now=now) == "X"
    assert len(disk.listed) == listed


def test_a_change_within_the_same_tick_is_seen() -> None:
    listings, disk = Listings(), Disk(a=[])
    assert find(listings, disk, "x", now=CHANGED) is None
    disk.folders["a"] = ["X"]  # the times of the folder stay what they are
    assert find(listings, disk, "x", now=CHANGED) == "X"


@pytest.mark.parametrize("later", [stamp(mtime=CHANGED + 1), stamp(ctime=CHANGED + 1), stamp(mtime=5)])
def test_a_changed_folder_is_listed_anew(later: Stamp) -> None:
    listings, disk = Listings(), Disk(a=[])
    assert find(listings, disk, "x") is None
    disk.folders["a"] = ["X"]
    assert find(listings, disk, "x") is None
    assert listings.find(later, LATER + 10, "x", lambda: disk.read("a")) == "X"


@pytest.mark.parametrize(
    ("folders_max", "names_max", "order", "listed"),
    [
        (2, 99, "abab", "ab"),
        (2, 99, "abca", "abca"),  # a went for c
        (2, 99, "abacab", "abcb"),  # b went: a was used after it
        (9, 4, "abab", "ab"),  # two names each
        (9, 3, "abab", "abab"),
        (9, 1, "aaaa", "a"),  # too large to be kept: and not listed again for every miss
    ],
)
def test_bounds(folders_max: int, names_max: int, order: str, listed: str) -> None:
    listings = Listings(folders_max, names_max)
    disk = Disk(a=["A", "1"], b=["B", "2"], c=["C", "3"])
    for folder in order:
        found = find(listings, disk, folder, folder)
        assert found == (folder.upper() if names_max >= 2 else None)
    assert "".join(disk.listed) == listed


def test_a_folder_replaced_by_a_smaller_one_gives_its_room_back() -> None:
    listings, disk = Listings(names_max=4), Disk(a=["1", "2", "3", "4"], b=["5", "6", "7"])
    find(listings, disk, "1")
    disk.folders["a"] = ["1"]
    listings.find(stamp(mtime=CHANGED + 1), LATER + 10, "1", lambda: disk.read("a"))
    find(listings, disk, "5", "b")
    listings.find(stamp(mtime=CHANGED + 1), LATER + 10, "1", lambda: disk.read("a"))
    assert disk.listed == ["a", "a", "b"]


def test_a_failed_listing_leaves_nothing_behind() -> None:
    def fail() -> list[str]:
        raise OSError("disk")

    listings, disk = Listings(), Disk(a=["X"])
    find(listings, disk, "x")
    with pytest.raises(OSError, match="disk"):
        listings.find(stamp(mtime=5), LATER, "x", fail)
    assert find(listings, disk, "x") == "X"
    assert disk.listed == ["a", "a"]


class Gate:
    """A lock that tells who came, before it lets one in."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.came.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_threads_that_wait_share_one_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    listings, disk, gate, go = Listings(), Disk(a=["X"]), Gate(), threading.Event()
    monkeypatch.setattr(listings, "_lock", gate)
    found: list[str | None] = []

    def slow() -> list[str]:
        assert go.wait(10)
        return disk.read("a")

    def call(read: Callable[[], list[str]]) -> None:
        found.append(listings.find(stamp(), CHANGED, "x", read))

    threads = [threading.Thread(target=call, args=[slow])]
    threads += [threading.Thread(target=call, args=[lambda: disk.read("a")]) for _ in range(8)]
    for thread in threads:
        thread.start()
        assert gate.came.acquire(timeout=10)
    # The eight came while the first listing ran, which may lack what they are to see: one of them
    # lists once more, and that serves them all although it is racy.
    go.set()
    for thread in threads:
        thread.join(10)
    assert found == ["X"] * 9
    assert disk.listed == ["a", "a"]
