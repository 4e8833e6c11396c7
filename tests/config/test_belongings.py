from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from appliance.config import belongings, bundle
from appliance.config.atomic import PREFIX
from appliance.config.belongings import collect, place

FILES = {
    "keys/signing.pem": b"a private key",
    "keys/old/signing.pem": b"another",
    "system/ssh/authorized_keys": b"ssh-ed25519 AAAA",
    "trust/ITLFile.tlv": bytes(range(256)),
}


def test_there_and_back(tmp_path: Path) -> None:
    place(tmp_path, FILES)
    assert collect(tmp_path) == (FILES, ())
    place(tmp_path, {"keys/signing.pem": b"new"})
    assert collect(tmp_path) == ({**FILES, "keys/signing.pem": b"new"}, ())


def test_who_may_read(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        place(tmp_path, FILES)
    finally:
        os.umask(umask)
    modes = {path: stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("keys", "trust", *FILES)}
    assert modes == {
        "keys": 0o700,
        "trust": 0o755,
        "keys/signing.pem": 0o600,
        "keys/old/signing.pem": 0o600,
        "system/ssh/authorized_keys": 0o600,
        "trust/ITLFile.tlv": 0o644,
    }


def test_nothing_there(tmp_path: Path) -> None:
    assert collect(tmp_path) == ({}, ())


def test_what_is_left_out(tmp_path: Path) -> None:
    place(tmp_path, FILES)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").write_bytes(b"of somebody")
    (tmp_path / "keys/link").symlink_to(tmp_path / "elsewhere/secret")
    (tmp_path / "keys/folder").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "trust/fifo")
    (tmp_path / "trust/a name").write_bytes(b"")
    (tmp_path / "trust/.hidden").write_bytes(b"")
    long = "trust/" + "x" * 89
    (tmp_path / long).write_bytes(b"")
    (tmp_path / f"trust/{PREFIX}00").write_bytes(b"half")
    (tmp_path / "system/box-id").write_bytes(b"0123456789abcdef")
    (tmp_path / "tftp").mkdir()
    (tmp_path / "tftp/SEP001122334455.cnf.xml").write_bytes(b"")
    left_out = ("keys/folder", "keys/link", "trust/.hidden", "trust/a name", "trust/fifo", long)
    assert collect(tmp_path) == (FILES, left_out)


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path, FILES)
    monkeypatch.setattr(belongings, "FILES_MAX", 3)
    with pytest.raises(ValueError, match="more than a bundle holds"):
        collect(tmp_path)


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path, FILES)
    monkeypatch.setattr(belongings, "BUNDLE_MAX", 200)
    with pytest.raises(ValueError, match="more than a bundle holds"):
        collect(tmp_path)


def test_what_is_collected_fits_a_bundle(tmp_path: Path) -> None:
    place(tmp_path, {"keys/" + "x" * 89: b"a", "trust/" + "x" * 88: b"b"})
    files, _ = collect(tmp_path)
    origin = bundle.Origin("", "", "", "", for_peer=False)
    made = bundle.encode(origin, b"version = 1\n", files, "correct horse")
    assert len(files) == 2
    assert bundle.decode(made, "correct horse").files == files


@pytest.mark.parametrize(
    "path", ["", "keys", "keys/", "/keys/a", "../keys/a", "keys/../a", "tftp/a", "appliance.conf", "keys/.a"]
)
def test_a_path_of_none_of_the_folders(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="no file of keys, trust, system"):
        place(tmp_path, {"trust/good": b"", path: b""})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"a file where a folder belongs")
    with pytest.raises(NotADirectoryError):
        collect(tmp_path)
