"""What to do with a request: a pure function of all that is known, fed with the answers as they come.

The shell (`search`) puts the questions that a decision names, and decides again with each answer; so
does `explain`, with answers made up. The rules are those of the design, "What happens to a request".
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.cluster import device
from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.device import STRIPPED, unfit
from appliance.cluster.names import Kind, Name
from appliance.cluster.precedence import PATIENCE, First, Nobody, first
from appliance.cluster.situation import Replies, Reply, Situation, State, standing, state
from appliance.cluster.verdict import Ask, Decision, NotFound, Take, Unavailable, Verdict, Wait
from appliance.config.model import CommonFiles, Policy, Protocol


def decide(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    """What to do `elapsed` seconds after the request came, with these replies."""
    if situation.name.inventory:
        return Decision(NotFound(), (), ("the list of files is not for strangers",))
    decision, local = _decide(situation, replies, elapsed), situation.local
    if local.unfit:
        reason = unfit(local.name, situation.name, local.unfit)
        return decision._replace(reasons=(reason, *decision.reasons))
    if local.stripped and decision.verdict == Take(local.name):
        reason = f"{local.name} has {situation.name.envelope} alone: {STRIPPED}"
        return decision._replace(reasons=(*decision.reasons, reason))
    return decision


def _decide(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    if situation.alone:
        return _alone(situation)
    match situation.name.kind:
        case Kind.DEVICE:
            return device.decide(situation, replies, elapsed)
        case Kind.DEFAULT:
            return _default(situation, replies, elapsed)
        case Kind.TRUST_LIST:
            return _trust_list(situation, replies, elapsed)
        case Kind.IMAGE:
            return _image(situation, replies, elapsed)
        case _:
            return _common(situation, replies, elapsed)


def _alone(situation: Situation) -> Decision:
    """What has been round is answered from the store; what phones take for good, by its rules as well."""
    reason = f"{situation.alone}: the local store alone answers"
    kind, policy = situation.name.kind, situation.autoregistration.policy
    if kind is Kind.TRUST_LIST or (kind is Kind.DEFAULT and policy is not Policy.LOCAL):
        return Decision(NotFound(), (), (reason, f"and gives no {kind.value} to such"))
    if kind is Kind.DEVICE and situation.local.configuration:
        return device.at_store(situation, reason)
    return _local_alone(situation, reason)


def foresee(situation: Situation, said: type[Found] | type[Missing] | type[Failed]) -> Decision:
    """How the request would end if all that is asked gave this answer at once."""
    answer: Answer
    if said is Found:
        answer = Found(None, "", "")
    elif said is Missing:
        answer = Missing("", "")
    else:
        answer = Failed("")
    return _foreseen(situation, lambda ask: answer)


def foresee_signed(situation: Situation) -> Decision:
    """The same, if all speak TFTP only and have signed files alone."""

    def answer(ask: Ask) -> Answer:
        if ask.asked.lower().endswith(".sgn"):
            return Found(None, "", Protocol.TFTP)
        return Missing("", Protocol.TFTP)

    return _foreseen(situation, answer)


def _foreseen(situation: Situation, answer: Callable[[Ask], Answer]) -> Decision:
    replies: dict[Ask, Reply] = {}
    while True:
        decision = decide(situation, replies, 0)
        unanswered = [ask for ask in decision.asks if ask not in replies]
        if not unanswered:
            return decision
        replies |= {ask: Reply(answer(ask), 0) for ask in unanswered}


def store_decides(name: Name, found: bool, clusters: bool, common_files: CommonFiles) -> bool:
    """Whether every client gets the local store's file, or is told that there is none where the store has
    not `found` one, whatever is known of the client. `clusters`: there are such that are enabled.
    """
    if name.inventory or name.probe:
        return False
    match name.kind:
        case Kind.IMAGE:
            return found or not clusters
        case Kind.COMMON:
            return not clusters or (found and common_files is CommonFiles.LOCAL)
    return False


def _local_alone(situation: Situation, *reasons: str) -> Decision:
    local = situation.local
    if local.file:
        return Decision(Take(local.name), (), reasons)
    if local.fault:
        return Decision(Unavailable((local.name,)), (), reasons)
    return Decision(NotFound(), (), (*reasons, f"{local.name} does not have it"))


def _common(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    """With a known home its answer is final: another cluster's file carries a signature that the phone
    rejects (phones.md 1.5).
    """
    local, common = situation.local, situation.common
    if situation.common_files is CommonFiles.LOCAL and local.file:
        return Decision(Take(local.name), (), (f"{local.name} comes first for common files",))
    if common is None or common.place is None:
        known = () if common is None else (common.why,)
        return _without_home(situation, replies, elapsed, known)
    if common.place == local.name:
        return _local_alone(situation, common.why, f"home is {local.name}")
    if common.place in situation.unused:
        return _out_of_use(situation, common.place, common.why)
    if common.place not in situation.order:
        reasons = (common.why, f"{common.place} is not in use")
        return _without_home(situation, replies, elapsed, reasons)
    decision = _only(situation, common.place, replies, elapsed, common.why, f"home is {common.place}")
    if decision.verdict == NotFound() and situation.common_files is CommonFiles.HOME_LOCAL and local.file:
        told = (*decision.reasons, f"{local.name} stands in for it")
        return Decision(Take(local.name), decision.asks, told)
    return decision


def _without_home(
    situation: Situation, replies: Replies, elapsed: float, reasons: tuple[str, ...]
) -> Decision:
    """Nobody's phone as far as is known: local, its network's cluster, then the others in order."""
    local, network = situation.local, situation.network
    if local.file:
        return Decision(Take(local.name), (), (*reasons, f"{local.name} has it"))
    order = situation.order
    if network in order:
        order = (network, *(name for name in order if name != network))
        reasons = (*reasons, f"its network is that of {network}")
    return _in_order(situation, order, replies, elapsed, reasons)


def _image(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    """Local, home, clusters in order: firmware is the same file wherever it comes from."""
    local = situation.local
    if local.file:
        return Decision(Take(local.name), (), (f"{local.name} has it",))
    home = situation.common.place if situation.common is not None else None
    if home not in situation.order:
        return _in_order(situation, situation.order, replies, elapsed, ())
    ask = Ask(home, situation.name.asked)
    reason = f"home is {home}"
    patience = min(PATIENCE, situation.budget)
    match state(replies, ask):
        case State.YES:
            return Decision(Take(home), (ask,), (reason,))
        case State.PENDING if elapsed < patience:
            return Decision(Wait(patience), (ask,), (reason,))
        case State.PENDING:
            opened, reason = patience, f"home is {home}, which has not answered: the others are asked"
        case _:
            opened, reason = replies[ask].at, f"home is {home}, which does not give it: the others are asked"
    order = (home, *(name for name in situation.order if name != home))
    return _in_order(situation, order, replies, elapsed, (reason,), opened)


def _default(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    """Never by accident: a phone that takes a default file registers with whoever gave it."""
    guarded = _guarded(situation)
    if guarded is not None:
        return guarded
    policy = situation.autoregistration
    match policy.policy:
        case Policy.LOCAL:
            return _local_alone(situation, "policy = local")
        case Policy.CLUSTER if policy.cluster is not None:
            return _by_policy(situation, policy.cluster, replies, elapsed, f"policy = {policy.cluster}")
        case Policy.NETWORK if situation.network == situation.local.name:
            return _local_alone(situation, f"policy = network, and the network is {situation.network}'s")
        case Policy.NETWORK if situation.network is not None:
            reason = f"policy = network, and the network is {situation.network}'s"
            return _by_policy(situation, situation.network, replies, elapsed, reason)
        case Policy.NETWORK:
            reason = "policy = network, and no cluster is named for the client's network"
            return Decision(NotFound(), (), (reason,))
    return Decision(NotFound(), (), ("policy = none: no default file is given to anybody",))


def _trust_list(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    """From the home. A phone without any trust list believes the first it gets, so never by a guess."""
    common, local = situation.common, situation.local
    if common is not None and common.shared:
        return Decision(NotFound(), (), (common.why, "which device asks cannot be known: no trust list"))
    if situation.stranger:
        return _by_policy_alone(situation, replies, elapsed)
    if common is not None and common.place == local.name:
        return _local_alone(situation, common.why, f"home is {local.name}")
    if common is not None and common.place in situation.unused:
        return _out_of_use(situation, common.place, common.why)
    if common is not None and common.place in situation.order:
        reasons = (common.why, f"home is {common.place}")
        return _only(situation, common.place, replies, elapsed, *reasons)
    return _by_policy_alone(situation, replies, elapsed)


def _by_policy_alone(situation: Situation, replies: Replies, elapsed: float) -> Decision:
    """A trust list as if it were a default file, but never the store's own."""
    local = situation.local
    own = situation.autoregistration.policy is Policy.LOCAL or (
        situation.autoregistration.policy is Policy.NETWORK and situation.network == local.name
    )
    if own:
        reason = f"the trust list of {local.name} is for its own devices alone"
        return _guarded(situation) or Decision(NotFound(), (), (reason,))
    return _default(situation, replies, elapsed)


def _out_of_use(situation: Situation, cluster: str, why: str) -> Decision:
    """The home cannot be asked: its copy, or nothing; never another cluster's file."""
    age = situation.stale.get(cluster)
    verdict: Verdict = Unavailable((cluster,)) if age is None else Take(cluster, stale=age)
    return Decision(verdict, (), (why, f"{cluster} is out of use"))


def _guarded(situation: Situation) -> Decision | None:
    """A phone that has a home, or of which nobody could say, must not be taken over by another."""
    if situation.homed:
        return Decision(Unavailable((), f"the client is {situation.homed}, which has a home"))
    if situation.incomplete:
        why = "the last search for the client's device had no answer from some cluster"
        return Decision(Unavailable((), why))
    return None


def _by_policy(situation: Situation, cluster: str, replies: Replies, elapsed: float, reason: str) -> Decision:
    if cluster not in situation.order:
        return Decision(Unavailable((cluster,)), (), (reason, f"{cluster} is not in use"))
    return _only(situation, cluster, replies, elapsed, reason)


def _only(situation: Situation, cluster: str, replies: Replies, elapsed: float, *reasons: str) -> Decision:
    """One cluster's answer is final; while it is silent, the copy that may be served."""
    file = standing(replies, cluster, situation.name)
    age = situation.stale.get(cluster)
    until = situation.budget if age is None else min(PATIENCE, situation.budget)
    verdict: Verdict
    match file.state:
        case State.YES:
            verdict = Take(cluster, stripped=file.stripped)
            reasons += device.stripped(file, cluster, situation)
        case State.NO:
            verdict = NotFound()
        case State.PENDING if elapsed < until:
            verdict = Wait(until)
        case _:
            verdict = Unavailable((cluster,)) if age is None else Take(cluster, stale=age)
    return Decision(verdict, file.asks, reasons)


def _in_order(
    situation: Situation,
    order: tuple[str, ...],
    replies: Replies,
    elapsed: float,
    reasons: tuple[str, ...],
    asked: float = 0,
) -> Decision:
    """The first of several clusters that has the file."""
    local = situation.local
    if situation.missing is not None:
        reason = f"remembered for {situation.missing:.0f} s more: no cluster has it"
        verdict: Verdict = Unavailable((local.name,)) if local.fault else NotFound()
        return Decision(verdict, (), (*reasons, reason))
    if not order:
        return _local_alone(situation, *reasons, "no cluster is in use")
    asks = tuple(Ask(cluster, situation.name.asked) for cluster in order)
    reasons = (*reasons, f"asked at once: {', '.join(order)}")
    found = first(
        order,
        lambda cluster: state(replies, Ask(cluster, situation.name.asked)),
        asked,
        elapsed,
        situation.budget,
    )
    match found:
        case Wait():
            verdict = found
        case First(cluster, passed):
            if passed:
                reasons = (*reasons, f"passed over without an answer: {', '.join(passed)}")
            reasons = (*reasons, f"{cluster}: the first in order that has it")
            verdict = Take(cluster)
        case Nobody(()):
            verdict = Unavailable((local.name,)) if local.fault else NotFound(remember=True)
        case Nobody(silent):
            copies = [name for name in order if situation.name.kind is Kind.IMAGE and name in situation.stale]
            verdict = Take(copies[0], situation.stale[copies[0]]) if copies else Unavailable(silent)
    return Decision(verdict, asks, reasons)
