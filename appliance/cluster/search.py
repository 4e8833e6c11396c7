"""The shell of the decision: puts its questions to the clusters, and tells it what they say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType

import gevent

from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.decision import decide
from appliance.cluster.fetch import KEPT, Fetch, Fetches, await_any
from appliance.cluster.situation import Reply, Situation, State, configuration, in_play
from appliance.cluster.verdict import Ask, Decision, Take, Wait
from appliance.config.model import Cluster

EVIDENCE = 10.0
"""s for which a configuration that was fetched as evidence serves the request that follows."""

Tell = Callable[[str], None]
"""Takes one step of a request's way, in words."""


class Search:
    """The questions of one request. Used as a context: at its end all fetches are left."""

    def __init__(
        self, fetches: Fetches, clusters: Mapping[str, Cluster], situation: Situation, tell: Tell
    ) -> None:
        self._fetches = fetches
        self._clusters = clusters
        self._situation = situation
        self._tell = tell
        self._asked: dict[Ask, Fetch] = {}
        self._replies: dict[Ask, Reply] = {}
        self._told: set[str] = set()
        self._started = time.monotonic()

    def __enter__(self) -> Search:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, first: Decision | None = None) -> Decision:
        """Ask until the decision has come to its end; at most for the budget. `first` is what is decided
        before anybody is asked, where that is known.
        """
        decision = first
        while True:
            elapsed = time.monotonic() - self._started
            if decision is None:
                self._collect(elapsed)
                decision = decide(self._situation, self._replies, elapsed)
            for reason in decision.reasons:
                self._say(reason)
            fresh = [ask for ask in decision.asks if ask not in self._asked]
            for ask in fresh:
                self._ask(ask)
            if not isinstance(decision.verdict, Wait):
                return decision
            if not any(ask in self._replies or self._asked[ask].answer is not None for ask in fresh):
                pending = [fetch for ask, fetch in self._asked.items() if ask not in self._replies]
                await_any(pending, max(0.0, decision.verdict.until - elapsed))
            # Else another request has asked the same a moment ago.
            decision = None

    def taken(self, verdict: Take) -> Fetch:
        """The fetch of the file that is taken, joined for the caller, who leaves it."""
        return self._asked[Ask(verdict.place, _asked(verdict, self._situation))].share()

    @property
    def complete(self) -> bool:
        """Whether every question has its answer."""
        return len(self._replies) == len(self._asked)

    def holders(self, timeout: float) -> tuple[str, ...]:
        """Wait for the rest of the answers, and tell who has the device's configuration."""
        gevent.wait([fetch.answered for fetch in self._asked.values()], timeout=timeout)
        self._collect(time.monotonic() - self._started)
        forms = in_play(self._replies, self._situation.order, self._situation.name.configurations)
        return tuple(
            cluster
            for cluster in self._situation.order
            if configuration(self._replies, cluster, forms) is State.YES
        )

    def close(self) -> None:
        """Leave all fetches."""
        for fetch in self._asked.values():
            self._fetches.leave(fetch)
        self._asked.clear()

    def _ask(self, ask: Ask) -> None:
        name = self._situation.name
        evidence = ask.asked != name.asked and ask.asked in name.configurations
        keep = EVIDENCE if evidence else KEPT
        fetch = self._fetches.join(self._clusters[ask.cluster], ask.asked, keep=keep)
        self._asked[ask] = fetch
        overtaken = self._overtaken(fetch)
        if overtaken is not None:
            self._reply(ask, overtaken, time.monotonic() - self._started)

    def _overtaken(self, fetch: Fetch) -> Failed | None:
        """The answer of a fetch that others began before its cluster was known to be silent: they may wait
        for it, who comes now does not. None where it is to be waited for.
        """
        if fetch.users == 1 or fetch.answer is not None:
            return None
        silence, kept = self._fetches.clients.silent(fetch.cluster), self._fetches.kept
        recalled = None if kept is None else kept.recall(fetch.cluster.name, fetch.name)
        if silence is None or (recalled is not None and recalled.fresh):
            return None  # the cluster is not asked for what is fresh: its copy is being opened
        return Failed(f"known not to answer for {silence:.0f} s")

    def _collect(self, elapsed: float) -> None:
        for ask, fetch in self._asked.items():
            if fetch.answer is not None and ask not in self._replies:
                self._reply(ask, fetch.answer, elapsed)

    def _reply(self, ask: Ask, answer: Answer, elapsed: float) -> None:
        self._replies[ask] = Reply(answer, elapsed)
        other = "" if ask.asked == self._situation.name.asked else f" {ask.asked}:"
        self._say(f"{ask.cluster}:{other} {describe(answer)}")

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


class Ready:
    """The same for a request that needs no waiting: all that it asks was asked a moment ago."""

    def __init__(self, fetches: Fetches, clusters: Mapping[str, Cluster], situation: Situation) -> None:
        self._fetches = fetches
        self._clusters = clusters
        self._situation = situation

    def run(self, first: Decision) -> Decision | None:
        """The end of the decision, which begins so; None where somebody has to be asked."""
        replies: dict[Ask, Reply] = {}
        decision = first
        while True:
            fresh = [ask for ask in decision.asks if ask not in replies]
            if not fresh:
                return None if isinstance(decision.verdict, Wait) else decision
            for ask in fresh:
                fetch = self._fetches.ready(self._clusters[ask.cluster], ask.asked)
                if fetch is None or fetch.answer is None:
                    return None
                replies[ask] = Reply(fetch.answer, 0)
            decision = decide(self._situation, replies, 0)

    def taken(self, verdict: Take) -> Fetch:
        """See `Search`."""
        return self._fetches.join(self._clusters[verdict.place], _asked(verdict, self._situation))


def _asked(verdict: Take, situation: Situation) -> str:
    """The name by which a cluster was asked for what is taken."""
    name = situation.name
    return name.envelope if verdict.stripped and name.envelope is not None else name.asked


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
