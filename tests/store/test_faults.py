from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from appliance.store.folder import Folder, StoreUnavailable, Unreadable
from tests.store.looking import got


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ENOENT, None),
        (errno.ENOTDIR, None),
        (errno.ELOOP, None),
        (errno.ENAMETOOLONG, None),
        (errno.EILSEQ, None),
        (errno.ENXIO, None),
        (errno.EACCES, Unreadable),
        (errno.EPERM, Unreadable),
        (errno.EIO, StoreUnavailable),
        (errno.ESTALE, StoreUnavailable),
        (errno.EMFILE, StoreUnavailable),
        (errno.ENOMEM, StoreUnavailable),
        (errno.ETIMEDOUT, StoreUnavailable),
    ],
)
@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("open", "desktops"),
        ("open", "Desktops"),
        ("open", "320x212x12"),
        ("stat", "List.xml"),
        ("open", "List.xml"),
    ],
)
def test_errors_of_the_system(
    folder: Folder,
    call: str,
    part: str,
    number: int,
    outcome: type[StoreUnavailable] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = getattr(os, call)

    def failing(path: str | Path, *flags: int, **how: int) -> object:
        if path == part:
            raise OSError(number, os.strerror(number))
        return real(path, *flags, **how)

    monkeypatch.setattr(os, call, failing)
    name = "desktops/320x212x12/List.xml" if part == "desktops" else "Desktops/320x212x12/List.xml"
    if outcome is None:
        # A lower-case "desktops" that is not there is what the folding is for.
        found = (part, number) == ("desktops", errno.ENOENT)
        assert (got(folder, name) is not None) is found
        return
    with pytest.raises(StoreUnavailable) as raised:
        folder.open(name)
    assert type(raised.value) is outcome
    assert ascii(name) in str(raised.value)
    assert os.strerror(number) in str(raised.value)


@pytest.mark.parametrize("call", ["fstat", "listdir"])
def test_errors_on_what_is_open(folder: Folder, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> object:
        raise OSError(errno.EIO, "disk")

    # Undone at once: the test runner needs fstat, too.
    for name in ("missing", "Missing/x", *(["RingList.xml"] if call == "fstat" else [])):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing)
            with pytest.raises(StoreUnavailable):
                folder.open(name)


def test_error_while_the_root_is_taken_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> object:
        raise OSError(errno.EIO, "disk")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", failing)
        folder = Folder(root)
        with pytest.raises(StoreUnavailable, match="root"):
            folder.check()
    folder.check()
    folder.close()


def test_what_is_unreadable_is_shown_escaped(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str | Path, **how: object) -> os.stat_result:
        if "dir_fd" in how:
            raise PermissionError(errno.EACCES, "no")
        return os.lstat(path)

    monkeypatch.setattr(os, "stat", denied)
    with pytest.raises(Unreadable) as raised:
        folder.open("a\n\x1b[31m\u202e\udcff")
    assert str(raised.value).isprintable()
    assert str(raised.value).isascii()
