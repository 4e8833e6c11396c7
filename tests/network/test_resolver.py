from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.config.model import IPAddress
from appliance.network.lease import Lease
from appliance.network.resolver import name_servers, resolv_conf, time_servers, write
from appliance.network.state import Family

ONE, TWO, THREE, FOUR = (ip_address(f"10.5.0.{number}") for number in range(1, 5))


def lease(*servers: IPAddress) -> Lease:
    return Lease("eth0", Family.IPV4, dns=servers, ntp=servers)


@pytest.mark.parametrize(
    ("static", "leases", "found"),
    [
        ([], [], []),
        ([ONE], [lease(TWO)], [ONE]),
        ([], [lease(TWO), lease(ONE, TWO)], [TWO, ONE]),
        ([], [lease(FOUR, THREE, TWO, ONE)], [FOUR, THREE, TWO]),
    ],
)
def test_name_servers(static: list[IPAddress], leases: list[Lease], found: list[IPAddress]) -> None:
    assert list(name_servers(static, leases)) == found


def test_time_servers() -> None:
    assert time_servers(["time.example"], [lease(ONE)]) == ("time.example",)
    assert time_servers([], [lease(ONE), lease(ONE, TWO)]) == ("10.5.0.1", "10.5.0.2")


def test_the_file(tmp_path: Path) -> None:
    """Written only where it differs: whoever watches it sees no change that is none."""
    path = tmp_path / "resolv.conf"
    assert write(path, [ONE])
    before = path.stat()
    assert not write(path, [ONE])
    assert path.stat() == before
    assert write(path, [TWO])
    assert path.read_text() == resolv_conf([TWO]) == "nameserver 10.5.0.2\n"
    assert path.stat().st_mode & 0o777 == 0o644
