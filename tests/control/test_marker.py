"""The last change on disk: a change or the one error, nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.control import marker
from appliance.report.control import Change, Result

CHANGE = Change(7, "ab" * 32, "root", "why \x00 ü", "2026-01-02T03:04:05.000Z", Result.PENDING, "waits")

changes = st.builds(
    Change, st.integers(), st.text(), st.text(), st.text(), st.text(), st.sampled_from(Result), st.text()
)


@given(changes)
def test_there_and_back(change: Change) -> None:
    assert marker.decode(marker.encode(change)) == change


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    try:
        assert isinstance(marker.decode(data), Change)
    except marker.BadMarker:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        marker.encode(CHANGE).replace(b"7", b'"7"'),
        marker.encode(CHANGE).replace(b"7", b"true"),
        marker.encode(CHANGE).replace(b"pending", b"perhaps"),
        marker.encode(CHANGE).replace(b'"root"', b"null"),
        marker.encode(CHANGE).replace(b'"author"', b'"writer"'),
        marker.encode(CHANGE)[:-10],
    ],
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(marker.BadMarker):
        marker.decode(data)


def test_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "change.json"
    assert marker.read(path) is None
    marker.write(path, CHANGE)
    assert marker.read(path) == CHANGE
    assert path.stat().st_mode & 0o777 == 0o600
