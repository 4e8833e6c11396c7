from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster import neighbours
from appliance.cluster.homes import (
    BOOT,
    CLOCK_SET,
    DEVICE_MAX,
    DEVICES_MAX,
    KEPT,
    RECENT,
    SEEN_EVERY,
    CommonHome,
    Entry,
    Home,
    Homes,
    Known,
    Neighbour,
    common_home,
)
from appliance.cluster.neighbours import ADDRESSES_MAX, DAY, NEIGHBOURS_MAX, STRANGERS_MAX, Named

NOW = 1_700_000_000.0
A, B, C = "SEP00000000000A", "SEP00000000000B", "SEP00000000000C"
PC = "10.1.1.1"


def home(place: str = "east", seen: float = NOW) -> Home:
    return Home(place, seen, seen)


def known(*pairs: tuple[str, str]) -> Homes:
    homes = Homes()
    for device, place in pairs:
        homes.learn(device, home(place))
    return homes


def is_device(wanted: str) -> Callable[[str, Home], bool]:
    return lambda device, _: device == wanted


def restored(entries: Iterable[Entry]) -> Homes:
    """What a next process knows."""
    found: dict[str, Home] = {}
    addresses: dict[str, dict[str, float]] = {}
    for entry in entries:
        match entry:
            case Known(device, None):
                found.pop(device, None)
            case Known(device, kept) if kept is not None:
                found[device] = kept
            case Named(address, device, time):
                addresses.setdefault(address, {})[device] = time
    homes = Homes()
    homes.restore(found, addresses)
    return homes


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (NOW, True),
        (NOW - KEPT, True),
        (NOW - KEPT - 1, False),
        (NOW + 1, True),
        (NOW + 9 * KEPT, True),
        (0, False),
    ],
)
def test_a_home_is_told_while_it_is_kept(seen: float, told: bool) -> None:
    homes = Homes()
    homes.learn(A, home(seen=seen))
    assert homes.of(A, NOW) == (home(seen=seen) if told else None)
    assert homes.of(B, NOW) is None


@pytest.mark.parametrize(
    ("now", "expired"),
    [(NOW, False), (NOW + 1799.9, False), (NOW + 1800, True), (NOW - 1, True), (0, True), (NOW * 2, True)],
)
def test_expiry(now: float, expired: bool) -> None:
    assert home().expired(now, 1800) is expired


def test_learning_replaces_and_forgetting_drops() -> None:
    homes = known((A, "east"), (B, "east"), (C, "west"))
    homes.learn(B, home("west"))
    homes.confirm(B, 5)
    assert homes.forget(lambda device, found: found.place == "west" and device != C) == 1
    assert [homes.of(device, NOW) for device in (A, B, C)] == [home(), None, home("west")]
    assert not homes.confirmed(B, 5)
    assert len(homes) == 2
    assert homes.devices() == [A, C]
    assert homes.forget(lambda device, found: True) == 2
    assert len(homes) == 0


def test_a_device_that_asks_is_seen() -> None:
    homes = known((A, "east"))
    homes.named(PC, A, NOW + SEEN_EVERY - 1)
    assert homes.of(A, NOW) == home()
    homes.named(PC, A, NOW + SEEN_EVERY)
    assert homes.of(A, NOW) == replace(home(), seen=NOW + SEEN_EVERY)


def test_a_home_kept_no_longer_does_not_come_back_by_asking() -> None:
    homes = known((A, "east"))
    later = NOW + KEPT + 1
    homes.named(PC, A, later)
    assert homes.of(A, later) is None
    assert homes.at(PC, later) == (Neighbour(A, None, later),)


def test_neighbours() -> None:
    homes = known((A, "east"))
    assert homes.at(PC, NOW) == ()
    homes.named(PC, A, NOW)
    homes.named(PC, B, NOW + 1)
    homes.named(PC, A, NOW + 2)
    homes.named("10.1.1.2", C, NOW + 2)
    assert homes.at(PC, NOW + 3) == (Neighbour(A, "east", NOW + 2), Neighbour(B, None, NOW + 1))
    homes.learn(B, home("west"))
    assert homes.at(PC, NOW + 3)[1] == Neighbour(B, "west", NOW + 1)
    assert homes.at(PC, NOW + KEPT + 1.5) == (Neighbour(A, None, NOW + 2),)


def test_an_address_keeps_its_last_devices() -> None:
    homes = Homes()
    for number in [*range(NEIGHBOURS_MAX + 5), 7]:
        homes.named(PC, f"D{number}", NOW + number)
    assert [neighbour.device for neighbour in homes.at(PC, NOW)] == [
        "D7",
        *(f"D{number}" for number in range(NEIGHBOURS_MAX + 4, 7, -1)),
        *("D6", "D5"),
    ]


def test_a_name_that_no_device_has_is_not_kept() -> None:
    homes = Homes()
    homes.named(PC, "D" * (DEVICE_MAX + 1), NOW)
    homes.learn("D" * (DEVICE_MAX + 1), home())
    assert (homes.at(PC, NOW), len(homes), homes.changes()) == ((), 0, [])


def test_the_least_recently_seen_device_goes() -> None:
    homes = known(*((f"D{number}", "east") for number in range(DEVICES_MAX)))
    homes.of("D1", NOW)  # a look is no request
    homes.named(PC, "D0", NOW)
    homes.learn("D2", home("west"))
    homes.learn("new", home())
    homes.learn("newer", home())
    assert len(homes) == DEVICES_MAX
    assert [name for name in ("D0", "D1", "D2", "D3", "D4", "new") if homes.of(name, NOW) is None] == [
        "D1",
        "D3",
    ]


def test_strangers_push_out_strangers_alone() -> None:
    homes = known((A, "east"))
    homes.named(PC, A, NOW)
    homes.named("stranger", B, NOW)
    for number in range(STRANGERS_MAX):
        homes.named(f"address {number}", f"device {number}", NOW)
    assert homes.at("stranger", NOW) == ()
    assert homes.at("address 0", NOW) != ()
    assert homes.at(PC, NOW) == (Neighbour(A, "east", NOW),)
    assert homes.live == 2


def test_known_addresses_and_their_devices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ADDRESSES_MAX", 3)
    monkeypatch.setattr(neighbours, "PAIRS_MAX", 5)
    homes = known((A, "east"))
    for address in ("a", "b", "c", "a", "d"):
        homes.named(address, A, NOW)
    assert [address for address in "abcd" if homes.at(address, NOW)] == ["a", "c", "d"]
    homes.named("d", B, NOW)
    homes.named("d", C, NOW)
    assert homes.live == 1 + 5
    homes.named("d", "SEP00000000000D", NOW)
    assert [address for address in "abcd" if homes.at(address, NOW)] == ["a", "d"]
    assert {entry.address for entry in homes.changes() if isinstance(entry, Named)} == {"a", "d"}


def test_memory_of_a_full_table() -> None:
    tracemalloc.start()
    try:
        homes = Homes()
        for number in range(DEVICES_MAX):
            device = f"SEP{number:012X}"
            homes.learn(device, Home("east", NOW, NOW))
            homes.named(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", device, NOW + number / 1000)
        homes.changes()
        assert tracemalloc.get_traced_memory()[0] < 66e6
    finally:
        tracemalloc.stop()
    assert homes.live == DEVICES_MAX + ADDRESSES_MAX


# The clock is set: by days, and from or to 1970.
FAR = NOW + 75 * 365 * DAY


@pytest.mark.parametrize(
    "times",
    [
        [NOW, FAR, FAR + 60, NOW + 120],
        [NOW, 60.0, 120.0, NOW + 180],
        [60.0, 120.0, NOW, NOW + 60],
        [NOW, NOW - 30, NOW + 30],
        [NOW, NOW - 40 * DAY, NOW],
        [NOW, NOW + 40 * DAY, NOW],
        [NOW, NOW + CLOCK_SET + 1, NOW + CLOCK_SET + 2],
    ],
)
@pytest.mark.parametrize("asks", [True, False])
def test_no_setting_of_the_clock_loses_a_home(times: list[float], asks: bool) -> None:
    homes = Homes()
    homes.learn(A, home(seen=times[0]))
    homes.named(PC, A, times[0])
    for now in times:
        if asks:
            homes.named(PC, A, now)
        found = homes.of(A, now)
        assert found is not None
        assert found.place == "east"
        assert [neighbour.home for neighbour in homes.at(PC, now)] == ["east"]
    last = times[-1]
    assert homes.of(A, last + DAY) is not None


@pytest.mark.parametrize("asks", [True, False])
def test_nor_does_one_keep_it_for_ever(asks: bool) -> None:
    homes = Homes()
    homes.learn(A, home(seen=FAR))
    homes.named(PC, A, FAR)
    homes.of(A, NOW)
    if asks:
        homes.named(PC, A, NOW)
    assert homes.of(A, NOW + KEPT + SEEN_EVERY) is None
    assert homes.at(PC, NOW + KEPT + SEEN_EVERY) == ()


def test_a_start_in_1970_keeps_what_was_kept() -> None:
    homes = restored([Known(A, home()), Known(B, home()), Named(PC, A, NOW)])
    homes.named(PC, A, 10.0)
    assert homes.of(B, 11.0) == home()
    for device in (A, B):
        found = homes.of(device, NOW + 60)
        assert found is not None
        assert abs(found.seen - NOW) <= 60


@pytest.mark.parametrize(
    ("marked", "asked", "holds"),
    [(0, 0, True), (0, BOOT - 0.1, True), (0, BOOT, False), (50, 49, False), (0, 1e9, False)],
)
def test_evidence_of_this_boot(marked: float, asked: float, holds: bool) -> None:
    homes = Homes()
    homes.confirm(A, marked)
    homes.mark_incomplete(PC, B, marked)
    homes.named(PC, B, NOW)
    homes.named(PC, A, NOW)
    assert homes.confirmed(A, asked) is holds
    assert homes.incomplete(PC, asked) is holds
    assert not homes.confirmed(B, asked)
    assert not homes.incomplete("10.1.1.2", asked)
    homes.mark_complete(PC, A)  # what another device of the address has heard changes nothing
    homes.mark_complete("unknown", B)
    assert homes.incomplete(PC, asked) is holds
    homes.mark_complete(PC, B)
    assert not homes.incomplete(PC, marked)


ONE = Neighbour(A, "east", NOW)


@pytest.mark.parametrize(
    ("heard", "network", "expected"),
    [
        ([], "west", CommonHome(None, False, "no device of this address has a home")),
        ([Neighbour(A, None, NOW)], "west", CommonHome(None, False, "no device of this address has a home")),
        ([ONE], "west", CommonHome("east", False, f"home of {A} at this address")),
        ([replace(ONE, time=0)], None, CommonHome("east", False, f"home of {A} at this address")),
        ([Neighbour(B, None, NOW), ONE], None, CommonHome("east", False, f"home of {A} at this address")),
        (
            [ONE, Neighbour(B, "east", 0)],
            None,
            CommonHome("east", False, f"home of {A} and 1 more at this address"),
        ),
        (
            [replace(ONE, time=NOW - RECENT), Neighbour(B, "west", 0)],
            "north",
            CommonHome("east", False, f"home of {A}, which named itself 60 s ago"),
        ),
        (
            [replace(ONE, time=NOW + 2), Neighbour(B, "west", NOW)],
            "north",
            CommonHome(
                "east", True, f"shared address: home of {A}, which named itself 2 s ago, as others did"
            ),
        ),
        (
            [replace(ONE, time=NOW - RECENT - 1), Neighbour(B, "west", 0)],
            "north",
            CommonHome("north", True, "shared address: the cluster of its network"),
        ),
        (
            [replace(ONE, time=NOW + 1e9), Neighbour(B, "local", 0)],
            None,
            CommonHome("local", True, "shared address: the local store"),
        ),
        (  # the one that asks now is nobody's
            [Neighbour(C, None, NOW), ONE, Neighbour(B, "west", NOW)],
            None,
            CommonHome("local", True, "shared address: the local store"),
        ),
    ],
)
def test_common_home(heard: list[Neighbour], network: str | None, expected: CommonHome) -> None:
    assert common_home(heard, network, "local", NOW) == expected


@pytest.mark.parametrize(
    ("new", "written"),
    [
        (home(), False),
        (replace(home(), compared=NOW + 1800, seen=NOW + 1), False),
        (replace(home(), seen=NOW + DAY), True),
        (replace(home(), seen=0), True),
        (home("west"), True),
        (replace(home(), missed=("north",)), True),
        (replace(home(), duplicates=("north",)), True),
        (replace(home(), by_hand=True), True),
        (replace(home(), following="north"), True),
    ],
)
def test_what_the_journal_is_told_of_a_home(new: Home, written: bool) -> None:
    homes = known((A, "east"))
    assert homes.changes() == [Known(A, home())]
    assert homes.changes() == []
    homes.learn(A, new)
    assert homes.changes() == ([Known(A, new)] if written else [])


def test_what_the_journal_is_told_of_an_address() -> None:
    homes = Homes()
    homes.named(PC, A, NOW)
    assert homes.changes() == []  # a stranger wears no flash
    homes.learn(A, home())
    homes.named(PC, A, NOW)
    homes.named(PC, B, NOW + 1)
    assert homes.changes() == [Known(A, home()), Named(PC, A, NOW)]
    homes.named(PC, A, NOW + 2)
    assert homes.changes() == []
    homes.learn(B, home("west"))
    homes.named(PC, B, NOW + 3)
    assert homes.changes() == [Known(B, home("west")), Named(PC, B, NOW + 3)]
    tomorrow = NOW + DAY
    homes.named(PC, B, tomorrow)
    assert homes.changes() == [Known(B, replace(home("west"), seen=tomorrow)), Named(PC, B, tomorrow)]
    assert homes.forget(is_device(B)) == 1
    assert homes.changes() == [Known(B, None)]
    assert list(homes.entries()) == [Known(A, home()), Named(PC, A, NOW + 2)]


def test_what_was_learned_since_the_start_stands() -> None:
    homes = known((A, "west"), (B, "west"))
    homes.forget(is_device(B))
    homes.named(PC, A, NOW)
    homes.restore({A: home(), B: home(), C: home()}, {PC: {B: NOW}, "other": {C: NOW, A: NOW}})
    assert [homes.of(device, NOW) for device in (A, B, C)] == [home("west"), None, home()]
    assert homes.at(PC, NOW) == (Neighbour(A, "west", NOW),)
    assert [neighbour.device for neighbour in homes.at("other", NOW)] == [A, C]
    assert Known(C, home()) not in homes.changes()


DEVICES = st.sampled_from([A, B, C, "D", "E"])
PLACES = st.sampled_from(["east", "west"])
ADDRESSES = st.sampled_from(["10.1.1.1", "10.1.1.2", "2001:db8::1"])
EVENTS = st.lists(
    st.tuples(st.just("learn"), DEVICES, PLACES)
    | st.tuples(st.just("named"), ADDRESSES, DEVICES)
    | st.tuples(st.just("forget"), DEVICES, PLACES)
    | st.tuples(st.just("taken"), DEVICES, PLACES),
    max_size=40,
)


@given(EVENTS, st.integers(-3, 3).map(lambda days: days * DAY / 2))
def test_the_changes_taken_together_are_what_is_known(
    events: list[tuple[str, str, str]], step: float
) -> None:
    """A next process knows of homes what this one knew, and the devices with a home at each address."""
    homes, journal, now = Homes(), list[Entry](), NOW
    for event, first, second in events:
        now += step
        match event:
            case "learn":
                homes.learn(first, home(second, now))
            case "named":
                homes.named(first, second, now)
            case "forget":
                homes.forget(is_device(first))
            case "taken":
                journal += homes.changes()
    journal += homes.changes()
    for again in (restored(journal), restored(homes.entries())):
        for device in (A, B, C, "D", "E"):
            then, before = again.of(device, now), homes.of(device, now)
            assert (then and then.place) == (before and before.place)
        for address in ("10.1.1.1", "10.1.1.2", "2001:db8::1"):
            mine = {found.device for found in homes.at(address, now) if found.home}
            assert {found.device for found in again.at(address, now) if found.home} <= mine
    assert len(list(homes.entries())) <= homes.live


@given(
    st.lists(
        st.tuples(DEVICES, ADDRESSES, st.floats(allow_nan=False, min_value=-1e12, max_value=1e12)),
        max_size=20,
    )
)
def test_any_time_is_harmless(asked: list[tuple[str, str, float]]) -> None:
    homes = Homes()
    for device, address, now in asked:
        homes.learn(device, home(seen=now))
        homes.named(address, device, now)
        assert homes.of(device, now) is not None
        assert homes.at(address, now)[0].device == device
        assert common_home(homes.at(address, now), None, "local", now).place == "east"
    homes.changes()


def test_devices_in_several_places() -> None:
    homes = known((A, "east"), (B, "east"))
    homes.learn(A, replace(home(), duplicates=("west",)))
    homes.learn(B, replace(home(), duplicates=("west",)))
    assert homes.doubled() == [A, B]
    homes.learn(A, home())
    assert homes.doubled() == [B]
    homes.forget(is_device(B))
    assert homes.doubled() == []
