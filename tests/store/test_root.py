from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.store.folder import Folder, StoreUnavailable
from tests.store.looking import got


def test_a_root_that_comes_goes_and_is_replaced(tmp_path: Path) -> None:
    root = tmp_path / "later"
    folder = Folder(root)

    def absent() -> None:
        with pytest.raises(StoreUnavailable, match="later"):
            folder.check()
        with pytest.raises(StoreUnavailable, match="later"):
            folder.open("x")

    absent()
    root.mkdir()
    (root / "x").write_bytes(b"1")
    folder.check()
    assert got(folder, "X") == ("x", b"1")
    root.rename(tmp_path / "away")
    absent()
    root.mkdir()
    assert got(folder, "X") is None
    (root / "x").write_bytes(b"2")
    assert got(folder, "X") == ("x", b"2")
    (root / "x").unlink()
    root.rmdir()
    absent()
    root.write_bytes(b"no folder")
    absent()
    root.unlink()
    root.symlink_to(tmp_path / "away")  # the root itself may be a link
    assert got(folder, "X") == ("x", b"1")
    root.unlink()
    root.symlink_to(root)
    absent()
    root.unlink()
    root.mkdir()
    folder.check()
    folder.close()
    folder.close()
    absent()


def test_a_root_out_of_reach_is_kept(root: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    real_stat, real_open = os.stat, os.open

    def denied_stat(
        path: str | Path, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        if path == root:
            raise PermissionError(errno.EACCES, "no")
        return real_stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def denied_open(path: str | Path, flags: int, *, dir_fd: int | None = None) -> int:
        if path == root:
            raise PermissionError(errno.EACCES, "no")
        return real_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "stat", denied_stat)
    monkeypatch.setattr(os, "open", denied_open)
    folder.check()
    assert got(folder, "ringlist.xml") == ("RingList.xml", b"RingList.xml")
    stranger = Folder(root)  # was not opened in time
    with pytest.raises(StoreUnavailable):
        stranger.check()
    stranger.close()


DROPPED = """
import os, sys
from pathlib import Path
from appliance.store.folder import Folder, StoreUnavailable, Unreadable

def outcome(call):
    try:
        file = call()
        return None if file is None else file.name
    except StoreUnavailable as error:
        return type(error).__name__

folder = Folder(Path(sys.argv[1]))
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
before = len(os.listdir("/proc/self/fd"))
for name in sys.argv[2:]:
    print(outcome(lambda: folder.open(name)))
print(outcome(folder.check))
print(outcome(lambda: Folder(Path(sys.argv[1])).open("RingList.xml")))
print(len(os.listdir("/proc/self/fd")) - before)
"""


@pytest.mark.root
def test_after_privileges_are_dropped(root: Path) -> None:
    root.parent.chmod(0o700)
    (root / "both.xml").chmod(0)
    (root / "Desktops/320x212x12").chmod(0o700)
    (root / "New_Zealand").chmod(0o711)  # to be opened, not only to be passed
    names = "RINGLIST.xml", "missing", "both.xml", "Desktops/320x212x12/List.xml", "New_Zealand/g3-tones.xml"
    run = subprocess.run(
        [sys.executable, "-c", DROPPED, str(root), *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.split() == [
        "RingList.xml",
        "None",
        "Unreadable",
        "Unreadable",
        "Unreadable",
        "None",
        "StoreUnavailable",
        "0",
    ]
