"""Whose answer counts in a search over the clusters: a pure rule.

The clusters are asked at once; the first in configured order that has the file serves it. One
higher in order that has not answered is waited for, but not for long: a dead cluster must not
keep the phones of the others waiting. "Not found" is said only when every cluster said so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PATIENCE = 1.0
"""s from the start of a search for which a silent cluster holds up those below it."""


@dataclass(frozen=True, slots=True)
class Found:
    """The cluster has the file. `size` in bytes, where it told one; `address` and `protocol` say how."""

    size: int | None
    address: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The cluster answered that it has no such file."""

    address: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing is known: no address of the cluster gave an answer to go by."""

    why: str


Answer = Found | Missing | Failed


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again when another answer is in, or `elapsed` has reached `until`."""

    until: float


@dataclass(frozen=True, slots=True)
class Take:
    """Serve the file of this cluster."""

    cluster: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """All clusters said that they have no such file; may be remembered."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Some cluster gave no answer, and none that did has the file; never remembered."""

    silent: tuple[str, ...]


Verdict = Wait | Take | NotFound | Unavailable


def decide(order: Sequence[str], answers: Mapping[str, Answer], elapsed: float, budget: float) -> Verdict:
    """What to do `elapsed` seconds into a search that may take `budget` seconds.

    `order` names the clusters that are asked, in configured order; one that is not in `answers`
    has not answered yet.
    """
    patience = min(PATIENCE, budget)
    for cluster in order:
        match answers.get(cluster):
            case Found():
                return Take(cluster)
            case None if elapsed < patience:
                return Wait(patience)
    silent = tuple(name for name in order if not isinstance(answers.get(name), Missing))
    if not silent:
        return NotFound()
    if elapsed < budget and any(name not in answers for name in silent):
        return Wait(budget)
    return Unavailable(silent)
