"""What a proxy may do once it has given up root."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serve.conftest import StartProxy

pytestmark = pytest.mark.root


def test_only_ports(start: StartProxy) -> None:
    """It can bind the ports below 1024, for addresses that come later, and nothing else."""
    proxy = start()
    lines = Path(f"/proc/{proxy.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert "0" not in status["Uid"].split()
    assert "0" not in status["Gid"].split()
    bind_service = 1 << 10
    for sets, wanted in (("CapEff CapPrm", bind_service), ("CapInh CapAmb", 0)):
        assert {int(status[name], 16) for name in sets.split()} == {wanted}
    assert status["NoNewPrivs"] == "1"
