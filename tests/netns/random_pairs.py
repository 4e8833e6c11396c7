"""Random configurations after each other on the kernel of this namespace, with things of others between."""

from __future__ import annotations

import random
import subprocess
import sys

from appliance.network import rtnetlink
from appliance.network.plan import foreign, plan
from appliance.network.state import State
from appliance.network.wanted import wanted
from tests.network.worlds import IPV4, IPV6, LINKS, configured, leases


def main(count: int) -> None:
    """AssertionError where the kernel refuses a change, or something is left to do."""
    for seed in range(count):
        chance = random.Random(seed)
        interfaces, given = configured(chance.choice, vlans=False), leases(chance.choice)
        _meddle(chance)
        present = rtnetlink.present()
        want = wanted(interfaces, given, present)
        changes = plan(present, want)
        refused = rtnetlink.apply(changes)
        assert not refused, f"{seed}: {[str(each) for each in refused]} of {[str(each) for each in changes]}"
        reached = rtnetlink.present()
        again = plan(reached, wanted(interfaces, given, reached))
        assert not again, (
            f"{seed}: left {[str(each) for each in again]} after {[str(each) for each in changes]}"
        )
        _assert_left(foreign(present, want), reached)
    print("pairs:", count)


def _assert_left(others: State, reached: State) -> None:
    """IPv4 addresses that others made are there; IPv6 ones where it was not switched off."""
    off = {each.ifname for each in reached.settings if each.key == "disable_ipv6" and each.value}
    keys = {each.key for each in reached.addresses}
    lost = [each for each in others.addresses if each.protocol == 0 and each.key not in keys]
    assert [each for each in lost if each.interface.version == 4 or each.ifname not in off] == []


def _meddle(chance: random.Random) -> None:
    """Somebody else adds an address, or takes one away, or a link down."""
    where = chance.choice(LINKS)
    what = chance.choice([["link", "set", where, "down"], *([["address"]] * 4)])
    if what == ["address"]:
        verb = chance.choice(["add", "del"])
        what = ["address", verb, chance.choice(IPV4 + IPV6), "dev", where]
    subprocess.run(["ip", *what], check=False, capture_output=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
