from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import netifaces
import pytest

from appliance.network.addresses import own_addresses, own_interfaces


def test_own_addresses() -> None:
    found = own_addresses()
    assert ip_address("127.0.0.1") in found
    link_local = [each for each in found if isinstance(each, IPv6Address) and each.is_link_local]
    assert all(each.scope_id for each in link_local)


def test_own_interfaces() -> None:
    assert "lo" in own_interfaces()


def test_an_interface_that_goes_while_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the list of interfaces and the look at one, as with a VLAN that is taken away."""
    before, listed = own_addresses(), netifaces.interfaces()
    monkeypatch.setattr(netifaces, "interfaces", lambda: ["gone0", *listed])
    assert own_addresses() == before
