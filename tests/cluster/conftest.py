from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.cluster import fetch, prober, race, upstream_http, upstream_tftp
from appliance.tftp.timing import Timing
from tests.cluster.world import World
from tests.hub import watched


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watched():
        yield


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Clusters whose times are short, so that no test waits for long."""
    monkeypatch.setattr(race, "STAGGER", 0.1)
    monkeypatch.setattr(fetch, "KEPT", 0.2)
    monkeypatch.setattr(prober, "LOOK", 0.01)
    monkeypatch.setattr(upstream_http, "SILENCE_MAX", 2.0)
    monkeypatch.setattr(upstream_http, "BUSY_PAUSES", (0.01, 0.02, 0.04))
    monkeypatch.setattr(upstream_tftp, "TIMING", Timing(timeout=0.05, retries=2, timeout_max=0.05))
    world = World(tmp_path)
    yield world
    world.close()
