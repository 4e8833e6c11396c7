"""What a decision asks for next, or how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Ask(NamedTuple):
    """One question to a cluster: a file, by the name that it is asked with."""

    cluster: str
    asked: str


@dataclass(slots=True)  # as for Take
class Wait:
    """Decide again when another answer is in, or `elapsed` (s) has reached `until`."""

    until: float


@dataclass(slots=True)  # not frozen, and so made in a third of the time: every request makes one
class Take:
    """Serve the file of this place: the local store, or a cluster, which has been asked for it.

    `stale` is the age in seconds of the copy that is served in the place of a cluster that is silent.
    `stripped`: it has been asked for the signed form, `Name.envelope`, and what is inside of that is served.
    """

    place: str
    stale: float | None = None
    stripped: bool = False


@dataclass(slots=True)  # as for Take
class NotFound:
    """There is no such file. `remember`: every cluster that was to be asked has said so."""

    remember: bool = False


@dataclass(slots=True)  # as for Take
class Unavailable:
    """Nobody can say now; never remembered. `silent` names those who gave no answer to go by."""

    silent: tuple[str, ...]
    why: str = ""


Verdict = Wait | Take | NotFound | Unavailable


@dataclass(frozen=True, slots=True)
class Learned:
    """What the answers tell of a device's home.

    `place` has its configuration; None: nobody has, and everybody said so. `seen` says that this very
    request has shown it. `searched` says that the clusters were compared: `missed` are those higher in
    order that were silent, `duplicates` the others that have the configuration as well, as far as known.
    """

    place: str | None
    seen: bool = True
    searched: bool = False
    missed: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()


class Decision(NamedTuple):
    """`asks` are all questions that are to be put by now, those that have been put among them.

    `reasons` tell how it came so far; each is a sentence that stays as more answers come in.
    """

    verdict: Verdict
    asks: tuple[Ask, ...] = ()
    reasons: tuple[str, ...] = ()
    learned: Learned | None = None
