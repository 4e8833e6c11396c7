"""For how long a kept file may be used: pure rules, by kind. Times are s of the wall clock.

A cluster that tells a validator is asked "changed since?" at the same ages at which one that tells
none is asked for the whole file (Cisco tells none, and `no-store`, which is overridden knowingly).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.cache.entry import Entry


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of file is kept."""

    fresh: float
    """s for which it serves without asking the cluster; 0: never."""
    by_length: bool = False
    """Compared by length: its name carries its version."""
    guarded: bool = False
    """May hold credentials: written to disk only where the administrator wants copies of such files."""


RULES: Mapping[str, Rule] = {
    "common": Rule(60.0),
    "image": Rule(24 * 3600.0, by_length=True),
    "default": Rule(0.0),
    "device": Rule(0.0, guarded=True),
    "generic trust list": Rule(0.0, guarded=True),
}
"""By the kinds of `cluster.names`; CTLSEP and ITLSEP are device files there."""
OTHER = Rule(0.0, guarded=True)
"""Of a kind that is not in the table."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration says of kept files.

    `stale`: for each enabled cluster the s for which a file may be served while the cluster does not
    answer, counted from when the cluster last confirmed it. `stale_configs`: guarded files as well.
    """

    stale: Mapping[str, float] = field(default_factory=dict)
    stale_configs: bool = False


def rule(kind: str) -> Rule:
    """How files of this kind are kept."""
    return RULES.get(kind, OTHER)


def age(confirmed: float, now: float) -> float:
    """s since the cluster last confirmed a file; 0 where the clock was set back since."""
    return max(0.0, now - confirmed)


def fresh(kind: str, confirmed: float, now: float) -> bool:
    """Whether the cluster need not be asked. A clock that was set back makes nothing fresh for long."""
    return 0 <= now - confirmed < rule(kind).fresh


def by_length(entry: Entry) -> bool:
    """Whether the same length upstream means the same file; no guess is needed where there is a validator."""
    return rule(entry.kind).by_length and not entry.validator


def stale_allowed(entry: Entry, confirmed: float, now: float, terms: Terms) -> bool:
    """Whether it may be served while its cluster does not answer."""
    if rule(entry.kind).guarded and not terms.stale_configs:
        return False
    seconds = terms.stale.get(entry.cluster, 0)
    return seconds > 0 and age(confirmed, now) <= seconds


def may_keep(cluster: str, kind: str, terms: Terms) -> bool:
    """Whether any file of this kind goes to disk, be it worth it or not: a guarded one only as stale copy."""
    stale = terms.stale.get(cluster)
    return stale is not None and (not rule(kind).guarded or (terms.stale_configs and stale > 0))


def worth_keeping(entry: Entry, terms: Terms) -> bool:
    """Whether it goes to disk: only where it may, and can be of use there."""
    if not may_keep(entry.cluster, entry.kind, terms):
        return False
    known = rule(entry.kind)
    return known.guarded or known.fresh > 0 or terms.stale[entry.cluster] > 0 or bool(entry.validator)
