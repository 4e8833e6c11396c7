"""Names that are made up to see whether a cluster asks us back, and what their coming back means: pure.

A box asks each cluster for a name that nobody has. Where the cluster is a box like this one, or another
proxy, it passes the question on; if the name then arrives here, asking that cluster leads back to us.
Each of its addresses is asked for a name of its own: one may lead back and the others not.

What is detected: every circle of which this box is part, of two boxes that name each other, of any number
in a ring, over HTTP and TFTP, behind address translation, and a cluster that is this box itself by an
address that it does not know as its own. A call manager that is a proxy passes the name on as well, though
it may say "busy" before it does: a probe has some seconds to come back. Not detected is what passes nothing
on: it makes no circle. A circle of others is theirs to find, even if this box looks into it.

A probe of another box is passed on to all clusters, in spite of any `Via` and of who asks, and even to
addresses that loop: would two boxes that name each other stop passing probes on, each would find the other
healed, use it, and be found looping again, by turns. It is passed on once only, whoever it comes from, so
that a ring of others carries no name round for ever.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

from appliance.config.model import IPAddress

_NAME = re.compile(r"(?:.*/)?appliance-probe-([0-9a-f]{32})\.txt", re.IGNORECASE | re.DOTALL)

HELD = 60.0  # s for which a name is known
OUT_MAX = 4_096  # own names
SEEN_MAX = 16_384  # names of others
SETTLE = 5.0  # s in which a probe comes back, if it does
CLEAN = 2
"""Probes in a row that are answered and do not come back, after which an address loops no longer."""

Endpoint = tuple[str, IPAddress]
"""A cluster's name and one of its addresses."""


class Arrival(Enum):
    """What to do with a probe that arrives here."""

    OURS = "it is one of this box"
    FORWARD = "it is another box's, and passed on"
    SEEN = "it is another box's, and was here before"


@dataclass(slots=True)
class _Out:
    endpoint: Endpoint | None  # None where that is gone
    at: float
    returned: bool = False


@dataclass(slots=True)
class Looping:
    """An address that leads back to this box: since when, over which transport the probe came back, and
    whether it came `direct`, as no other box has passed it on.
    """

    since: float
    over: str
    direct: bool
    clean: int = 0


def is_probe(path: str) -> bool:
    """Whether a name is a probe's, of this box or another."""
    return _NAME.fullmatch(path) is not None


class Probes:
    """The probes that are under way, and what they showed.

    Times in seconds of a clock that never goes back. `settle`: s in which a probe comes back, if it does.
    """

    def __init__(self, settle: float = SETTLE) -> None:
        self._settle = settle
        self._out: OrderedDict[str, _Out] = OrderedDict()  # by token
        # The token of the last probe that was answered, while that is not judged. One that is not answered
        # shows nothing, and an address that is down gets many.
        self._last: dict[Endpoint, str] = {}
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._looping: dict[Endpoint, Looping] = {}

    def issue(self, endpoint: Endpoint, token: str, now: float) -> str:
        """The name of a new probe of an address; `token` is 32 random hex digits."""
        self._judge(endpoint, now)
        self._out[token] = _Out(endpoint, now)
        while self._out and (len(self._out) > OUT_MAX or now - next(iter(self._out.values())).at > HELD):
            self._out.popitem(last=False)
        return f"appliance-probe-{token}.txt"

    def answered(self, name: str) -> None:
        """This probe was answered, be it with "no such file"."""
        match = _NAME.fullmatch(name)
        out = self._out.get(match[1].lower()) if match else None
        if match is not None and out is not None and out.endpoint is not None:
            self._last[out.endpoint] = match[1].lower()

    def arrived(
        self, path: str, over: str, now: float, direct: bool = False
    ) -> tuple[Arrival, Endpoint | None]:
        """A probe has arrived `over` a transport; with the address that is now known to loop, if any.
        `direct` see `Looping`.
        """
        match = _NAME.fullmatch(path)
        assert match is not None
        token = match[1].lower()
        out = self._out.get(token)
        if out is not None:
            out.returned = True
            if out.endpoint is None:
                return Arrival.OURS, None
            new = out.endpoint not in self._looping
            looping = self._looping.setdefault(out.endpoint, Looping(now, over, direct))
            looping.clean = 0
            return Arrival.OURS, out.endpoint if new else None
        known = self._seen.get(token)
        if known is not None and now - known <= HELD:
            return Arrival.SEEN, None
        self._seen[token] = now
        self._seen.move_to_end(token)
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return Arrival.FORWARD, None

    def looping(self, endpoint: Endpoint) -> Looping | None:
        """Whether an address is known to lead back here."""
        return self._looping.get(endpoint)

    def drop(self, endpoint: Endpoint) -> None:
        """It is gone, or is another's or our own by now."""
        self._looping.pop(endpoint, None)
        self._last.pop(endpoint, None)
        for out in self._out.values():
            if out.endpoint == endpoint:
                out.endpoint = None  # what comes back of it says nothing of a new one by this name

    def _judge(self, endpoint: Endpoint, now: float) -> None:
        """What the last probe has shown, once it had its time to come back."""
        last = self._out.get(self._last.get(endpoint, ""))
        if last is None or now - last.at < self._settle:
            return
        del self._last[endpoint]
        looping = self._looping.get(endpoint)
        if looping is None or last.returned:
            return
        looping.clean += 1
        if looping.clean >= CLEAN:
            del self._looping[endpoint]
