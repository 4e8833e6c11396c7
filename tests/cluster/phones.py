"""A world for the decision: clusters with files and delays, asked by one who follows the decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.decision import decide
from appliance.cluster.situation import Reply, Situation
from appliance.cluster.verdict import Ask, Decision, Wait

HAS = Found(100, "10.1.0.10", "http")
HAS_NOT = Missing("10.1.0.10", "http")
FAILS = Failed("timed out")


@dataclass(frozen=True)
class Server:
    """A cluster: its files, s until it answers (None: never), files that fail there, what it speaks."""

    files: frozenset[str] = frozenset()
    delay: float | None = 0.0
    failing: frozenset[str] = frozenset()
    over: str = "http"

    def answer(self, asked: str) -> Answer:
        if asked in self.failing:
            return FAILS
        said = HAS if asked in self.files else HAS_NOT
        return replace(said, protocol=self.over)


def having(*files: str, delay: float | None = 0.0, failing: str = "", over: str = "http") -> Server:
    return Server(frozenset(files), delay, frozenset(failing.split()), over)


DEAD = Server(delay=None)
REFUSED = having(failing="CTLSEP001122334455.tlv SEP001122334455.cnf.xml SEP001122334455.cnf.xml.sgn")


@dataclass
class End:
    """How it ended: what was decided, when (s), and all that was asked, in order."""

    decision: Decision
    at: float
    asked: list[Ask] = field(default_factory=list)

    @property
    def clusters(self) -> str:
        """Who was asked anything."""
        return "".join(sorted({ask.cluster for ask in self.asked}))


def follow(situation: Situation, servers: Mapping[str, Server], wakes: tuple[float, ...] = ()) -> End:
    """Do what the decisions say until they end, in simulated time."""
    arrivals: dict[Ask, Reply] = {}
    asked: list[Ask] = []
    elapsed = 0.0
    for _ in range(200):
        replies = {ask: reply for ask, reply in arrivals.items() if reply.at <= elapsed}
        decision = decide(situation, replies, elapsed)
        assert len(set(decision.asks)) == len(decision.asks)
        assert len(set(decision.reasons)) == len(decision.reasons)
        fresh = [ask for ask in decision.asks if ask not in asked]
        for ask in fresh:
            asked.append(ask)
            server = servers[ask.cluster]
            if server.delay is not None:
                arrivals[ask] = Reply(server.answer(ask.asked), elapsed + server.delay)
        if not isinstance(decision.verdict, Wait):
            return End(decision, elapsed, asked)
        if any(arrivals[ask].at <= elapsed for ask in fresh if ask in arrivals):
            continue
        assert decision.verdict.until > elapsed
        assert any(ask not in replies for ask in asked), "waits for nobody"
        moments = [reply.at for reply in arrivals.values()] + [*wakes, decision.verdict.until]
        elapsed = min(moment for moment in moments if moment > elapsed)
    raise AssertionError("asked more often than anything happened")
