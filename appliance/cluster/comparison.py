"""What comes of asking all clusters again after a device's configuration: a pure rule.

A home is compared so that a phone that was moved is noticed, and that nobody keeps a home for ever by
having been first once. The outcome holds from the device's next boot on: within one boot all files
come from one home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from appliance.cluster.homes import Home
from appliance.cluster.situation import State


def compare(home: Home, order: Sequence[str], states: Mapping[str, State], wall: float) -> Home | None:
    """The home after the comparison; None: nobody has the configuration any more.

    `states` tells of each cluster in `order` whether it has the configuration, at the time of day `wall`.
    """
    chosen = home.following if home.by_hand and home.following is not None else home.place
    own = states.get(chosen)
    if any(states.get(place) in (None, State.SILENT, State.PENDING) for place in (home.place, chosen)):
        return home  # nothing is known of it now; whoever asks finds out
    having = [name for name in order if states[name] is State.YES]
    silent = [name for name in order if states[name] in (State.SILENT, State.PENDING)]
    if not having:
        return home if silent else None
    found = chosen if home.by_hand and own is State.YES else having[0]
    by_hand = home.by_hand and found == chosen
    missed = tuple(name for name in order[: order.index(found)] if name in silent)
    if found == home.place:
        others = tuple(name for name in having if name != found)
        return replace(home, compared=wall, missed=missed, duplicates=others, following=None, by_hand=by_hand)
    return replace(home, compared=wall, following=found, by_hand=by_hand)
