"""The search for a file over the clusters: asks them at once and does what `decision` says."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from appliance.cluster.decision import (
    Answer,
    Failed,
    Found,
    Missing,
    NotFound,
    Take,
    Unavailable,
    Wait,
    decide,
)
from appliance.cluster.fetch import Fetch, Fetches
from appliance.config.model import Cluster

Tell = Callable[[str], None]
"""Takes one step of a request's way, in words."""


def search(
    fetches: Fetches, clusters: list[Cluster], name: str, budget: float, tell: Tell
) -> Fetch | NotFound | Unavailable:
    """The fetch that serves the file, joined for the caller, who leaves it; or why there is none."""
    started = time.monotonic()
    order = [cluster.name for cluster in clusters]
    tell(f"asked at once: {', '.join(order)}" if order else "no cluster is in use")
    with fetches.joined(clusters, name) as asked:
        told: set[str] = set()
        while True:
            answers = {fetch.cluster.name: fetch.answer for fetch in asked if fetch.answer is not None}
            for fetch in asked:
                if fetch.answer is not None and fetch.cluster.name not in told:
                    told.add(fetch.cluster.name)
                    tell(f"{fetch.cluster.name}: {describe(fetch.answer)}")
            elapsed = time.monotonic() - started
            match decide(order, answers, elapsed, budget):
                case Wait(until):
                    pending = [fetch.answered for fetch in asked if fetch.answer is None]
                    gevent.wait(pending, timeout=max(0.0, until - elapsed), count=1)
                case Take(cluster):
                    _tell_passed_over(order, answers, cluster, tell)
                    return next(fetch for fetch in asked if fetch.cluster.name == cluster).share()
                case NotFound() as verdict:
                    return verdict
                case Unavailable(silent) as verdict:
                    within = f" within {budget:g} s" if elapsed >= budget else ""
                    tell(f"no answer to go by from {', '.join(silent)}{within}")
                    return verdict


def describe(answer: Answer) -> str:
    """An answer in words."""
    match answer:
        case Found(size, address, protocol):
            length = "" if size is None else f", {size} bytes"
            return f"has it{length} (from {address} over {protocol.upper()})"
        case Missing(address, protocol):
            return f"does not have it (says {address} over {protocol.upper()})"
        case Failed(why):
            return f"no answer: {why}"


def _tell_passed_over(order: list[str], answers: dict[str, Answer], taken: str, tell: Tell) -> None:
    for cluster in order[: order.index(taken)]:
        if cluster not in answers:
            tell(f"{cluster}: has not answered, passed over")
    tell(f"served from {taken}: the first in configured order that has it")
