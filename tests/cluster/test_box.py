from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from appliance.cluster.box import SIZE_MAX, box_id, known

NUMBER, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("system", "state"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_it_is_made_once(data: Path) -> None:
    number, fault = box_id(data)
    assert fault == ""
    assert re.fullmatch("[0-9a-f]{16}", number)
    assert box_id(data) == (number, "")
    assert (data / "state/box-id").read_text() == f"{number}\n"
    assert (data / "state/box-id").stat().st_mode & 0o777 == 0o600
    assert os.listdir(data / "state") == ["box-id"]


def test_two_boxes_differ(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "state").mkdir()
    assert box_id(data)[0] != box_id(other)[0]


@pytest.mark.parametrize(
    ("system", "state", "number"),
    [
        (f"{NUMBER}\n", f"{OTHER}\n", NUMBER),
        (NUMBER, "", NUMBER),
        ("", f"{OTHER}\n", OTHER),
        (f"{NUMBER}\r\n", f"{OTHER}\n", NUMBER),
        (NUMBER.upper(), OTHER, OTHER),
        (f"{NUMBER}0", OTHER, OTHER),
        (f"x{NUMBER}", OTHER, OTHER),
        (f"{NUMBER}\nmore", OTHER, OTHER),
        (NUMBER + " " * SIZE_MAX + "x", OTHER, NUMBER),  # what comes behind is not read
        ("\x00" * 16, OTHER, OTHER),
    ],
)
def test_what_is_there(data: Path, system: str, state: str, number: str) -> None:
    (data / "system/box-id").write_text(system, newline="")
    (data / "state/box-id").write_text(state)
    assert box_id(data) == (number, "")
    assert (data / "state/box-id").read_text() == state


def test_what_is_spoilt_is_made_anew(data: Path) -> None:
    (data / "state/box-id").write_bytes(b"\xff" * 100)
    number, fault = box_id(data)
    assert fault == ""
    assert (data / "state/box-id").read_text() == f"{number}\n"


def test_without_a_folder(tmp_path: Path) -> None:
    """There is a number all the same, for this run."""
    number, fault = box_id(tmp_path)
    assert fault == "No such file or directory"
    assert re.fullmatch("[0-9a-f]{16}", number)
    assert box_id(tmp_path)[0] != number


def test_it_follows_no_link(data: Path, tmp_path: Path) -> None:
    """One that somebody has laid is not written through, but replaced."""
    target = tmp_path / "target"
    target.write_text("precious")
    (data / "state/box-id").symlink_to(target)
    number, fault = box_id(data)
    assert fault == ""
    assert not (data / "state/box-id").is_symlink()
    assert (data / "state/box-id").read_text() == f"{number}\n"
    assert target.read_text() == "precious"


def test_it_outlives_a_loss_of_power(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is on the disk before its name is, and then the name; else it is told."""
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    )
    box_id(data)
    assert [Path(path).parent.name for path in synced] == ["state", data.name]
    assert synced[-1] == str(data / "state")


def test_what_workers_go_by(data: Path) -> None:
    assert known(data) is None
    number, _ = box_id(data)
    assert known(data) == number
