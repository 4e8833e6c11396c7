"""Whose answer counts when several clusters are asked at once: the first in order, not the fastest.

One higher in order that has not answered is waited for, but not for long: a dead cluster must not
keep the phones of the others waiting. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.cluster.situation import State
from appliance.cluster.verdict import Wait

PATIENCE = 1.0
"""s from the moment of asking for which a silent cluster holds up those below it."""


@dataclass(frozen=True, slots=True)
class First:
    """The first in order that has it; `passed` are those above it that gave no answer."""

    cluster: str
    passed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nobody:
    """No cluster has it, as far as they said; `silent` are those that did not say."""

    silent: tuple[str, ...]


def first(
    order: Sequence[str],
    standing: Callable[[str], State],
    asked: float,
    elapsed: float,
    budget: float,
) -> First | Nobody | Wait:
    """Who has it, by `standing` of each, when they were asked `asked` seconds after the start.

    All may be waited for until `budget`, one for another until `PATIENCE` after they were asked.
    """
    patience = min(asked + PATIENCE, budget)
    states = {cluster: standing(cluster) for cluster in order}
    for cluster in order:
        match states[cluster]:
            case State.YES:
                above = order[: order.index(cluster)]
                return First(cluster, tuple(name for name in above if states[name] is not State.NO))
            case State.PENDING if elapsed < patience:
                return Wait(patience)
    silent = tuple(name for name in order if states[name] is not State.NO)
    if State.PENDING in states.values() and elapsed < budget:
        return Wait(budget)
    return Nobody(silent)
