"""The clusters with `inventory = yes`, asked for their lists now and then."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.event import Event

from appliance.cluster.answer import Found
from appliance.cluster.body import Broken
from appliance.cluster.fetch import Fetches
from appliance.cluster.inventory import NAME, SIZE_MAX, Inventory, devices
from appliance.config.model import Cluster, Configuration

EVERY = 600.0  # s
PATIENCE = 30.0  # s for one list
PIECE = 256 * 1024  # bytes
LINES = 500  # read before others have their turn


class Inventories:
    """One greenlet; `inventory` is what it has learned."""

    def __init__(
        self, configuration: Configuration, fetches: Fetches, fault: Callable[[Exception], None]
    ) -> None:
        self.inventory = Inventory()
        self._fetches = fetches
        self._fault = fault
        self._again = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Ask these clusters from now on, and at once."""
        self._clusters = [each for each in configuration.clusters if each.enabled and each.inventory]
        self.inventory.keep_only(cluster.name for cluster in self._clusters)
        self._again.set()

    def start(self) -> None:
        """Begin."""
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """End."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _run(self) -> None:
        while True:
            self._again.clear()
            for cluster in self._clusters:
                try:
                    self._ask(cluster)
                except Exception as error:  # noqa: BLE001  a mistake of ours must not end all asking
                    self._fault(error)
            self._again.wait(timeout=EVERY)

    def _ask(self, cluster: Cluster) -> None:
        """A list that does not come leaves the one that came before."""
        fetch = self._fetches.start(cluster, NAME)
        try:
            with gevent.Timeout(PATIENCE):
                fetch.answered.wait()
                if isinstance(fetch.answer, Found):
                    text = bytearray()
                    while len(text) < SIZE_MAX and (piece := fetch.body.read(len(text), PIECE)):
                        text += piece
                        gevent.sleep(0)
                    self.inventory.put(cluster.name, _read(bytes(text)))
        except (Broken, gevent.Timeout):
            pass
        finally:
            self._fetches.leave(fetch)


def _read(text: bytes) -> frozenset[str]:
    """The devices of a list, while others run as well: a large one takes a second."""
    found: set[str] = set()
    lines = text.splitlines()
    for start in range(0, len(lines), LINES):
        found |= devices(b"\n".join(lines[start : start + LINES]))
        gevent.sleep(0)
    return frozenset(found)
