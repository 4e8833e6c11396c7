"""The interfaces kept as configured, on a kernel of the tests' own, with dhcpcd played by a shell."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from appliance.config.model import System
from appliance.network import configured, dhcpcd, resolver, rtnetlink
from appliance.network.change import AddAddress, Change, Refused
from appliance.network.configured import Configured, NotApplied
from appliance.network.state import State
from tests.network.build import held, interface, link, state

LONG = 20.0  # s


class Kernel:
    """Makes every change but those whose words are in `refuses`."""

    def __init__(self) -> None:
        self.state = state(link("eth0"))
        self.refuses = ""

    def present(self) -> State:
        return self.state

    def apply(self, changes: Iterable[Change]) -> tuple[Refused, ...]:
        refused = []
        for change in changes:
            if self.refuses and self.refuses in str(change):
                refused.append(Refused(change, "no"))
            else:
                self.state = change.after(self.state)
        return tuple(refused)

    def addresses(self) -> list[str]:
        return [str(each.interface) for each in self.state.addresses]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    monkeypatch.setattr(rtnetlink, "present", found.present)
    monkeypatch.setattr(rtnetlink, "apply", found.apply)
    monkeypatch.setattr(configured, "solicit_routers", lambda ifname: None)
    monkeypatch.setattr(resolver, "name", lambda hostname: None)
    return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run folder; what is started as dhcpcd says "lease" when a file tells it to."""
    rings = tmp_path / "rings"

    def arguments(ifname: str, family: str, *, information: bool, lease: Path) -> list[str]:
        script = f"while :; do [ -e {rings} ] && rm {rings} && echo lease; sleep 0.02; done"
        return ["sh", "-c", script, ifname]

    monkeypatch.setattr(dhcpcd, "arguments", arguments)
    return tmp_path / "run"


@pytest.fixture
def box(run: Path, kernel: Kernel) -> Iterator[Configured]:
    one = Configured(run)
    yield one
    one.stop()


def await_(condition: Callable[[], bool], what: str) -> None:
    with gevent.Timeout(LONG, AssertionError(f"waited in vain: {what}")):
        while not condition():
            gevent.sleep(0.01)


def tell(run: Path, **more: str) -> None:
    """What the hook writes, and that it rings."""
    told = {
        "reason": "BOUND",
        "ifcarrier": "up",
        "new_ip_address": "10.5.0.57",
        "new_subnet_cidr": "24",
        "new_domain_name_servers": "10.5.0.53",
        "new_dhcp_lease_time": "3600",
        "uptime": str(time.clock_gettime(time.CLOCK_BOOTTIME)),
        **more,
    }
    folder = run / "leases"
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in told.items())
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / "eth0.ipv4")
    (run.parent / "rings").touch()


SYSTEM = System("box", "UTC", (), (), "", 115200)
DHCP = [interface(ipv4="dhcp")]


def test_the_changes_that_were_made(box: Configured, kernel: Kernel) -> None:
    wants = [interface(address="10.5.0.7/24")]
    planned = box.plan(wants)
    assert kernel.addresses() == []
    assert box.apply(wants) == planned
    assert kernel.addresses() == ["10.5.0.7/24"]
    assert box.plan(wants) == box.apply(wants) == ()


def test_refused(box: Configured, kernel: Kernel) -> None:
    """What can be done is done, the rest is told."""
    kernel.refuses = "10.5.0.7"
    with pytest.raises(NotApplied, match=r"^add 10.5.0.7/24 to eth0: no$") as caught:
        box.apply([interface(address="10.5.0.7/24 10.5.0.8/24")])
    assert kernel.addresses() == ["10.5.0.8/24"]
    assert caught.value.refused[0].change == AddAddress(held("10.5.0.7/24"))
    assert AddAddress(held("10.5.0.8/24")) in caught.value.made


def test_leases_come_and_go(box: Configured, kernel: Kernel, run: Path) -> None:
    box.apply(DHCP, SYSTEM)
    assert (run / "resolv.conf").read_text() == ""
    tell(run)
    await_(lambda: kernel.addresses() == ["10.5.0.57/24"], "the address")
    await_(lambda: (run / "resolv.conf").read_text() == "nameserver 10.5.0.53\n", "the name server")
    tell(run, new_ip_address="10.5.0.58")
    await_(lambda: kernel.addresses() == ["10.5.0.58/24"], "the other address")
    tell(run, reason="EXPIRE")
    await_(lambda: kernel.addresses() == [], "nothing")


def test_a_lease_is_over_also_where_nobody_says_so(box: Configured, kernel: Kernel, run: Path) -> None:
    box.apply(DHCP)
    tell(run, new_dhcp_lease_time="1")
    await_(lambda: kernel.addresses() == ["10.5.0.57/24"] or not box.leases, "the address")
    await_(lambda: kernel.addresses() == [], "its end")


def test_a_lease_outlives_the_process(run: Path, kernel: Kernel) -> None:
    tell(run)
    for _ in range(2):
        one = Configured(run)
        one.apply(DHCP)
        one.stop()
        assert kernel.addresses() == ["10.5.0.57/24"]


def test_a_lease_that_nobody_asks_for_is_forgotten(box: Configured, kernel: Kernel, run: Path) -> None:
    tell(run)
    box.apply(DHCP)
    box.apply([interface(address="10.5.0.7/24")])
    assert kernel.addresses() == ["10.5.0.7/24"]
    assert box.leases == ()
    assert list((run / "leases").iterdir()) == []


def test_a_lease_that_is_none(kernel: Kernel, run: Path) -> None:
    """Told once, and what there was holds."""
    told: list[str] = []
    tell(run)
    one = Configured(run, told.append)
    one.apply(DHCP)
    tell(run, new_ip_address="\x1b[2J")
    assert len(one.leases) == len(one.leases) == 1
    assert [text for text in told if "in a lease" in text] == ['DHCP on eth0: "\\x1b[2J/24" in a lease']
    one.stop()


def test_the_mtu_before(box: Configured, kernel: Kernel, run: Path) -> None:
    """Is kept for the time after, also over a restart."""
    box.apply([interface(mtu=1400)])
    box.apply([interface(mtu=1300)])
    assert json.loads((run / "mtu.json").read_text()) == {"eth0": 1500}
    again = Configured(run)
    again.apply([interface()])
    again.stop()
    found = kernel.state.link("eth0")
    assert found is not None
    assert found.mtu == 1500


@pytest.mark.parametrize("text", ["", "[]", "{", '{"eth0": "x"}', "\xff"])
def test_a_record_that_is_none(text: str, box: Configured, run: Path) -> None:
    run.mkdir()
    (run / "mtu.json").write_text(text, encoding="latin-1")
    box.apply([interface(mtu=1400)])
    assert json.loads((run / "mtu.json").read_text()) == {"eth0": 1500}


def test_what_others_change_is_mended(
    box: Configured, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configured, "LOOK", 0.1)
    box.apply([interface(address="10.5.0.7/24")])
    kernel.state = replace(kernel.state, addresses=())
    await_(lambda: kernel.addresses() == ["10.5.0.7/24"], "the address again")


def test_nothing_is_touched_by_default(box: Configured, kernel: Kernel, run: Path) -> None:
    before = kernel.state = state(link("eth0"), addresses=[held("10.5.0.9/24", protocol=0)])
    assert box.apply([], SYSTEM) == ()
    assert kernel.state == before
    assert not run.exists()
