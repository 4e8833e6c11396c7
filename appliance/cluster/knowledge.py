"""What is known before any cluster is asked, and what is learned from how a request ended.

Pure but for what it holds: homes, negative entries, inventories. `wall` is the time of day in seconds,
as homes outlive a restart; `now` the monotonic time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from appliance.cluster.homes import CommonHome, Home, Homes, common_home
from appliance.cluster.names import Kind, Name
from appliance.cluster.negative import Negatives
from appliance.cluster.situation import Local, Situation
from appliance.cluster.verdict import Decision, Learned, NotFound, Unavailable
from appliance.config.model import Configuration, IPAddress
from appliance.config.networks import network_place

NETWORKS_MAX = 10_000  # addresses
NAMED = 120.0
"""s for which a device that named itself at an address is the one that asks for a default file there."""

_FOR_GOOD = (Kind.DEFAULT, Kind.TRUST_LIST)
"""What a phone keeps: by these it may be taken over by another cluster."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something of a device that an administrator may want to know."""

    text: str
    device: str
    home: str
    others: tuple[str, ...] = ()


class Knowledge:
    """What this box remembers of devices, their clients and missing names."""

    def __init__(
        self,
        configuration: Configuration,
        homes: Homes,
        listed: Callable[[str, Iterable[str]], str | None],
        stale: Callable[[str, str], float | None],
        silent: Callable[[str], bool],
    ) -> None:
        """`listed` tells, of clusters in order, the first whose inventory has a device; `stale` the age
        in seconds of a cluster's copy of a file that may be served now; `silent` whether a cluster is
        known not to answer.
        """
        self.configuration = configuration
        self.homes = homes
        self.negatives = Negatives(configuration.lookup.negative)
        self._listed = listed
        self._generation = 0
        self._networks: dict[str, str | None] = {}  # of the configuration, by client address
        self._stale = stale
        self._silent = silent

    def configure(self, configuration: Configuration) -> None:
        """Go by another configuration; whom it asks is another question, so nothing is missing any more."""
        self.configuration = configuration
        self._generation += 1
        self._networks.clear()
        self.negatives = Negatives(configuration.lookup.negative)

    def situation(
        self,
        name: Name,
        client: IPAddress,
        address: str,
        local: Local,
        order: tuple[str, ...],
        unused: frozenset[str],
        alone: str,
        wall: float,
        now: float,
    ) -> Situation:
        """Everything that the decision goes by; `order` are the clusters in use, `unused` those that are
        enabled and not in use, `alone` see there.

        `address` is the client's as text, as everybody who asks has it at hand.
        """
        configuration = self.configuration
        if alone:
            return Situation(
                name,
                local,
                order,
                configuration.lookup.budget,
                alone=alone,
                autoregistration=configuration.autoregistration,
            )
        network = self._network(client, address) if configuration.networks else None
        common, homed, incomplete, stranger = None, "", False, False
        home, confirmed = None, False
        if name.device is not None:
            home, confirmed = self._home(name, name.device, order, wall, now)
        else:
            neighbours = self.homes.at(address, wall)
            common = common_home(neighbours, network, configuration.local.name, wall)
            if name.kind in _FOR_GOOD:
                recent = [each for each in neighbours if wall - each.time <= NAMED]
                homed = next((each.device for each in recent or neighbours if each.home is not None), "")
                incomplete = self.homes.incomplete(address, now)
                stranger = bool(recent) and recent[0].home is None
        return Situation(
            name=name,
            local=local,
            order=order,
            budget=configuration.lookup.budget,
            home=home,
            confirmed=confirmed,
            common=common,
            network=network,
            homed=homed,
            incomplete=incomplete,
            stale=self._copies(name, home, common, (*order, *unused) if unused else order),
            unused=unused,
            stranger=stranger,
            generation=self._generation,
            silent=frozenset(filter(self._silent, home.missed)) if home is not None else frozenset(),
            missing=self._missing(name, now),
            common_files=configuration.local.common_files,
            autoregistration=configuration.autoregistration,
        )

    def ended(
        self, situation: Situation, address: str, decision: Decision, wall: float, now: float
    ) -> Event | None:
        """Remember what the end of a request tells."""
        name = situation.name
        if situation.alone or situation.generation != self._generation:
            return None  # it teaches nothing; or what it says is of clusters that are no longer asked so
        if isinstance(decision.verdict, NotFound) and decision.verdict.remember:
            for asked in name.configurations or (name.asked,):
                self.negatives.remember(asked, now)
        if name.device is None:
            return None
        event = None
        if decision.learned is not None and not self._overruled(situation, wall):
            event = self.learn(name.device, decision.learned, wall, now)
        if isinstance(decision.verdict, Unavailable):
            self.homes.mark_incomplete(address, name.device, now)
        else:
            self.homes.mark_complete(address, name.device)
        self.homes.named(address, name.device, wall)
        return event

    def given_up(self, situation: Situation, address: str, wall: float, now: float) -> None:
        """The request has ended before its decision did: nobody can say whether the device has a home."""
        if situation.name.device is not None and not situation.alone:
            self.homes.mark_incomplete(address, situation.name.device, now)
            self.homes.named(address, situation.name.device, wall)

    def _overruled(self, situation: Situation, wall: float) -> bool:
        """Whether the administrator has moved the device while it was being looked for."""
        current = self.homes.of(situation.name.device or "", wall)
        if current is None or not current.by_hand:
            return False
        return situation.home is None or not situation.home.by_hand

    def _network(self, client: IPAddress, address: str) -> str | None:
        """Kept, as it takes long where there are many networks."""
        if address not in self._networks:
            if len(self._networks) >= NETWORKS_MAX:
                self._networks.clear()
            self._networks[address] = network_place(self.configuration, client)
        return self._networks[address]

    def learn(self, device: str, learned: Learned, wall: float, now: float) -> Event | None:
        """Remember a device's home; the event, where this is another than before."""
        old = self.homes.of(device, wall)
        if learned.place is None:
            if old is not None:
                self.homes.forget(lambda name, _: name == device)
                return Event("device is nowhere any more", device, old.place)
            return None
        if learned.seen:
            self.homes.confirm(device, now)
        if old is not None and old.place == learned.place and not learned.searched:
            return None
        if old is not None and old.following == learned.place and not learned.searched:
            self.homes.learn(device, replace(_followed(old), seen=wall))
            return Event("device has moved", device, learned.place, (old.place,))
        by_hand = old is not None and old.by_hand and learned.place in (old.place, old.following)
        compared = wall if learned.searched else 0.0
        home = Home(learned.place, wall, compared, learned.missed, learned.duplicates, by_hand)
        self.homes.learn(device, home)
        if old is not None and old.place != learned.place:
            return Event("device has moved", device, learned.place, (old.place,))
        if learned.duplicates and (old is None or old.duplicates != learned.duplicates):
            return Event("device in several clusters", device, learned.place, learned.duplicates)
        return None

    def _home(
        self, name: Name, device: str, order: tuple[str, ...], wall: float, now: float
    ) -> tuple[Home | None, bool]:
        """The home of a device, and whether it has been confirmed since its boot began."""
        confirmed = self.homes.confirmed(device, now) and not name.opens_boot
        home = self.homes.of(device, wall)
        if home is None:
            listed = self._listed(device, order)
            return (None if listed is None else Home(listed, wall, 0.0)), False
        if home.following is not None and not confirmed:
            # A comparison has found another home meanwhile: from this boot on it is the one.
            home = _followed(home)
        return home, confirmed

    def _copies(
        self,
        name: Name,
        home: Home | None,
        common: CommonHome | None,
        order: tuple[str, ...],
    ) -> dict[str, float]:
        """The copies that could come into question, by their age."""
        asked = order
        if name.kind is Kind.DEVICE:
            asked = (home.place,) if home is not None else ()
        elif name.kind is Kind.COMMON:
            asked = (common.place,) if common is not None and common.place is not None else ()
        if not asked:
            return {}
        ages = {cluster: self._stale(cluster, name.asked) for cluster in asked if cluster in order}
        return {cluster: age for cluster, age in ages.items() if age is not None}

    def _missing(self, name: Name, now: float) -> float | None:
        """s for which no cluster is known to have the file, or the configuration of its device."""
        if not name.configurations:
            return self.negatives.left(name.asked, now)
        left = [self.negatives.left(asked, now) for asked in name.configurations]
        known = [seconds for seconds in left if seconds is not None]
        return min(known) if len(known) == len(left) else None


def _followed(home: Home) -> Home:
    """The home that a comparison, or the administrator, has found. The one before may have the phone still:
    that it does is no sign that the phone has moved back.
    """
    assert home.following is not None
    others = tuple(name for name in (home.place, *home.duplicates) if name != home.following)
    return replace(home, place=home.following, following=None, missed=(), duplicates=others)
