"""What is in force at a start, and where everything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config.faults import ConfigurationError
from appliance.config.history import History
from appliance.control import marker, start
from appliance.control.places import places, salvaged
from appliance.report.control import Change, Result


class Folder:
    """The files of a box that does not run."""

    def __init__(self, path: Path) -> None:
        self.confirmed = path / "appliance.conf"
        self.paths = f"version = 1\n[paths]\ndata = {path}/data\nrun = {path}/run\n"
        self.history = History(path / "data/history")
        self.marker = path / "data/change.json"
        self.in_force = path / "run/running.conf"

    def text(self, budget: object) -> bytes:
        return f"{self.paths}[lookup]\nbudget = {budget}\n".encode()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_confirmed_file(folder: Folder) -> None:
    folder.confirmed.write_bytes(folder.text(4))
    found = start.prepare(folder.confirmed)
    assert (found.fault, found.last) == ("", None)
    assert folder.in_force.read_bytes() == folder.text(4)


def test_the_newest_good_revision(folder: Folder) -> None:
    for budget in (4, "nonsense"):
        folder.history.add(folder.text(budget), "root", "", 0.0)
    folder.confirmed.write_bytes(folder.text("nonsense"))
    found = start.prepare(folder.confirmed)
    assert "revision 1 of" in found.fault
    assert "budget" in found.fault
    assert folder.in_force.read_bytes() == folder.text(4)


def test_what_was_never_confirmed_is_not_fallen_back_to(folder: Folder) -> None:
    for budget in (4, 5):
        folder.history.add(folder.text(budget), "root", "", 0.0)
    marker.write(folder.marker, Change(2, "", "root", "", "", Result.PENDING, ""))
    folder.confirmed.write_bytes(folder.text("nonsense"))
    assert start.begin(folder.confirmed).text == folder.text(4)


@pytest.mark.parametrize("text", [b"nonsense", b"\xff\xfe\x00", b"version = 99\n", None])
def test_nothing_usable(folder: Folder, text: bytes | None) -> None:
    if text is not None:
        folder.confirmed.write_bytes(text)
    with pytest.raises(ConfigurationError):
        start.begin(folder.confirmed)


def test_a_damaged_marker(folder: Folder) -> None:
    """What is confirmed comes into force whatever stands there."""
    folder.confirmed.write_bytes(folder.text(4))
    folder.marker.parent.mkdir()
    folder.marker.write_bytes(b"{")
    assert start.begin(folder.confirmed).last is None


@pytest.mark.parametrize(
    ("text", "data", "run"),
    [
        (b"[paths]\ndata = /a\nrun = /b\n[tftp]\nport = x\n", "/a", "/b"),
        (b"nonsense\n[ paths ] # here\ndata = /a\n", "/a", "/run/appliance"),
        (b"[paths]\ndata = relative\n", "/data", "/run/appliance"),
        (b"\xff\xfe", "/data", "/run/appliance"),
        (b"", "/data", "/run/appliance"),
    ],
)
def test_salvaged(text: bytes, data: str, run: str) -> None:
    found = salvaged(text)
    assert (str(found.data), str(found.run)) == (data, run)


def test_places() -> None:
    found = places(Path("/data/appliance.conf"), salvaged(b""))
    assert {str(each) for each in (found.in_force, found.socket)} == {
        "/run/appliance/running.conf",
        "/run/appliance/control.sock",
    }
    assert {str(each.parent) for each in (found.history, found.marker)} == {"/data"}
