"""What the kernel tells of this machine; tests in namespaces change things (tests/interop)."""

from __future__ import annotations

import subprocess
import sys
import time
from ipaddress import ip_interface

import gevent
import pytest

from appliance.network import rtnetlink
from appliance.network.change import AddAddress, LinkUp, RemoveAddress, RemoveRoute, SetMtu
from appliance.network.state import Family, State
from tests.network.build import held, way


def test_present() -> None:
    found = rtnetlink.present()
    lo = found.link("lo")
    assert lo is not None
    assert lo.index == 1
    assert (ip_interface("127.0.0.1/8"), "lo") in [(each.interface, each.ifname) for each in found.addresses]
    assert found.setting(("lo", Family.IPV4, "promote_secondaries")) in (0, 1)


def test_many_at_once() -> None:
    """In turn, each with a socket of its own, while the loop goes on."""
    ticks = []

    def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            gevent.sleep(0.001)

    ticker = gevent.spawn(tick)
    asking = [gevent.spawn(rtnetlink.present) for _ in range(20)]
    gevent.joinall(asking, timeout=30, raise_error=True)
    ticker.kill()
    states = [each.get() for each in asking]
    assert all(isinstance(each, State) and each.link("lo") for each in states)
    assert len(ticks) > 20


def test_in_a_native_thread() -> None:
    assert gevent.get_hub().threadpool.apply(rtnetlink.present).link("lo") is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (LinkUp("none0"), "No such device"),
        (SetMtu("none0", 1400, 1500), "No such device"),
        (AddAddress(held("192.0.2.1/32", "none0")), "No such device"),
        (RemoveAddress(held("192.0.2.1/32", "none0")), None),
        (RemoveRoute(way("192.0.2.0/24>192.0.2.1", "none0")), None),
    ],
)
def test_of_an_interface_that_is_not_there(change: LinkUp, why: str | None) -> None:
    """Told, and no reason to stop; what goes with an interface is gone."""
    found = rtnetlink.apply([change, change])
    assert [each.why for each in found] == ([why, why] if why else [])


def test_nothing_is_imported_later() -> None:
    """A process that has given up its rights may not be able to read the library any more."""
    script = (
        "import sys, gevent\n"
        "from appliance.network import rtnetlink\n"
        "gevent.get_hub().threadpool.apply(int)\n"
        "before = set(sys.modules)\n"
        "rtnetlink.present()\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
