"""Tells when links or addresses of this machine change.

An rtnetlink socket is the doorbell (rtnetlink(7)): what it says is not read, but that it says something.
Rings that come together are one, and are followed by one look at everything. So a ring that is lost among
many costs nothing, and no thread waits in a library.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Generic, TypeVar

import gevent
from gevent.socket import wait_read

SETTLE = 0.05  # s from a ring to the look: changes seldom come alone
TRIES = 3  # looks that fail, until it is a fault
AGAIN = 1.0  # s from a fault to the next look
DRAIN_MAX = 10_000  # rings that are taken together

# <linux/rtnetlink.h>: link, IPv4 address, IPv6 address, and IPv6 switched on or off on a link.
GROUPS = 0x1 | 0x10 | 0x100 | 0x800

Seen = TypeVar("Seen")


class Monitor(Generic[Seen]):
    """Rings are kept from its making on; `start` begins to follow them."""

    def __init__(
        self,
        look: Callable[[], Seen],
        changed: Callable[[Seen], None],
        fault: Callable[[Exception], None],
    ) -> None:
        """`look` may wait, and `changed` takes what it saw; `fault` takes what goes wrong with either.

        `OSError` where there is no such socket.
        """
        self._look = look
        self._changed = changed
        self._fault = fault
        self._watching: gevent.Greenlet[..., None] | None = None
        self._wire = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        try:
            self._wire.bind((0, GROUPS))
        except OSError:
            self._wire.close()
            raise

    def look(self) -> Seen:
        """What there is now. It raises what the look raises, once that is no passing failure."""
        for _ in range(TRIES - 1):
            try:
                return self._look()
            except OSError:  # such as EINTR: it changed meanwhile
                gevent.sleep(SETTLE)
        return self._look()

    def start(self) -> None:
        """Look at each change from now on, and at those since the making."""
        self._watching = gevent.spawn(self._watch)

    def close(self) -> None:
        """End."""
        if self._watching is not None:
            self._watching.kill()
        self._wire.close()

    def _watch(self) -> None:
        while True:
            wait_read(self._wire.fileno())
            gevent.sleep(SETTLE)
            self._drain()  # before the look: what changes during it rings again
            while not self._tell():
                gevent.sleep(AGAIN)

    def _tell(self) -> bool:
        try:
            self._changed(self.look())
        except Exception as error:  # noqa: BLE001  a look that fails must not end the watching
            self._fault(error)
            return False
        return True

    def _drain(self) -> None:
        for _ in range(DRAIN_MAX):
            try:
                self._wire.recv(1)
            except BlockingIOError:
                return
            except OSError:
                continue  # more rings than it holds: there is a look anyway
