"""All that a decision goes by, gathered before any cluster is asked: values, and questions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.homes import CommonHome, Home
from appliance.cluster.names import Name
from appliance.cluster.verdict import Ask
from appliance.config.model import Autoregistration, CommonFiles, Policy, Protocol

NO_AUTOREGISTRATION = Autoregistration(Policy.NONE, None)


@dataclass(slots=True)  # as for Situation
class Local:
    """What the local store says. `file`: it has the file that was asked for; `stripped`: it has it inside
    of its signed form alone; `unfit`: it has what bears the name of that, and why nothing can be taken out.
    `configuration`: it has the device's configuration; `own_list`: it has this box's own trust list that is
    `Name.own_list`; `fault`: why it cannot be read, empty where it can.
    """

    name: str
    file: bool = False
    configuration: bool = False
    fault: str = ""
    stripped: bool = False
    unfit: str = ""
    own_list: bool = False


@dataclass(slots=True)  # not frozen, and so made in a third of the time: every request makes one
class Situation:
    """One request before anybody is asked.

    `order`: the clusters in use, in configured order. `budget` in seconds. `home` is the device's, and
    `confirmed` whether it has shown the configuration since the device's boot began. `common` is the home
    by the client's address. `network`: the cluster of the client's network. `homed`: a device with a home
    that the client's address names. `incomplete`: the last search for a device of this address got no
    answer from some cluster. `stale`: age in seconds of the copies of this very file that may be served,
    by cluster. `silent`: clusters that are known not to answer; `unused`: those that are not asked, as they
    are this box itself or lead back to it. `stranger`: the device that the client's address named last has
    no home. `generation` numbers the configuration that all this goes by. `missing`: seconds for which it
    stays remembered that no cluster has it. `alone`: why the local store alone answers, empty where it does
    not.
    """

    name: Name
    local: Local
    order: tuple[str, ...]
    budget: float
    home: Home | None = None
    confirmed: bool = False
    common: CommonHome | None = None
    network: str | None = None
    homed: str = ""
    incomplete: bool = False
    stale: Mapping[str, float] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    stranger: bool = False
    generation: int = 0
    missing: float | None = None
    alone: str = ""
    common_files: CommonFiles = CommonFiles.HOME
    autoregistration: Autoregistration = NO_AUTOREGISTRATION


class Reply(NamedTuple):
    """An answer, and when it came: seconds since the decision began."""

    answer: Answer
    at: float


Replies = Mapping[Ask, Reply]


class State(Enum):
    """How a cluster stands to a question."""

    PENDING = "has not answered yet"
    YES = "has it"
    NO = "does not have it"
    SILENT = "gave no answer to go by"


def state(replies: Replies, ask: Ask) -> State:
    """How the cluster stands to one question."""
    reply = replies.get(ask)
    match reply.answer if reply is not None else None:
        case Found():
            return State.YES
        case Missing():
            return State.NO
        case Failed():
            return State.SILENT
    return State.PENDING


class Standing(NamedTuple):
    """How a cluster stands to the file itself: by its answers to `asks`, the last of which came at `at`.

    `stripped`: it has it inside of its signed form alone.
    """

    state: State
    asks: tuple[Ask, ...]
    at: float = 0.0
    stripped: bool = False


def standing(replies: Replies, cluster: str, name: Name) -> Standing:
    """How a cluster stands to the file itself, as its home.

    One that has answered over TFTP that it lacks `X` is asked for `X.sgn`: what speaks HTTP is a call
    manager, which has both or none; what speaks TFTP alone may be a mere folder of files.
    """
    plain = Ask(cluster, name.asked)
    reply = replies.get(plain)
    if reply is None:
        return Standing(State.PENDING, (plain,))
    match reply.answer:
        case Missing(protocol=Protocol.TFTP) if name.envelope is not None:
            signed = Ask(cluster, name.envelope)
            said = state(replies, signed)
            at = max(reply.at, replies.get(signed, reply).at)
            return Standing(said, (plain, signed), at, said is State.YES)
    return Standing(state(replies, plain), (plain,), reply.at)


def in_play(replies: Replies, order: Sequence[str], forms: tuple[str, ...]) -> tuple[str, ...]:
    """The forms of a configuration that are asked for by now: a further one only when nobody has those
    before, as a cluster has all of them or none.
    """
    asked = list(order)
    for count, form in enumerate(forms, 1):
        states = {state(replies, Ask(cluster, form)) for cluster in asked}
        if State.NO not in states or State.YES in states or State.PENDING in states:
            return forms[:count]
        # One that fails is asked for no further form, and holds up nobody.
        asked = [cluster for cluster in asked if state(replies, Ask(cluster, form)) is State.NO]
    return forms


def configuration(replies: Replies, cluster: str, forms: tuple[str, ...]) -> State:
    """Whether a cluster has a device's configuration, in any of its `forms` that are in play."""
    for form in forms:
        standing = state(replies, Ask(cluster, form))
        if standing is not State.NO:
            return standing
    return State.NO


def due(replies: Replies, cluster: str, forms: tuple[str, ...]) -> tuple[Ask, ...]:
    """The questions after the configuration that are to be put to a cluster, by its `forms` in play."""
    asks = []
    for form in forms:
        asks.append(Ask(cluster, form))
        if state(replies, asks[-1]) is not State.NO:
            break
    return tuple(asks)
