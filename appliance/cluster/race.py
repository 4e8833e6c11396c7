"""The race of a cluster's addresses for one file: the first that gives an answer has won."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import gevent
from gevent.queue import Empty, SimpleQueue

from appliance.cluster.answer import Failed
from appliance.cluster.clients import Clients, Outcome
from appliance.cluster.health import Upstream
from appliance.cluster.upstream import Recalled, Waiting
from appliance.config.model import Cluster

STAGGER = 0.3
"""s of silence after which the next address is asked too; the earlier one may still answer."""


class Race:
    """One round over the addresses, in the order of preference.

    `surplus` is called when the winner sends more than it announced; `recalled` is as in `Clients.ask`.
    """

    def __init__(
        self,
        clients: Clients,
        cluster: Cluster,
        name: str,
        surplus: Callable[[], None],
        recalled: Recalled | None = None,
    ) -> None:
        self._clients = clients
        self._name = name
        self._surplus = surplus
        self._recalled = recalled
        self._until = time.monotonic() + clients.budget
        self._left = deque(clients.upstreams(cluster))
        self._running: list[gevent.Greenlet[..., None]] = []
        self._results: SimpleQueue[Outcome] = SimpleQueue()
        self._decided = False

    def run(self) -> Outcome:
        """The first answer; `Failed` when every address has failed, with what each said."""
        faults: list[str] = []
        count = len(self._left)
        waiting: Waiting | None = None  # of the address that was asked last; None when one has failed since
        try:
            while len(faults) < count:
                rest = _rest(waiting) if self._left else None
                if rest is not None and rest <= 0:
                    waiting = self._start(self._left.popleft())
                    continue
                try:
                    answer, opened = self._results.get(timeout=rest)
                except Empty:
                    continue
                if not isinstance(answer, Failed):
                    return answer, opened
                faults.append(answer.why)
                waiting = None
            return Failed("; ".join(faults) or "no address in use"), None
        finally:
            self._end()

    def _start(self, upstream: Upstream) -> Waiting:
        waiting = Waiting(until=self._until, surplus=self._surplus)
        self._running.append(gevent.spawn(self._ask, upstream, waiting))
        return waiting

    def _ask(self, upstream: Upstream, waiting: Waiting) -> None:
        outcome: Outcome
        try:
            outcome = self._clients.ask(upstream, self._name, waiting, self._recalled)
        except Exception as error:  # noqa: BLE001  a mistake of ours is no answer, and must not look like waiting
            self._clients.fault(error)
            outcome = Failed(f"{upstream.address}: a fault of ours, see the log"), None
        if not self._decided:
            self._results.put(outcome)
        elif outcome[1] is not None:
            # Another address was faster, and the order to stop has not arrived here yet.
            outcome[1].close()

    def _end(self) -> None:
        self._decided = True
        gevent.killall(self._running, block=False)
        while not self._results.empty():
            late = self._results.get()[1]
            if late is not None:
                late.close()


def _rest(waiting: Waiting | None) -> float:
    """s until the next address is to be asked: time in a queue, and "busy", are no silence."""
    if waiting is None:
        return 0.0
    if waiting.since is None:
        return STAGGER  # look again then; a silence that begins meanwhile does not end before
    return waiting.since + STAGGER - time.monotonic()
