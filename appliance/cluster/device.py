"""Where a device's file comes from: all files of a device come from one home (design: device files).

The home is the place that has the device's *configuration*. That it lacks one of the other files is
normal, and says nothing; that it lacks the configuration sends the search over all clusters. Pure.
"""

from __future__ import annotations

from appliance.cluster.homes import Home
from appliance.cluster.names import Name
from appliance.cluster.precedence import PATIENCE, First, Nobody, first
from appliance.cluster.situation import (
    Replies,
    Situation,
    Standing,
    State,
    configuration,
    due,
    in_play,
    standing,
    state,
)
from appliance.cluster.verdict import (
    Ask,
    Decision,
    Learned,
    NotFound,
    Take,
    Unavailable,
    Verdict,
    Wait,
)

STRIPPED = "stripped of its signature"
"""What reasons say of a file that is taken out of its signed form."""


def unfit(place: str, name: Name, why: str) -> str:
    """The reason where the signed form is there, but nothing can be taken out of it."""
    return f"{place} has {name.envelope}, but nothing inside of it: {why}"


def decide(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    """What to do `elapsed` seconds after the request came, with these replies."""
    local, home = situation.local, situation.home
    if local.configuration:
        return at_store(situation)
    if local.file:
        reason = f"{local.name} has the file, but not the configuration of {situation.name.device}"
    else:
        reason = f"{local.name} does not have the configuration of {situation.name.device}"
    reasons: tuple[str, ...] = () if local.fault else (reason,)
    if home is not None and home.place in situation.unused:
        reasons += (f"its home {home.place} is out of use",)
        return _AtHome(situation, home, replies, elapsed, reasons).decision()
    if home is None or home.place not in situation.order:
        if home is not None:
            reasons += (f"its home {home.place} is not in use",)
        return _Search(situation, replies, elapsed, reasons).decision()
    back = [cluster for cluster in home.missed if cluster not in situation.silent]
    if back and not situation.confirmed and not home.by_hand:
        silent = ", ".join(back)
        reasons += (f"home {home.place} is provisional, as {silent} was silent: compared again",)
        return _Search(situation, replies, elapsed, reasons).decision()
    return _AtHome(situation, home, replies, elapsed, reasons).decision()


def at_store(situation: Situation, *reasons: str) -> Decision:
    """A device of the local store: whatever it asks for is there, or nowhere."""
    local, name = situation.local, situation.name
    reasons += (f"{local.name} has the configuration of {name.device}: all its files are local",)
    if not local.file and local.own_list:
        reasons += (f"its trust list is this box's own: {name.own_list}",)
    taken = local.file or local.own_list
    return Decision(Take(local.name) if taken else NotFound(), (), reasons, Learned(local.name))


class _Search:
    """Asks every cluster for the file and for the configuration, in one round."""

    def __init__(
        self,
        situation: Situation,
        replies: Replies,
        elapsed: float,
        reasons: tuple[str, ...],
        asked: float = 0,
    ) -> None:
        self._situation = situation
        self._replies = replies
        self._elapsed = elapsed
        self._reasons = reasons
        self._asked = asked  # s after the start at which the clusters were asked
        self._more: tuple[Ask, ...] = ()  # asked of the home alone
        self._forms = in_play(replies, situation.order, situation.name.configurations)

    def decision(self) -> Decision:
        """The clusters' answers, in configured order."""
        situation = self._situation
        if situation.missing is not None and situation.home is None:
            self._say(f"remembered for {situation.missing:.0f} s more: no cluster has its configuration")
            return self._nobody(())
        if not situation.order:
            self._say("no cluster is in use")
            return self._nobody(())
        self._say(f"asked at once: {', '.join(situation.order)}")
        found = first(
            situation.order,
            lambda cluster: configuration(self._replies, cluster, self._forms),
            self._asked,
            self._elapsed,
            situation.budget,
        )
        match found:
            case Wait():
                return self._end(found)
            case Nobody(silent):
                return self._nobody(silent)
            case First(cluster, passed):
                return self._at(cluster, passed)

    def _at(self, cluster: str, passed: tuple[str, ...]) -> Decision:
        """The home is found; the file comes from there, or from nowhere."""
        if passed:
            self._say(f"passed over without an answer: {', '.join(passed)}; the home is provisional")
        self._say(f"home is {cluster}: the first in order that has the configuration")
        others = tuple(
            other
            for other in self._situation.order
            if other != cluster and configuration(self._replies, other, self._forms) is State.YES
        )
        if others:
            self._say(f"{', '.join(others)} has the configuration as well")
        learned = Learned(cluster, searched=True, missed=passed, duplicates=others)
        file = standing(self._replies, cluster, self._situation.name)
        self._more = file.asks
        match file.state:
            case State.YES:
                self._reasons += stripped(file, cluster, self._situation)
                return self._end(Take(cluster, stripped=file.stripped), learned)
            case State.NO:
                self._say(f"{cluster} is the home and does not have the file")
                return self._end(NotFound(), learned)
            case State.PENDING if self._elapsed < self._situation.budget:
                return self._end(Wait(self._situation.budget))
        return self._end(_stale(self._situation, cluster), learned)

    def _nobody(self, silent: tuple[str, ...]) -> Decision:
        """No cluster has the configuration."""
        local, home = self._situation.local, self._situation.home
        if silent and home is not None and home.place in (*silent, *home.missed):
            copy = _stale(self._situation, home.place)
            return self._end(copy if isinstance(copy, Take) else Unavailable(silent))
        if silent:
            return self._end(Unavailable(silent))
        if local.file:
            self._say(f"nobody else knows the device: the file of {local.name} serves")
            return self._end(Take(local.name))
        if local.fault:
            return self._end(Unavailable((local.name,)))
        if self._situation.missing is None and self._situation.order:
            self._say("no cluster has its configuration")
            return self._end(NotFound(remember=True), Learned(None, searched=True))
        return self._end(NotFound())

    def _say(self, reason: str) -> None:
        self._reasons += (reason,)

    def _end(self, verdict: Verdict, learned: Learned | None = None) -> Decision:
        asks: list[Ask] = []
        if self._situation.missing is None or self._situation.home is not None:
            file = self._situation.name.asked
            for cluster in self._situation.order:
                asks += [Ask(cluster, file), *due(self._replies, cluster, self._forms)]
            asks += self._more
        return Decision(verdict, tuple(dict.fromkeys(asks)), self._reasons, learned)


class _AtHome:
    """Asks the home, and the others only when it fails or has the configuration no longer."""

    def __init__(
        self, situation: Situation, home: Home, replies: Replies, elapsed: float, reasons: tuple[str, ...]
    ) -> None:
        self._situation = situation
        self._home = home
        self._replies = replies
        self._elapsed = elapsed
        self._reasons = (*reasons, f"home is {home.place}")
        name = situation.name
        self._standing = standing(replies, home.place, name)
        self._used = home.place not in situation.unused
        self._file = self._standing.state if self._used else State.SILENT
        # Asked once a boot, beside the file: the answer serves the request that follows. Asked again when
        # the file does not come: what fails alone does not make a phone move.
        self._needed = self._evidence_needed()
        # A configuration that fails shows nothing; its other form may.
        forms = name.configurations
        if self._file is State.SILENT:
            forms = tuple(form for form in forms if form != name.asked)
        self._forms = in_play(replies, [home.place], forms)

    def _evidence_needed(self) -> float | None:
        """Since when (s) the home is to be asked for the configuration as well; None where it is not."""
        situation = self._situation
        if not situation.confirmed:
            return 0.0
        shown = situation.name.is_configuration and self._file is State.NO
        if self._used and (shown or self._file is State.SILENT):
            return self._standing.at
        patience = min(PATIENCE, situation.budget)
        return patience if self._file is State.PENDING and self._elapsed >= patience else None

    def decision(self) -> Decision:
        """What the home's answers come to."""
        if not self._used:
            return self._silent(State.SILENT)
        has = State.YES
        until = min(PATIENCE, self._situation.budget)
        if self._needed is not None:
            has = configuration(self._replies, self._home.place, self._forms)
            until = min(self._needed + PATIENCE, self._situation.budget)
        elif self._file is State.PENDING:
            return self._end(Wait(until))
        waiting = self._elapsed < until
        match self._file, has:
            case ((State.YES | State.NO), State.NO):
                return self._lost()
            case State.YES, State.PENDING if waiting:
                return self._end(Wait(until))
            case State.YES, _:
                seen = has is State.YES or self._situation.name.is_configuration
                self._reasons += stripped(self._standing, self._home.place, self._situation)
                taken = Take(self._home.place, stripped=self._standing.stripped)
                return self._end(taken, Learned(self._home.place, seen))
            case State.NO, State.YES:
                self._say(f"{self._home.place} is the home and does not have the file")
                return self._end(NotFound(), Learned(self._home.place))
            case ((State.PENDING | State.SILENT), State.YES):
                return self._fails()
            case ((State.PENDING | State.NO | State.SILENT), State.PENDING) if waiting:
                return self._end(Wait(until))
        return self._silent(has)

    def _fails(self) -> Decision:
        """The home has shown the configuration: the phone has not moved, this file alone fails."""
        if self._file is State.PENDING and self._elapsed < self._situation.budget:
            return self._end(Wait(self._situation.budget))
        return self._end(_stale(self._situation, self._home.place), Learned(self._home.place))

    def _lost(self) -> Decision:
        """The phone has moved, or was deleted: the search over all clusters opens."""
        name = self._situation.name
        reasons = (*self._reasons, f"{self._home.place} has the configuration of {name.device} no longer")
        asked = max(
            reply.at for ask, reply in self._replies.items() if ask.cluster == self._home.place
        )  # its last word opened the search
        return _Search(self._situation, self._replies, self._elapsed, reasons, asked).decision()

    def _silent(self, has: State) -> Decision:
        """The others are asked within the same budget: the phone may have moved meanwhile. `has`: whether
        the home has shown the configuration.
        """
        home, situation = self._home, self._situation
        self._say(f"{home.place} gives no answer: the others are asked whether the phone has moved")
        failed = [
            reply.at
            for ask, reply in self._replies.items()
            if ask.cluster == home.place and state(self._replies, ask) is State.SILENT
        ]
        asked = min([*failed, min(PATIENCE, situation.budget)]) if self._used else 0.0
        # One that was known to have it as well is no sign that the phone has moved.
        others = [name for name in situation.order if name not in (home.place, *home.duplicates)]
        forms = in_play(self._replies, others, situation.name.configurations)
        found = first(
            others,
            lambda cluster: configuration(self._replies, cluster, forms),
            asked,
            self._elapsed,
            situation.budget,
        )
        asks = [
            ask
            for other in others
            for ask in (Ask(other, situation.name.asked), *due(self._replies, other, forms))
        ]
        match found:
            case Wait():
                return self._end(found, asks=asks)
            case First(cluster, passed):
                return self._moved(cluster, passed, asks)
        pending = self._file is State.PENDING and home.place not in situation.stale
        # That it lacks the file is no answer without its word on the configuration, which is on its way.
        pending = pending or (self._file is State.NO and has is State.PENDING)
        if pending and self._elapsed < situation.budget:
            return self._end(Wait(situation.budget), asks=asks)
        verdict = _stale(situation, home.place)
        if isinstance(verdict, Unavailable):
            verdict = Unavailable((home.place, *(found.silent if isinstance(found, Nobody) else ())))
        return self._end(verdict, asks=asks)

    def _moved(self, cluster: str, passed: tuple[str, ...], asks: list[Ask]) -> Decision:
        situation = self._situation
        self._say(f"{cluster} has the configuration: it is the home until {self._home.place} is back")
        learned = Learned(cluster, searched=True, missed=(self._home.place, *passed))
        file = standing(self._replies, cluster, situation.name)
        asks = [*asks, *file.asks]
        match file.state:
            case State.YES:
                self._reasons += stripped(file, cluster, situation)
                return self._end(Take(cluster, stripped=file.stripped), learned, asks)
            case State.NO:
                self._say(f"{cluster} is the home and does not have the file")
                return self._end(NotFound(), learned, asks)
            case State.PENDING if self._elapsed < situation.budget:
                return self._end(Wait(situation.budget), asks=asks)
        return self._end(_stale(situation, cluster), learned, asks)

    def _say(self, reason: str) -> None:
        self._reasons += (reason,)

    def _end(
        self, verdict: Verdict, learned: Learned | None = None, asks: list[Ask] | None = None
    ) -> Decision:
        own: tuple[Ask, ...] = ()
        if self._used:
            evidence = () if self._needed is None else due(self._replies, self._home.place, self._forms)
            own = (*self._standing.asks, *evidence)
        all_asks = dict.fromkeys([*own, *(asks or [])])
        return Decision(verdict, tuple(all_asks), self._reasons, learned)


def stripped(file: Standing, cluster: str, situation: Situation) -> tuple[str, ...]:
    """The reason for taking the file out of its signed form, where that is what is done."""
    if not file.stripped:
        return ()
    return (f"{cluster} speaks TFTP only, and has {situation.name.envelope} alone: {STRIPPED}",)


def _stale(situation: Situation, cluster: str) -> Verdict:
    """What is left when the cluster whose file it is gives no answer."""
    age = situation.stale.get(cluster)
    return Unavailable((cluster,)) if age is None else Take(cluster, stale=age)
