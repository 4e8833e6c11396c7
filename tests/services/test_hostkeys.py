from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.services import hostkeys
from appliance.services.hostkeys import NoKey, make
from appliance.services.sshd_config import KEYS, key_path

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="needs ssh-keygen: scripts/test-packages"
)


def test_keys_are_made_once(tmp_path: Path) -> None:
    """One that a loss of power left empty or without a name is made anew, the others stay."""
    folder = tmp_path / "system" / "ssh"
    assert make(folder) == KEYS
    before = {kind: key_path(folder, kind).read_bytes() for kind in KEYS}
    assert make(folder) == ()
    key_path(folder, "ecdsa").write_bytes(b"")
    (folder / "new_ecdsa").write_bytes(b"half")
    (folder / "new_ecdsa.pub").write_bytes(b"half")
    assert make(folder) == ("ecdsa",)
    after = {kind: key_path(folder, kind).read_bytes() for kind in KEYS}
    assert [kind for kind in KEYS if before[kind] != after[kind]] == ["ecdsa"]
    assert len(list(folder.iterdir())) == 2 * len(KEYS)
    for kind in KEYS:
        path = key_path(folder, kind)
        assert path.stat().st_mode & 0o777 == 0o600
        assert _fingerprint(path) == _fingerprint(path.with_suffix(".pub"))


def test_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostkeys, "found", lambda program: "false")
    with pytest.raises(NoKey, match="ssh-keygen ended with 1"):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _fingerprint(path: Path) -> str:
    argv = ["ssh-keygen", "-l", "-f", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True).stdout.split()[1]
