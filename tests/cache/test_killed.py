"""A writing process is killed at any moment: what is served afterwards is whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.cache.disk import Disk
from tests.cache.writing import NAMES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(5))
def test_whole_entries_alone(tmp_path: Path, seed: int) -> None:
    command = [sys.executable, "-m", "tests.cache.writing", str(tmp_path), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        limit = time.monotonic() + 20
        while not any(tmp_path.iterdir()) and time.monotonic() < limit:
            time.sleep(0.001)
        time.sleep(random.Random(seed).uniform(0, 0.4))  # the moment of the kill, not a wait for anything
        writer.kill()
    disk = Disk(tmp_path)
    names = disk.names()
    looks = disk.look(names)
    assert 0 < len(names) <= NAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)  # no draft is left
    for look in looks:
        assert look.entry is not None
        entry, body = disk.read(look.entry.key)
        assert entry == look.entry
        assert set(body) <= set(entry.name.encode())
