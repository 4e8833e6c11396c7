"""Where each device is at home, and which devices ask from an address (design: device files, common files).

Pure: `now` is wall-clock seconds, for what is known here outlives the process. The clock may be set at any
moment, and a box without a battery starts in 1970. Nothing is therefore dropped for its age alone: what is
too old is not told, and goes when there is too much. A time in the future counts as now.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.cluster.marks import Marks
from appliance.cluster.neighbours import ADDRESSES_MAX, DAY, Named, Neighbours, Pairs, day, entries

KEPT = 90 * DAY  # s for which a home, and a device at an address, are known after they were last seen
BOOT = 120.0
"""s from a boot's first request to its last, with room to spare."""
RECENT = 60.0  # s for which the device that named itself last speaks for a shared address

DEVICES_MAX = 100_000
DEVICE_MAX = 128  # characters; CUCM allows no longer name

SEEN_EVERY = 60.0  # s between renewals of `Home.seen`
CLOCK_SET = KEPT + 10 * DAY
"""s between two calls from which on the clock must have been set forward: phones ask more often."""


@dataclass(frozen=True, slots=True)
class Home:
    """The place that has a device's configuration: a cluster, or the local store. Times in seconds.

    `seen`: the device last asked; `compared`: the place was last compared with all other clusters.
    `missed` were silent then and stand higher in order, so that the home is provisional; `duplicates`
    have the configuration as well. `by_hand`: the administrator said so, and no comparison takes it away
    while the place has the configuration. `following` is what a comparison found: the home from the
    next boot on.
    """

    place: str
    seen: float
    compared: float
    missed: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    by_hand: bool = False
    following: str | None = None

    def expired(self, now: float, expiry: float) -> bool:
        """Whether it is to be compared again; so it is where the clock has been set back since."""
        return not 0 <= now - self.compared < expiry


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A device that has named itself at an address, `time` in seconds; `home` is its home's place."""

    device: str
    home: str | None
    time: float


@dataclass(frozen=True, slots=True)
class CommonHome:
    """Whose common files an address gets; no place where nothing is known of it. `why` in words."""

    place: str | None
    shared: bool
    why: str


@dataclass(frozen=True, slots=True)
class Known:
    """For the journal: a device's home, None where it is forgotten."""

    device: str
    home: Home | None


Entry = Known | Named


class Homes:
    """Device to home, and address to devices: the least recently seen go when there are too many."""

    def __init__(self) -> None:
        self._homes: OrderedDict[str, Home] = OrderedDict()
        self._neighbours = Neighbours()
        self._confirmed = Marks(BOOT, DEVICES_MAX)
        self._incomplete = Marks(BOOT, ADDRESSES_MAX)
        self._changed: dict[str, None] = {}
        self._doubled: dict[str, None] = {}  # devices that have duplicates
        self._now: float | None = None

    def __len__(self) -> int:
        return len(self._homes)

    @property
    def live(self) -> int:
        """How many entries the journal needs at most."""
        return len(self._homes) + len(self._neighbours)

    def of(self, device: str, now: float) -> Home | None:
        """The home; None where none is known, or it has not been seen for `KEPT`."""
        self._notice(now)
        home = self._homes.get(device)
        return home if home is not None and now - home.seen <= KEPT else None

    def devices(self) -> list[str]:
        """Every device that has a home, the least recently seen first."""
        return list(self._homes)

    def doubled(self) -> list[str]:
        """The devices that have duplicates, the longest known first."""
        return list(self._doubled)

    def learn(self, device: str, home: Home) -> None:
        """From now on this is the home."""
        if len(device) > DEVICE_MAX:
            return
        if _differs(self._homes.get(device), home):
            self._changed[device] = None
        self._put(device, home)

    def forget(self, concerned: Callable[[str, Home], bool]) -> int:
        """Drop the homes of the concerned devices; tells how many went."""
        gone = [device for device, home in self._homes.items() if concerned(device, home)]
        for device in gone:
            del self._homes[device]
            self._doubled.pop(device, None)
            self._changed[device] = None
            self._confirmed.drop(device)
        return len(gone)

    def named(self, address: str, device: str, now: float) -> None:
        """A client at this address has asked for a file of this device; to be told after `learn`."""
        if len(device) > DEVICE_MAX:
            return
        home = self.of(device, now)
        if home is not None:
            self._homes.move_to_end(device)
            if abs(now - home.seen) >= SEEN_EVERY:
                self.learn(device, replace(home, seen=now))
        self._neighbours.named(address, device, now, homed=home is not None)

    def at(self, address: str, now: float) -> tuple[Neighbour, ...]:
        """The last devices that have named themselves at this address, newest first."""
        self._notice(now)
        found = []
        for device, time, _ in self._neighbours.at(address):
            if now - time <= KEPT:
                home = self.of(device, now)
                found.append(Neighbour(device, None if home is None else home.place, time))
        return tuple(found)

    def confirm(self, device: str, now: float) -> None:
        """The home has shown the device's configuration. `now` of a clock that is never set."""
        self._confirmed.add(device, now)

    def confirmed(self, device: str, now: float) -> bool:
        """Whether the home has shown the configuration within the device's present boot."""
        return self._confirmed.holds(device, now)

    def mark_incomplete(self, address: str, device: str, now: float) -> None:
        """The search for this device of an address got no answer from some cluster; `now` as in `confirm`."""
        self._incomplete.add(f"{address} {device}", now)

    def mark_complete(self, address: str, device: str) -> None:
        """The search for this device got an answer from every cluster that was asked."""
        self._incomplete.drop(f"{address} {device}")

    def incomplete(self, address: str, now: float) -> bool:
        """Whether the last search for any device of this address, within `BOOT`, was incomplete."""
        devices = (device for device, _, _ in self._neighbours.at(address))
        return any(self._incomplete.holds(f"{address} {device}", now) for device in devices)

    def changes(self) -> list[Entry]:
        """What is to outlive the process and has changed since the last call."""
        found: list[Entry] = [Known(device, self._homes.get(device)) for device in self._changed]
        self._changed.clear()
        return [*found, *self._neighbours.changes(self._homes)]

    def entries(self) -> Iterator[Entry]:
        """All that is to outlive the process as it is now, the oldest first. May be read in any thread."""
        return _entries(list(self._homes), list(self._homes.values()), self._neighbours.snapshot())

    def restore(self, homes: Mapping[str, Home], addresses: Mapping[str, Mapping[str, float]]) -> None:
        """What was kept of an earlier process: homes, and times by address and device, oldest first.

        What has been learned or forgotten since the start stands.
        """
        for device, home in homes.items():
            if device not in self._homes and device not in self._changed:
                self._put(device, home)
        self._neighbours.restore(addresses)

    def _put(self, device: str, home: Home) -> None:
        self._homes[device] = home
        if home.duplicates:
            self._doubled.setdefault(device)
        else:
            self._doubled.pop(device, None)
        self._homes.move_to_end(device)
        while len(self._homes) > DEVICES_MAX:
            gone, _ = self._homes.popitem(last=False)
            self._changed.pop(gone, None)
            self._doubled.pop(gone, None)

    def _notice(self, now: float) -> None:
        """Keep the ages when the clock is set: no time may lie in the future for long, and none far
        back that was read from a clock which stood far back itself.
        """
        last, self._now = self._now, now
        if last is None or last - SEEN_EVERY <= now <= last + CLOCK_SET:
            return
        if now < last:
            self._restamp(lambda time: min(time, now))
        else:
            self._restamp(lambda time: time + (now - last) if time <= last else time)

    def _restamp(self, right: Callable[[float], float]) -> None:
        for device, home in self._homes.items():
            if right(home.seen) != home.seen:
                self._homes[device] = replace(home, seen=right(home.seen))
                self._changed[device] = None
        self._neighbours.restamp(right)


_NOBODYS = CommonHome(None, False, "no device of this address has a home")


def common_home(neighbours: Sequence[Neighbour], network: str | None, local: str, now: float) -> CommonHome:
    """Whose common files an address gets, by its devices (see `Homes.at`).

    Where devices of several homes stand behind one address, the one that named itself last asks, near
    enough; it is certain where no other named itself lately.

    `network` is the cluster of the client's network, `local` the name of the local store.
    """
    homed = [neighbour for neighbour in neighbours if neighbour.home is not None]
    if not homed:
        return _NOBODYS
    places = {neighbour.home for neighbour in homed}
    if len(places) == 1:
        others = "" if len(homed) == 1 else f" and {len(homed) - 1} more"
        return CommonHome(homed[0].home, False, f"home of {homed[0].device}{others} at this address")
    last = neighbours[0]
    # A clock that was set back a little does not make them older.
    recent = [each for each in neighbours if abs(now - each.time) <= RECENT]
    if last.home is not None and recent:
        alone = all(each.home == last.home for each in recent)
        ago = f"home of {last.device}, which named itself {abs(now - last.time):.0f} s ago"
        return CommonHome(last.home, not alone, ago if alone else f"shared address: {ago}, as others did")
    if network is not None:
        return CommonHome(network, True, "shared address: the cluster of its network")
    return CommonHome(local, True, "shared address: the local store")


def _differs(old: Home | None, new: Home) -> bool:
    """Whether the journal is to be told: `seen` is worth writing once a day, `compared` never is."""
    if old is None or day(old.seen) != day(new.seen):
        return True
    return replace(old, seen=new.seen, compared=new.compared) != new


def _entries(
    devices: list[str], homes: list[Home], addresses: Iterable[tuple[str, Pairs]]
) -> Iterator[Entry]:
    yield from map(Known, devices, homes)
    yield from entries(addresses, set(devices))
