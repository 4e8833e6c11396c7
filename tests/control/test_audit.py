"""The audit log: a line for each entry, bounded, nothing unescaped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.control import audit
from appliance.control.audit import Audit, Entry, line

ENTRY = Entry("2026-01-02T03:04:05.000Z", "root", 7, "commit", "3 bytes, why", "done")


def test_a_line() -> None:
    assert json.loads(line(ENTRY)) == {
        "time": "2026-01-02T03:04:05.000Z",
        "user": "root",
        "pid": 7,
        "verb": "commit",
        "what": "3 bytes, why",
        "result": "done",
    }


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "ü\u202e", "\udc80", "x" * 100_000])
def test_text_of_others(text: str) -> None:
    made = line(Entry("", text, 1, "commit", text, text))
    assert made.count(b"\n") == 1
    assert made.endswith(b"\n")
    assert b"\x1b" not in made
    assert len(made) < 20 * audit.TEXT_MAX


def test_appended(tmp_path: Path) -> None:
    path = tmp_path / "log/audit.log"
    for _ in range(3):
        Audit(path).write(ENTRY)
    assert path.read_bytes() == line(ENTRY) * 3
    assert path.stat().st_mode & 0o137 == 0


def test_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SIZE_MAX", 2 * len(line(ENTRY)))
    path = tmp_path / "audit.log"
    for _ in range(9):
        Audit(path).write(ENTRY)
    assert path.read_bytes() == line(ENTRY)
    assert path.with_suffix(".old").read_bytes() == line(ENTRY) * 2


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        Audit(tmp_path / "audit.log").write(ENTRY)
