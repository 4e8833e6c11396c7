from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from appliance.network import dhcpcd
from appliance.network.dhcpcd import HOOK, Dhcpcd, arguments
from appliance.network.lease import next_lease
from appliance.network.state import Family
from appliance.services import supervised

LONG = 20.0  # s


def await_(condition: Callable[[], bool], what: str) -> None:
    with gevent.Timeout(LONG, AssertionError(f"waited in vain: {what}")):
        while not condition():
            gevent.sleep(0.01)


def test_arguments() -> None:
    """It never configures; IPv6 leaves routers to the kernel."""
    for family, information in ((Family.IPV4, False), (Family.IPV6, False), (Family.IPV6, True)):
        argv = arguments("eth0", family, information=information, lease=Path("/run/x/eth0"))
        assert argv[-1] == "eth0"
        assert {"--noconfigure", "--nobackground", f"--{family}only"} <= set(argv)
        assert ("--noipv6rs" in argv) == (family == Family.IPV6)
        assert ("--inform6" in argv) == information
        assert "appliance_lease=/run/x/eth0" in argv


@pytest.mark.parametrize(
    ("reason", "written"),
    [
        ("BOUND", True),
        ("BOUND6", True),
        ("EXPIRE", True),
        ("NAK", True),
        ("PREINIT", False),
        ("STOPPED", False),
        ("NOCARRIER", False),
    ],
)
def test_hook(reason: str, written: bool, tmp_path: Path) -> None:
    """What tells of a lease is handed over as a whole."""
    lease = tmp_path / "eth0.ipv4"
    told = {"appliance_lease": str(lease), "reason": reason, "new_ip_address": "10.5.0.7", "ifcarrier": "up"}
    done = subprocess.run(
        [HOOK],
        env=told | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=True,
    )
    assert done.stdout == ("lease\n" if written else "")
    assert [path.name for path in tmp_path.iterdir()] == (["eth0.ipv4"] if written else [])
    if reason == "BOUND":
        found = next_lease(lease.read_text(), "eth0", Family.IPV4, None)
        assert found is not None
        assert str(found.addresses[0].ip) == "10.5.0.7"


def test_the_hook_can_be_run() -> None:
    assert HOOK.stat().st_mode & stat.S_IXUSR


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Dhcpcd]]:
    monkeypatch.setattr(supervised, "BACKOFF_MIN", 0.02)
    monkeypatch.setattr(supervised, "STOP_MAX", 0.5)
    started: list[Dhcpcd] = []

    def start(script: str) -> Dhcpcd:
        started.append(Dhcpcd(["sh", "-c", script, "sh", "eth0"], lambda: rang.append(1), told.append))
        return started[-1]

    rang.clear()
    told.clear()
    yield start
    for each in started:
        each.stop()


rang: list[int] = []
told: list[str] = []


def test_a_word_of_the_hook_rings(client: Callable[[str], Dhcpcd]) -> None:
    one = client("echo lease; echo other words; exec sleep 60")
    await_(lambda: bool(rang), "the ring")
    assert one.running
    assert rang == [1]
    one.stop()
    assert not one.running
    assert told == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which has a capability to lose")
def test_it_cannot_change_the_network(client: Callable[[str], Dhcpcd], tmp_path: Path) -> None:
    """Whatever its options say: an address that it sets by itself is none of ours."""
    found = tmp_path / "capabilities"
    client(f"grep Cap /proc/self/status > {found}.new; mv {found}.new {found}; echo lease; exec sleep 60")
    await_(found.exists, "its capabilities")
    sets = {line.split()[0]: int(line.split()[1], 16) for line in found.read_text().splitlines()}
    assert [name for name, bits in sets.items() if bits & 1 << dhcpcd.CAP_NET_ADMIN] == []


def test_one_that_ends_is_told_by_its_interface(client: Callable[[str], Dhcpcd]) -> None:
    client("exit 3")
    await_(lambda: bool(told), "the reason")
    assert told == ["DHCP on eth0: sh ended with 3; it is started again"]
