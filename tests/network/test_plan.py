from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.model import Interface
from appliance.network.change import (
    AddAddress,
    AddRoute,
    CreateVlan,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    ReplaceRoute,
)
from appliance.network.plan import foreign, plan
from appliance.network.state import OURS, Family, Held, State
from appliance.network.wanted import wanted
from tests.network import build
from tests.network.build import held, interface, link, state, way
from tests.network.kernel import carry_out
from tests.network.worlds import World, world


@st.composite
def worlds(draw: st.DrawFn) -> World:
    return world(lambda options: draw(st.sampled_from(list(options))))


def check(one: World) -> None:
    """Wanted is reached by steps that a kernel takes; again there is nothing to do; foreign things stay."""
    before = wanted(one.interfaces, one.leases, one.present)
    changes = plan(one.present, before)
    reached = carry_out(one.present, changes)
    after = wanted(one.interfaces, one.leases, reached)
    assert after == before
    assert [str(change) for change in plan(reached, after)] == []
    _assert_reached(one, reached)
    _assert_foreign_left(one, reached)
    _assert_right_untouched(one, changes)


def _assert_reached(one: World, reached: State) -> None:
    want = wanted(one.interfaces, one.leases, one.present)
    left = foreign(one.present, want)
    others = {(each.ifname, each.interface.ip) for each in left.addresses}
    keys = {each.key for each in reached.addresses}
    assert [
        each
        for each in want.addresses
        if each.key not in keys and (each.ifname, each.interface.ip) not in others
    ] == []
    taken = {each.place for each in left.routes}
    ways = [each for each in want.routes if not any(each.same(other) for other in reached.routes)]
    assert [each for each in ways if each.place not in taken] == []
    ours = {each.key for each in reached.addresses if each.protocol == OURS}
    assert ours <= {each.key for each in want.addresses}
    for port in want.ports:
        found = reached.link(port.name)
        assert found is not None
        assert found.up
        assert port.mtu in (None, found.mtu)


def _assert_foreign_left(one: World, reached: State) -> None:
    """But for what the kernel takes along: with IPv6, and IPv4 routes with the last IPv4 address."""
    want = wanted(one.interfaces, one.leases, one.present)
    left = foreign(one.present, want)
    off = {each.ifname for each in want.settings if each.key == "disable_ipv6" and each.value}
    gone = {link.name for link in one.present.links} - {link.name for link in reached.links}
    for each in left.addresses:
        switched_off = each.interface.version == 6 and each.ifname in off
        assert each in reached.addresses or switched_off or each.ifname in gone
    holds = {each.ifname for each in reached.addresses if each.interface.version == 4}
    for each_way in left.routes:
        if each_way.network.version == 4:
            lost = each_way.ifname not in holds or _emptied(one, each_way.ifname)
        else:
            lost = each_way.ifname in off
        assert each_way in reached.routes or lost or each_way.ifname in gone
    assert [each for each in left.links if each not in reached.links] == []


def _emptied(one: World, ifname: str) -> bool:
    """Whether all IPv4 addresses that an interface had are gone in the end."""
    want = {each.key for each in wanted(one.interfaces, one.leases, one.present).addresses}
    before = [each for each in one.present.addresses if each.ifname == ifname and each.interface.version == 4]
    return not any(each.key in want or each.protocol != OURS for each in before)


def _assert_right_untouched(one: World, changes: tuple[object, ...]) -> None:
    want = wanted(one.interfaces, one.leases, one.present)
    right = {each.key for each in want.addresses} & {each.key for each in one.present.addresses}
    touched = [each.held for each in changes if isinstance(each, AddAddress | RemoveAddress)]
    assert [each for each in touched if each.key in right] == []
    managed = {port.name for port in want.ports}
    for each in changes:
        match each:
            case RemoveAddress(one_held):
                assert one_held.protocol == OURS or one_held.ifname in managed
            case RemoveRoute(one_way) | ReplaceRoute(one_way, _):
                assert one_way.protocol == OURS or one_way.ifname in managed
            case RemoveLink(ifname):
                found = one.present.link(ifname)
                assert found is not None
                assert found.ours
            case AddAddress(one_held):
                assert one_held.ifname in managed
            case AddRoute(one_way):
                assert one_way.ifname in managed


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_any_pair(one: World) -> None:
    check(one)


def test_a_thousand_pairs() -> None:
    for seed in range(1000):
        check(world(random.Random(seed).choice))


def lines(present: State, *interfaces: Interface) -> list[str]:
    return [str(change) for change in plan(present, wanted(interfaces, (), present))]


ETH0 = link("eth0")
SET = build.settings("eth0", promote_secondaries=1, disable_ipv6=1)
"""As an interface with `ipv6 = off` has it."""
SET_ETH1 = build.settings("eth1", promote_secondaries=1, disable_ipv6=1)
SET6 = build.settings("eth0", promote_secondaries=1, accept_ra=0, autoconf=0)
"""As one with static IPv6 has it."""


@pytest.mark.parametrize(
    ("present", "wants", "changes"),
    [
        # nothing is managed
        (state(ETH0, addresses=[held("10.1.1.9/24", protocol=0)]), [], []),
        # all from the beginning, in an order that works
        (
            state(link("eth0", up=False)),
            [interface(address="10.1.1.5/24", gateway="10.1.1.1", mtu=1400)],
            [
                "set ipv4.promote_secondaries of eth0 = 1 (was 0)",
                "set ipv6.disable_ipv6 of eth0 = 1 (was 0)",
                "set mtu of eth0 = 1400 (was 1500)",
                "switch on eth0",
                "add 10.1.1.5/24 to eth0",
                "add route default via 10.1.1.1 dev eth0 metric 100",
            ],
        ),
        # it is right already
        (
            state(ETH0, addresses=[held("10.1.1.5/24")], routes=[way("default4>10.1.1.1")], set_=SET),
            [interface(address="10.1.1.5/24", gateway="10.1.1.1")],
            [],
        ),
        # somebody else has made it right
        (
            state(ETH0, addresses=[held("10.1.1.5/24", protocol=0)], set_=SET),
            [interface(address="10.1.1.5/24")],
            [],
        ),
        # a foreign address beside ours
        (
            state(ETH0, addresses=[held("10.1.1.5/24"), held("10.1.1.9/24", protocol=0)], set_=SET),
            [interface(address="10.1.1.5/24")],
            [],
        ),
        # the new address is there before the old one goes, and the route changes in one step
        (
            state(ETH0, addresses=[held("10.1.1.5/24")], routes=[way("default4>10.1.1.1")], set_=SET),
            [interface(address="10.2.1.5/24", gateway="10.2.1.1")],
            [
                "add 10.2.1.5/24 to eth0",
                "change route default via 10.1.1.1 dev eth0 metric 100"
                " to default via 10.2.1.1 dev eth0 metric 100",
                "remove 10.1.1.5/24 from eth0",
            ],
        ),
        # one of two addresses changes: the other is not touched
        (
            state(ETH0, addresses=[held("10.1.1.5/24"), held("10.1.1.6/24")], set_=SET),
            [interface(address="10.1.1.5/24 10.1.1.7/24")],
            ["add 10.1.1.7/24 to eth0", "remove 10.1.1.6/24 from eth0"],
        ),
        # another length: IPv4 has both for a moment, IPv6 cannot
        (
            state(ETH0, addresses=[held("10.1.1.5/24")], set_=SET),
            [interface(address="10.1.1.5/16")],
            ["add 10.1.1.5/16 to eth0", "remove 10.1.1.5/24 from eth0"],
        ),
        (
            state(ETH0, addresses=[held("fd01::5/64")], set_=SET6),
            [interface(address6="fd01::5/48")],
            ["remove fd01::5/64 from eth0", "add fd01::5/48 to eth0"],
        ),
        # the same address moves to another interface: never on both
        (
            state(ETH0, link("eth1"), addresses=[held("10.1.1.5/24")], set_=(*SET, *SET_ETH1)),
            [interface(), interface("eth1", address="10.1.1.5/24")],
            ["remove 10.1.1.5/24 from eth0", "add 10.1.1.5/24 to eth1"],
        ),
        # an interface that is not configured any more loses what was ours
        (
            state(ETH0, addresses=[held("10.1.1.5/24"), held("10.1.1.9/24", protocol=0)], set_=SET),
            [],
            ["remove 10.1.1.5/24 from eth0"],
        ),
        # IPv6 off and on
        (
            state(ETH0, addresses=[held("fd01::5/64")], set_=SET6),
            [interface()],
            ["set ipv6.disable_ipv6 of eth0 = 1 (was 0)"],
        ),
        (
            state(ETH0, set_=SET),
            [interface(ipv6="auto")],
            ["set ipv6.accept_ra of eth0 = 2 (was 1)", "set ipv6.disable_ipv6 of eth0 = 0 (was 1)"],
        ),
        # what routers gave goes where nobody wants it any more, and stays where IPv6 is auto
        (
            state(ETH0, addresses=[held("fd01::a/64", protocol=2)], set_=SET6),
            [interface(address6="fd02::5/64")],
            ["add fd02::5/64 to eth0", "remove fd01::a/64 from eth0"],
        ),
        (
            state(
                ETH0,
                addresses=[held("fd01::a/64", protocol=2)],
                set_=build.settings("eth0", promote_secondaries=1, accept_ra=2),
            ),
            [interface(ipv6="auto")],
            [],
        ),
        # a foreign route at the place of ours stays
        (
            state(
                ETH0,
                addresses=[held("10.1.1.5/24")],
                routes=[way("default4>10.1.1.2", protocol=4)],
                set_=SET,
            ),
            [interface(address="10.1.1.5/24", gateway="10.1.1.1")],
            [],
        ),
        # a VLAN: made, sized, switched on
        (
            state(ETH0, set_=SET),
            [interface(), interface("eth0.10", address="10.10.1.5/24", mtu=1400)],
            [
                "create eth0.10: VLAN 10 on eth0",
                "set ipv4.promote_secondaries of eth0.10 = 1",
                "set ipv6.disable_ipv6 of eth0.10 = 1",
                "set mtu of eth0.10 = 1400 (was 1500)",
                "switch on eth0.10",
                "add 10.10.1.5/24 to eth0.10",
            ],
        ),
        # and gone, if it was ours
        (state(ETH0, link("eth0.10", ours=True), set_=SET), [interface()], ["remove eth0.10"]),
        (state(ETH0, link("eth0.10"), set_=SET), [interface()], []),
        # no such interface
        (state(ETH0, set_=SET), [interface(), interface("eth7", address="10.1.1.5/24")], []),
        # no IPv6 in this kernel
        (
            State((ETH0,), settings=tuple(each for each in SET if each.family == Family.IPV4)),
            [interface(address="10.1.1.5/24", ipv6="auto")],
            ["add 10.1.1.5/24 to eth0"],
        ),
    ],
)
def test_changes(present: State, wants: list[Interface], changes: list[str]) -> None:
    assert lines(present, *wants) == changes


def test_foreign() -> None:
    others = (held("10.1.1.9/24", protocol=0), held("fd01::a/64", protocol=2))
    one = State((ETH0, link("eth1")), (held("10.1.1.5/24"), *others), (way("default4>10.1.1.1"),))
    found = foreign(one, wanted([interface(ipv6="auto")], (), one))
    assert [each.name for each in found.links] == ["eth1"]
    assert found.addresses == others
    assert found.routes == ()


def test_the_look_at_an_order() -> None:
    """The kernel of these tests refuses."""
    no_vlan = CreateVlan("eth9.1", "eth9", 1)
    for wrong in (
        no_vlan,
        AddAddress(Held(held("10.1.1.5/24").interface, "eth9")),
        AddRoute(way("default4>10.1.1.1")),
    ):
        with pytest.raises(AssertionError):
            carry_out(state(ETH0), (wrong,))
