from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.network.lease import MOST, Lease, LeaseError, next_lease
from appliance.network.state import Family

V4, V6 = Family.IPV4, Family.IPV6

BOUND = {
    "reason": "BOUND",
    "interface": "eth0",
    "ifcarrier": "up",
    "new_ip_address": "10.5.0.57",
    "new_subnet_cidr": "24",
    "new_subnet_mask": "255.255.255.0",
    "new_routers": "10.5.0.1",
    "new_domain_name_servers": "10.5.0.1 10.5.0.2",
    "new_ntp_servers": "10.5.0.1",
    "new_dhcp_lease_time": "120",
    "uptime": "1000.50",
}
BOUND6 = {
    "reason": "BOUND6",
    "ifcarrier": "up",
    "new_dhcp6_ia_na1_ia_addr1": "fd05::1d6",
    "new_dhcp6_ia_na1_ia_addr1_pltime": "60",
    "new_dhcp6_ia_na1_ia_addr1_vltime": "120",
    "new_dhcp6_name_servers": "fd05::1",
    "new_dhcp6_ntp_server_addr": "fd05::2",
    "uptime": "1000.50",
}
DEFAULT = ip_network("0.0.0.0/0")
ADDRESS = ip_interface("10.5.0.57/24")
WHOLE = Lease(
    "eth0",
    V4,
    (ADDRESS,),
    ((DEFAULT, ip_address("10.5.0.1")),),
    (ip_address("10.5.0.1"), ip_address("10.5.0.2")),
    (ip_address("10.5.0.1"),),
    1120.5,
)


def text(told: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in told.items())


def taken(told: dict[str, str], before: Lease | None = None, family: Family = V4) -> Lease | None:
    return next_lease(text(told), "eth0", family, before)


def test_ipv4() -> None:
    assert taken(BOUND) == WHOLE


def test_ipv6() -> None:
    found = taken(BOUND6, family=V6)
    assert found == Lease(
        "eth0",
        V6,
        (ip_interface("fd05::1d6/128"),),
        (),
        (ip_address("fd05::1"),),
        (ip_address("fd05::2"),),
        1120.5,
    )


@pytest.mark.parametrize(
    ("told", "before", "after"),
    [
        ({"reason": "RENEW"}, None, WHOLE),
        ({"reason": "REBIND"}, None, WHOLE),
        ({"reason": "REBOOT"}, None, WHOLE),
        ({"reason": "EXPIRE"}, WHOLE, None),
        ({"reason": "NAK"}, WHOLE, None),
        # a cable that was pulled
        ({"reason": "EXPIRE", "ifcarrier": "down"}, WHOLE, WHOLE),
        ({"reason": "NAK", "ifcarrier": "down"}, None, None),
        # nothing about a lease
        ({"reason": "PREINIT"}, WHOLE, WHOLE),
        ({"reason": "STOPPED"}, WHOLE, WHOLE),
        ({"reason": ""}, WHOLE, WHOLE),
        # nobody has answered: the old one, for as long as it had left
        ({"reason": "TIMEOUT", "uptime": "1100"}, WHOLE, WHOLE),
    ],
)
def test_reasons(told: dict[str, str], before: Lease | None, after: Lease | None) -> None:
    assert taken(BOUND | told, before) == after


@pytest.mark.parametrize(
    ("told", "routes"),
    [
        ({"new_routers": ""}, ()),
        ({"new_routers": "10.5.0.3 10.5.0.4"}, ((DEFAULT, ip_address("10.5.0.3")),)),
        # RFC 3442: with these the routers do not count
        (
            {"new_classless_static_routes": "10.0.0.0/8 10.5.0.9 0.0.0.0/0 10.5.0.8"},
            ((ip_network("10.0.0.0/8"), ip_address("10.5.0.9")), (DEFAULT, ip_address("10.5.0.8"))),
        ),
        # on the link
        ({"new_classless_static_routes": "10.6.0.0/24 0.0.0.0"}, ((ip_network("10.6.0.0/24"), None),)),
        ({"new_classless_static_routes": "10.6.0.0/24"}, ()),
    ],
)
def test_routes(told: dict[str, str], routes: object) -> None:
    found = taken(BOUND | told)
    assert found is not None
    assert found.routes == routes


@pytest.mark.parametrize(
    ("told", "until"),
    [
        ({"new_dhcp_lease_time": "4294967295"}, None),
        ({"new_dhcp_lease_time": "0"}, 1000.5),
        ({}, 1120.5),
    ],
)
def test_until(told: dict[str, str], until: float | None) -> None:
    found = taken(BOUND | told)
    assert found is not None
    assert found.until == until
    assert found.valid(1000.0)
    assert found.valid(1120.5) == (until is None)


@pytest.mark.parametrize(
    "told",
    [
        {"new_ip_address": "10.5.0"},
        {"new_ip_address": "fd05::1"},
        {"new_subnet_cidr": "33"},
        {"new_subnet_cidr": "0"},
        {"new_ip_address": "0.0.0.0"},
        {"new_ip_address": "127.0.0.1"},
        {"new_ip_address": "224.0.0.1"},
        {"new_ip_address": "255.255.255.255"},
        {"new_classless_static_routes": "10.0.0.1/8 10.5.0.9"},
        {"new_classless_static_routes": "10.0.0.0/8 10.5.0"},
        {"new_dhcp_lease_time": "-5"},
        {"new_dhcp_lease_time": "long"},
        {"uptime": ""},
        {"uptime": "nan"},
        {"uptime": "inf"},
        {"uptime": "-1"},
    ],
)
def test_refused(told: dict[str, str]) -> None:
    with pytest.raises(LeaseError):
        taken(BOUND | told)


def test_servers_that_are_none_are_left_out() -> None:
    found = taken(BOUND | {"new_domain_name_servers": "10.5.0.1 x fd05::1 10.5.0.1 10.5.0.2"})
    assert found is not None
    assert found.dns == WHOLE.dns


def test_bounds() -> None:
    many = " ".join(f"10.{i}.0.0/16 10.5.0.9" for i in range(100))
    servers = " ".join(f"10.5.1.{i}" for i in range(100))
    found = taken(BOUND | {"new_classless_static_routes": many, "new_domain_name_servers": servers})
    assert found is not None
    assert (len(found.routes), len(found.dns)) == (MOST, MOST)


_VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["10.5.0.1", "24", "10.0.0.0/8 10.5.0.1", "fd05::1", "-1", "4294967295", "1e400", "٣"]),
)


@given(st.dictionaries(st.sampled_from([*BOUND, *BOUND6, "new_classless_static_routes"]), _VALUES))
def test_any_words(told: dict[str, str]) -> None:
    """A lease, none, or the one error."""
    for whole, family in ((BOUND, V4), (BOUND6, V6)):
        try:
            taken(whole | told, WHOLE, family)
        except LeaseError:
            pass


@given(st.text())
def test_any_text(anything: str) -> None:
    try:
        next_lease(anything, "eth0", V4, None)
    except LeaseError:
        pass
