from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.atomic import replace_file

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs the strace command")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_file(tmp_path: Path) -> None:
    replace_file(tmp_path / "file", b"text")
    assert (tmp_path / "file").read_bytes() == b"text"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_in_place_of_another(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a long text that was there before")
    umask = os.umask(0o077)
    try:
        replace_file(path, b"", mode)
    finally:
        os.umask(umask)
    assert path.read_bytes() == b""
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_who_has_the_old_one_open_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as file:
        replace_file(path, b"new")
        assert file.read() == b"old"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"untouched")
    (tmp_path / "file").symlink_to("elsewhere")
    replace_file(tmp_path / "file", b"new")
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"untouched"


@pytest.mark.parametrize("call", ["fchmod", "fsync", "rename"])
def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "file").write_bytes(b"old")
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_room_on_the_disk(tmp_path: Path) -> None:
    """A limit of the size of files stands for a full disk: it strikes in the midst of the data."""
    (tmp_path / "file").write_bytes(b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from appliance.config.atomic import replace_file;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "replace_file(Path(sys.argv[1]), b'x' * 100_000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "file"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "File too large" in done.stderr
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["absent/file", "file/x"])
def test_no_such_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"No such file|Not a directory"):
        replace_file(tmp_path / name, b"")


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        replace_file(tmp_path / "file", b"")
    assert names(tmp_path) == ["file"]


def calls(trace: str) -> Iterator[tuple[str, str]]:
    """Each call of a trace as its name and what it is about: with -y strace names the files."""
    for line in trace.splitlines():
        if match := re.match(r"(?:\d+ +)?(\w+)\((.*)\) += 0|(?:\d+ +)?(write)\((.*)\) += \d+", line):
            yield match[1] or match[3], match[2] or match[4]


@needs_strace
def test_the_order_on_its_way_to_the_disk(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from appliance.config.atomic import replace_file;"
        "replace_file(Path(sys.argv[1]), b'new' * 100_000)"
    )
    folder = tmp_path / "data"
    folder.mkdir()
    trace = tmp_path / "trace"
    wanted = "trace=write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,link,linkat"
    subprocess.run(
        ["strace", "-f", "-y", "-e", wanted, "-o", trace, sys.executable, "-c", code, folder / "file"],
        check=True,
        timeout=120,
    )
    found = [(name, about) for name, about in calls(trace.read_text()) if str(folder) in about]
    order = [name for name, _ in found]
    assert set(order[:-3]) == {"write"}
    assert order[-3].startswith("fsync")
    assert order[-2].startswith("rename")
    assert order[-1] == "fsync"
    written = {re.search(r"<(.*?)>", about)[1] for name, about in found if name == "write"}  # type: ignore[index]
    (temporary,) = written
    assert Path(temporary).parent == folder
    assert f"<{temporary}>" in found[-3][1]
    assert Path(temporary).name in found[-2][1]
    assert '"file"' in found[-2][1]
    assert f"<{folder}>" in found[-1][1]
