from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.store.folder import Folder
from tests.store.looking import at_once, got


@pytest.mark.parametrize(
    ("name", "real"),
    [
        ("RingList.xml", "RingList.xml"),
        ("ringlist.xml", "RingList.xml"),
        ("RINGLIST.XML", "RingList.xml"),
        ("sep001122334455.CNF.xml", "SEP001122334455.cnf.xml"),
        ("both.xml", "both.xml"),  # exact first
        ("Both.xml", "Both.xml"),
        ("bOTH.xml", "BOTH.XML"),  # then the first in sorted order
        ("a b.xml", "a b.xml"),
        ("GRÜSSE.xml", "Grüße.xml"),
        ("Desktops/320x212x12/List.xml", "Desktops/320x212x12/List.xml"),
        ("desktops/320X212X12/list.xml", "Desktops/320x212x12/List.xml"),
        ("new_zealand/g4-tones.xml", "new_zealand/G4-tones.xml"),
        ("NEW_ZEALAND/G3-tones.xml", "New_Zealand/g3-tones.xml"),
        ("new_zealand/g3-tones.xml", None),  # part by part: the exact folder is not left again
        ("RingList.xm", None),
        ("RingList.xml.sgn", None),
        ("RingList.xml/x", None),
        ("Desktops", None),
        ("Desktops/320x212x12", None),
        ("missing", None),
        ("missing/x", None),
        # 3b rows 21-23, 26, 28, 30: what a caller should have refused is not found all the same
        ("../passwd", None),
        ("../../../etc/passwd", None),
        ("/etc/passwd", None),
        ("/RingList.xml", None),
        ("..\\..\\etc\\passwd", None),
        ("Desktops/..", None),
        ("Desktops/../RingList.xml", None),
        ("./RingList.xml", None),
        ("Desktops//320x212x12/List.xml", None),
        ("RingList.xml/", None),
        ("", None),
        (".", None),
        ("..", None),
        ("/", None),
        ("\udcff\udcfe\udc80", None),
        ("\ud800", None),
        ("RingList.xml\0", None),
        ("\0", None),
        ("a\n\x1b[31m%s%n", None),
        ("x" * 255, None),
        ("x" * 256, None),
        ("ü" * 200, None),
        ("x" * 60_000, None),
        ("x/" * 5_000 + "x", None),
        ("../root2/secret", None),
        ("2/secret", None),
    ],
)
def test_names(folder: Folder, name: str, real: str | None) -> None:
    assert got(folder, name) == (None if real is None else (real, real.encode()))


@given(st.text())
def test_any_text_is_a_miss(name: str) -> None:
    folder = Folder(Path(__file__).parent)
    assert folder.open(name) is None
    folder.close()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(path.parent)  # the address of a socket is short, the folders of a test are not
        listener.bind(path.name)


THINGS: dict[str, Callable[[Path], None]] = {
    "link out": lambda path: path.symlink_to("/etc/passwd"),
    "relative link out": lambda path: path.symlink_to("../passwd"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link inside": lambda path: path.symlink_to("RingList.xml"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to a folder": lambda path: path.symlink_to("Desktops"),
    "folder": Path.mkdir,
    "FIFO": os.mkfifo,
    "socket": make_socket,
}


def zero(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))


@pytest.mark.parametrize("name", ["Thing", "thing"])
@pytest.mark.parametrize(
    "make",
    [
        *(pytest.param(make, id=thing) for thing, make in THINGS.items()),
        pytest.param(zero, marks=pytest.mark.root),
    ],
)
def test_what_is_no_regular_file_is_never_opened(
    root: Path, folder: Folder, make: Callable[[Path], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    make(root / "Thing")
    opened = []
    real_open = os.open

    def watched(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        opened.append(path)
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", watched)
    assert at_once(lambda: folder.open(name)) is None
    assert opened == ["."]
    assert at_once(lambda: folder.open(f"{name}/320x212x12/List.xml")) is None


@pytest.mark.parametrize("make", [pytest.param(make, id=thing) for thing, make in THINGS.items()])
def test_swapped_between_the_look_and_the_opening(
    root: Path, folder: Folder, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    real_stat = os.stat

    def stat_then_swap(
        path: str | Path, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        status = real_stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        if path == "both.xml":
            (root / "both.xml").unlink()
            make(root / "both.xml")
        return status

    monkeypatch.setattr(os, "stat", stat_then_swap)
    assert at_once(lambda: folder.open("both.xml")) is None


def test_a_folder_swapped_for_a_link(root: Path, folder: Folder) -> None:
    assert got(folder, "Desktops/320x212x12/List.xml")
    (root / "Desktops").rename(root.parent / "elsewhere")
    (root / "Desktops").symlink_to(root.parent / "elsewhere")
    assert got(folder, "Desktops/320x212x12/List.xml") is None
    assert got(folder, "desktops/320x212x12/List.xml") is None
