"""The store's folders: the administrator's own goes first, those of what is made may be absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.store.folder import StoreUnavailable
from appliance.store.store import Store
from tests.store.looking import got

LONG_AGO = (1_000_000_000, 1_000_000_000)


class Places:
    """The three folders, each file of which holds the name of its folder."""

    def __init__(self, data: Path) -> None:
        self.root, self.made = data / "tftp", data / "made"
        self.root.mkdir()
        self.store = Store(self.root, self.made, clock=lambda: 2e9)  # long after any change

    def write(self, *names: str) -> None:
        """Such as `signed/x`; those of the root as `root/x`."""
        for name in names:
            place, _, rest = name.partition("/")
            path = (self.root if place == "root" else self.made / place) / rest
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(place)

    def place(self, name: str) -> str | None:
        """Whose file is found."""
        found = got(self.store, name)
        return None if found is None else found[1].decode()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    places = Places(tmp_path)
    yield places
    places.store.close()


@pytest.mark.parametrize(
    ("names", "asked", "place"),
    [
        (["signed/x.sgn"], "x.sgn", "signed"),
        (["rendered/x.xml", "signed/x.xml"], "x.xml", "rendered"),
        (["root/x.sgn", "rendered/x.sgn", "signed/x.sgn"], "x.sgn", "root"),
        (["root/X.SGN", "signed/x.sgn"], "x.sgn", "root"),  # in whatever spelling
        (["signed/New_Zealand/g3.xml.sgn"], "new_zealand/G3.xml.sgn", "signed"),
        (["root/New_Zealand/g4.xml", "signed/New_Zealand/g3.xml.sgn"], "New_Zealand/g3.xml.sgn", "signed"),
        (["root/y", "rendered/y", "signed/y"], "x", None),
    ],
)
def test_order(places: Places, names: list[str], asked: str, place: str | None) -> None:
    places.write(*names)
    assert places.place(asked) == place


def test_folders_that_come_and_go(places: Places) -> None:
    assert places.place("x") is None
    places.store.check()
    places.write("signed/x")
    assert places.place("x") == "signed"
    places.write("root/x")
    assert places.place("x") == "root"
    (places.root / "x").unlink()
    (places.made / "signed").rename(places.made / "old")
    assert places.place("x") is None
    places.store.check()
    places.root.rename(places.root.with_name("away"))
    with pytest.raises(StoreUnavailable, match="tftp"):
        places.store.open("x")
    with pytest.raises(StoreUnavailable, match="tftp"):
        places.store.check()


def test_a_folder_that_cannot_be_read_is_no_absent_one(places: Places) -> None:
    places.write("rendered/y")
    (places.made / "signed").write_bytes(b"a file")
    assert places.place("y") == "rendered"
    with pytest.raises(StoreUnavailable, match="signed"):
        places.store.open("x")
    with pytest.raises(StoreUnavailable, match="signed"):
        places.store.check()
    assert places.store.names() is None


def test_names(places: Places) -> None:
    assert places.store.names() == {}
    places.write("root/A", "signed/b.sgn", "signed/a", "rendered/C")
    names = places.store.names()
    assert names is not None
    assert set(names) == {"a", "b.sgn", "c"}
    assert names["a"] == "A"
    assert places.store.names() is names  # nothing has changed
    (places.made / "signed/b.sgn").unlink()
    os.utime(places.made / "signed", LONG_AGO)
    names = places.store.names()
    assert names is not None
    assert set(names) == {"a", "c"}


def test_names_while_a_folder_changes(places: Places) -> None:
    store = Store(places.root, places.made)  # by the real clock: it was made just now
    assert store.names() is None
    store.close()
