"""Which devices have named themselves at which client addresses (design: common files). Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

DAY = 86_400.0  # s
ADDRESSES_MAX = 100_000
NEIGHBOURS_MAX = 16  # devices of one address
PAIRS_MAX = 2 * ADDRESSES_MAX  # devices of all addresses together
STRANGERS_MAX = 10_000
"""addresses without any device that has a home. Anybody can name devices, from any number of made-up
addresses: these push out each other, never an address that is known."""


@dataclass(frozen=True, slots=True)
class Named:
    """For the journal: a device with a home has named itself at an address, `time` in seconds."""

    address: str
    device: str
    time: float


Pair = tuple[str, float, bool]
"""A device at an address: its name, when it last named itself, whether the journal has been told."""
Pairs = tuple[Pair, ...]  # newest first


class Neighbours:
    """Address to devices: the addresses least recently heard of go when there are too many."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Pairs] = OrderedDict()
        self._strangers: OrderedDict[str, Pairs] = OrderedDict()
        self._changed: dict[str, None] = {}
        self._pairs = 0  # of known addresses

    def __len__(self) -> int:
        return self._pairs

    def at(self, address: str) -> Pairs:
        """The last devices of this address, newest first."""
        return self._known.get(address) or self._strangers.get(address) or ()

    def named(self, address: str, device: str, now: float, homed: bool) -> None:
        """A client at this address has asked for a file of this device; `homed`: which has a home."""
        pairs, told = _with(self.at(address), device, now)
        if homed or address in self._known:
            self._strangers.pop(address, None)
            self._keep(address, pairs)
        else:
            self._strangers[address] = pairs
            self._strangers.move_to_end(address)
            if len(self._strangers) > STRANGERS_MAX:
                self._strangers.popitem(last=False)
        if homed and not told:
            self._changed[address] = None

    def changes(self, homed: Container[str]) -> list[Named]:
        """What is new since the last call, of the devices that have a home."""
        found = []
        for address in self._changed:
            pairs = []
            for device, time, told in self._known[address]:
                new = not told and device in homed
                if new:
                    found.append(Named(address, device, time))
                pairs.append((device, time, told or new))
            self._known[address] = tuple(pairs)
        self._changed.clear()
        found.sort(key=lambda named: named.time)
        return found

    def snapshot(self) -> Iterator[tuple[str, Pairs]]:
        """All known addresses as they are now, the one least recently heard of first."""
        return zip(
            list(self._known), list(self._known.values()), strict=True
        )  # pairs are made as they are read

    def restore(self, addresses: Mapping[str, Mapping[str, float]]) -> None:
        """Times by address and device, oldest first; what has been heard since the start stands."""
        for address, times in addresses.items():
            if not self.at(address):
                pairs = [(device, time, True) for device, time in times.items()]
                self._keep(address, tuple(reversed(pairs[-NEIGHBOURS_MAX:])))

    def restamp(self, right: Callable[[float], float]) -> None:
        """Put every time right: the clock has been set."""
        for addresses in (self._known, self._strangers):
            for address, pairs in addresses.items():
                addresses[address] = tuple((device, right(time), told) for device, time, told in pairs)

    def _keep(self, address: str, pairs: Pairs) -> None:
        self._pairs += len(pairs) - len(self._known.pop(address, ()))
        self._known[address] = pairs
        while len(self._known) > ADDRESSES_MAX or self._pairs > PAIRS_MAX:
            gone, dropped = self._known.popitem(last=False)
            self._pairs -= len(dropped)
            self._changed.pop(gone, None)


def entries(addresses: Iterable[tuple[str, Pairs]], homed: Container[str]) -> Iterator[Named]:
    """What a journal is to hold of a `snapshot`, each address's oldest device first."""
    for address, pairs in addresses:
        for device, time, _ in reversed(pairs):
            if device in homed:
                yield Named(address, device, time)


def _with(pairs: Pairs, device: str, now: float) -> tuple[Pairs, bool]:
    """The devices of an address after this one has named itself, and whether the journal knows it today."""
    for place, (known, time, told) in enumerate(pairs):
        if known == device:
            told = told and day(time) == day(now)
            return ((device, now, told), *pairs[:place], *pairs[place + 1 :]), told
    return ((device, now, False), *pairs[: NEIGHBOURS_MAX - 1]), False


def day(time: float) -> int:
    """The day of a time: what only moves on is worth writing once a day."""
    return int(time // DAY)
