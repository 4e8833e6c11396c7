from __future__ import annotations

import os
import subprocess
import zoneinfo
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from appliance.services.zone import NoZone, content, write


def test_a_zone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "localtime"
    assert write(path, "Europe/Berlin")
    assert not write(path, "Europe/Berlin")
    assert _winter(path) == "CET\n"
    assert write(path, "America/New_York")
    assert _winter(path) == "EST\n"
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "zone.tab", "iso3166.tab"])
def test_what_is_no_zone_leaves_the_old_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / "localtime"
    write(path, "UTC")
    with pytest.raises(NoZone, match="knows no such time zone"):
        write(path, name)
    assert path.read_bytes() == content("UTC")


def test_a_machine_without_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTC is there all the same."""
    monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path),))
    path = tmp_path / "localtime"
    write(path, "UTC")
    assert _winter(path) == "UTC\n"
    with path.open("rb") as file:
        assert datetime(2027, 7, 1, tzinfo=zoneinfo.ZoneInfo.from_file(file)).utcoffset() == timedelta(0)
    with pytest.raises(NoZone):
        content("Europe/Berlin")


def _winter(path: Path) -> str:
    """The name of the time at the start of 2027, as the C library reads it."""
    return subprocess.run(
        ["date", "-d", "@1798761600", "+%Z"],
        env={"TZ": f":{path}", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    ).stdout
