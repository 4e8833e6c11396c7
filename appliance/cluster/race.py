"""The race of a cluster's addresses for one file: the first that gives an answer has won."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.queue import Empty, SimpleQueue

from appliance.cluster.answer import Failed
from appliance.cluster.clients import Clients, Outcome
from appliance.cluster.health import Upstream
from appliance.cluster.upstream import Recalled, Waiting
from appliance.config.model import Cluster

STAGGER = 0.3
"""s of silence after which the next address is asked too; the earlier one may still answer."""


class _Overtaken(gevent.GreenletExit):
    """Another address has answered meanwhile."""


class Race:
    """One round over the addresses, in the order of preference.

    Whoever runs it asks the first address itself, as most often that is all; when it is silent, others
    ask the next ones beside it. `surplus` is called when the winner sends more than it announced;
    `recalled` is as in `Clients.ask`.
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
        self._count = len(self._left)
        self._faults: list[str] = []
        self._outcome: Outcome | None = None
        self._asking: Any = None  # the greenlet that runs this, while it asks
        self._others: gevent.Greenlet[..., None] | None = None  # what asks beside it
        self._running: list[gevent.Greenlet[..., None]] = []
        self._results: SimpleQueue[Outcome] = SimpleQueue()

    def run(self) -> Outcome:
        """The first answer; `Failed` when every address has failed, with what each said."""
        try:
            while self._left and self._outcome is None and self._others is None:
                self._ask_first(self._left.popleft())
            if self._others is not None and self._outcome is None:
                self._others.join()
            return self._outcome or (Failed("; ".join(self._faults) or "no address in use"), None)
        finally:
            self._end()

    def _ask_first(self, upstream: Upstream) -> None:
        """Ask one address, and start what asks the others when it is silent."""
        waiting = Waiting(until=self._until, surplus=self._surplus)
        timer = _Timer(waiting, self._begin_others) if self._left else None
        self._asking = gevent.getcurrent()
        try:
            outcome = self._ask(upstream, waiting)
        except _Overtaken:
            return
        finally:
            self._asking = None
            if timer is not None:
                timer.close()
        if self._others is not None:
            self._results.put(outcome)
        else:
            self._take(outcome)

    def _begin_others(self) -> None:
        self._others = gevent.spawn(self._ask_others)

    def _ask_others(self) -> None:
        """In a greenlet of its own: ask one address after the other, until there is an answer."""
        waiting: Waiting | None = None  # of the address that was asked last; None when one has failed since
        while self._outcome is None and len(self._faults) < self._count:
            rest = _rest(waiting) if self._left else None
            if rest is not None and rest <= 0 and self._results.empty():
                waiting = Waiting(until=self._until, surplus=self._surplus)
                asking = gevent.spawn(self._ask_beside, self._left.popleft(), waiting)
                self._running.append(asking)
                continue
            try:
                outcome = self._results.get(timeout=None if rest is None else max(rest, 0.0))
            except Empty:
                continue
            if not self._take(outcome):
                waiting = None
        # By now it may have its answer as well: that is seen when the loop comes to it.
        gevent.get_hub().loop.run_callback(self._overtake)

    def _ask_beside(self, upstream: Upstream, waiting: Waiting) -> None:
        outcome = self._ask(upstream, waiting)
        if self._outcome is None:
            self._results.put(outcome)
        elif outcome[1] is not None:
            # Another address was faster, and the order to stop has not arrived here yet.
            outcome[1].close()

    def _ask(self, upstream: Upstream, waiting: Waiting) -> Outcome:
        try:
            return self._clients.ask(upstream, self._name, waiting, self._recalled)
        except Exception as error:  # noqa: BLE001  a mistake of ours is no answer, and must not look like waiting
            self._clients.fault(error)
            return Failed(f"{upstream.address}: a fault of ours, see the log"), None

    def _take(self, outcome: Outcome) -> bool:
        """Whether that was an answer."""
        answer = outcome[0]
        if isinstance(answer, Failed):
            self._faults.append(answer.why)
            return False
        self._outcome = outcome
        return True

    def _overtake(self) -> None:
        """In the loop: who asks the first address need not wait for it any longer."""
        if self._asking is not None:
            self._asking.throw(_Overtaken)

    def _end(self) -> None:
        if self._others is None:
            return
        if self._outcome is None:
            self._outcome = Failed("ended"), None  # nobody takes what comes from now on
        gevent.killall([self._others, *self._running], block=False)
        while not self._results.empty():
            late = self._results.get()[1]
            if late is not None:
                late.close()


class _Timer:
    """Calls `silent` once, in the loop, when a request has met silence for so long that the next address is
    to be asked.
    """

    def __init__(self, waiting: Waiting, silent: Callable[[], None]) -> None:
        self._waiting = waiting
        self._silent = silent
        self._timer: Any = None
        self._start(STAGGER)

    def close(self) -> None:
        """Call it no more."""
        self._timer.stop()
        self._timer.close()

    def _start(self, seconds: float) -> None:
        self._timer = gevent.get_hub().loop.timer(seconds)
        self._timer.start(self._look)

    def _look(self) -> None:
        rest = _rest(self._waiting)
        if rest <= 0:
            self._silent()
        else:
            self.close()
            self._start(rest)


def _rest(waiting: Waiting | None) -> float:
    """s until the next address is to be asked: time in a queue, and "busy", are no silence."""
    if waiting is None:
        return 0.0
    if waiting.since is None:
        return STAGGER  # look again then; a silence that begins meanwhile does not end before
    return waiting.since + STAGGER - time.monotonic()
