"""What is asked, and what of it needs no other machine; gateways that answer are in tests/interop."""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import ip_address

import pytest

from appliance.config.model import Interface
from appliance.network import checks as module
from appliance.network.checks import Check, carriers, checks, gateways
from appliance.network.state import State, Way
from tests.network.build import interface, link, state, way


@pytest.mark.parametrize(
    ("present", "check"),
    [
        (state(link("eth0")), Check("eth0 carrier", True, "carrier")),
        (
            state(link("eth0", carrier=False)),
            Check("eth0 carrier", False, "no carrier: is the cable plugged in?"),
        ),
        (state(link("eth0", up=False)), Check("eth0 carrier", False, "switched off")),
        (state(), Check("eth0 carrier", False, "no such interface")),
    ],
)
def test_carriers(present: State, check: Check) -> None:
    assert list(carriers([interface()], present)) == [check]


STATIC = interface(address="10.5.0.7/24", gateway="10.5.0.1", address6="fd05::7/64", gateway6="fe80::1")


@pytest.mark.parametrize(
    ("interfaces", "routes", "found"),
    [
        ([], [way("default4>10.5.0.1")], []),
        ([STATIC], [], ["10.5.0.1", "fe80::1"]),
        (
            [STATIC],
            [way("default4>10.5.0.1"), way("default4>10.5.0.2", metric=0)],
            ["10.5.0.1", "fe80::1", "10.5.0.2"],
        ),
        ([interface(ipv4="dhcp")], [way("default4>10.5.0.1"), way("10.6.0.0/16>10.5.0.2")], ["10.5.0.1"]),
        ([interface(ipv6="auto")], [way("default6>fe80::1", protocol=9)], ["fe80::1"]),
        ([interface()], [way("default4>10.5.0.1", "eth1")], []),
    ],
)
def test_gateways(interfaces: list[Interface], routes: list[Way], found: list[str]) -> None:
    present = state(link("eth0"), routes=routes)
    assert gateways(interfaces, present) == tuple(("eth0", ip_address(each)) for each in found)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for packets of its own")
def test_an_interface_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    found = checks([replace(STATIC, name="none0")], state(link("eth0")))
    assert found == (
        Check("none0 carrier", False, "no such interface"),
        Check("none0 gateway 10.5.0.1", False, "No such device"),
        Check("none0 gateway fe80::1", False, "No such device"),
    )
