"""What is left to do when a phone is moved from one cluster to another: a pure rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.cluster.situation import State


@dataclass(frozen=True, slots=True)
class Move:
    """`ready`: the phone gets its files from the new place at its next boot. `left` tells, in sentences,
    what somebody still has to do.
    """

    ready: bool
    left: tuple[str, ...]


def plan(device: str, to: str, order: Sequence[str], states: Mapping[str, State]) -> Move:
    """What the places say, in order of preference, of having the device's configuration.

    `order` names the local store and every cluster in use; `to` is one of them. The store's own devices are
    the store's for all their files: one that it still has cannot be moved away.
    """
    left: list[str] = []
    own = states.get(to, State.SILENT)
    store = order[0]
    held = to != store and states.get(store) is State.YES
    ready = own is State.YES and not held
    if own is State.NO:
        left.append(f"{to} does not have {device}: add it there")
    elif own is not State.YES:
        left.append(f"{to} gives no answer: say this again when it does")
    for place in order:
        if place == to:
            continue
        if place == store and held:
            left.append(f"{store} still has {device}, and comes first: delete it there, and say this again")
        elif states.get(place) is State.YES:
            left.append(f"{place} still has {device}: delete it there")
        elif states.get(place) is not State.NO:
            left.append(f"{place} gives no answer: it may still have {device}")
    return Move(ready, tuple(left))
