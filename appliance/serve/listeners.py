"""The listeners of a proxy: opened and closed as addresses come and go, each with its state for `status`."""

from __future__ import annotations

from itertools import count
from typing import Any, Protocol

import gevent

from appliance.config.model import Tftp
from appliance.network.state import State
from appliance.report.status import Listener
from appliance.serve import listening
from appliance.serve.listening import Door, Here
from appliance.serve.log import Log

AGAIN = 1.0  # s until what could not be opened is tried again: another program may have let go of the port


class Side(Protocol):
    """What has the sockets: the phones' side of this process, or all workers."""

    def open(self, number: int, door: Door, dscp: int) -> None:
        """Open a door, and know it by this number; `OSError`."""

    def shut(self, number: int) -> None:
        """Hear nothing more by it."""

    def settle(self, here: Here) -> None:
        """Go by these addresses."""


class Listeners:
    """All of them. Nothing here waits."""

    def __init__(self, side: Side, settings: Tftp, log: Log) -> None:
        self.rows: tuple[Listener, ...] = ()
        """How they stand, in the order of the configuration."""
        self._side = side
        self._settings = settings
        self._log = log
        self._numbers = count(1)
        self._open: dict[Door, tuple[int, int]] = {}  # its number, and that of the link it is bound to
        self._refused: dict[Door, str] = {}
        self._state: State | None = None
        self._again: Any = gevent.get_hub().loop.timer(AGAIN)

    @property
    def hopeless(self) -> str:
        """Why nothing can ever be heard, whatever addresses come; empty where something is or may be."""
        if self._open or any(door not in self._refused for door in listening.doors(self._settings)):
            return ""
        return "; ".join(f"{each.address} port {each.port}: {each.why}" for each in self.rows)

    def look(self, state: State) -> None:
        """Open and close what these addresses ask for."""
        self._state = state
        self._arrange(state)

    def configure(self, settings: Tftp) -> None:
        """Go by other settings; what is open and still wanted stays as it is."""
        self._settings = settings
        if self._state is not None:
            self._arrange(self._state)

    def close(self) -> None:
        """Look no more: whoever has the sockets closes them."""
        self._again.stop()
        self._again.close()
        self._state = None
        self.rows = tuple(
            Listener(each.transport, each.address, each.port, False, (), "closed: draining")
            for each in self.rows
        )

    def _arrange(self, state: State) -> None:
        chosen = self._settings.interfaces
        self._side.settle(listening.here(chosen, state))
        stands = {
            door: listening.stand(door.address, chosen, state) for door in listening.doors(self._settings)
        }
        for door, (number, ifindex) in list(self._open.items()):
            stand = stands.get(door)
            if stand is None or not stand.to_open or stand.ifindex != ifindex:
                del self._open[door]
                self._side.shut(number)
        self._refused.clear()
        for door, stand in stands.items():
            if stand.to_open and door not in self._open:
                self._try(door, stand.ifindex)
        self._show([self._row(door, stand) for door, stand in stands.items()])
        self._again.stop()
        if self._refused:
            self._again.start(self._try_again)

    def _try(self, door: Door, ifindex: int) -> None:
        number = next(self._numbers)
        try:
            self._side.open(number, door, self._settings.dscp)
        except OSError as fault:
            self._refused[door] = fault.strerror or "refused"
        else:
            self._open[door] = number, ifindex

    def _try_again(self) -> None:
        try:
            if self._state is not None:
                self._arrange(self._state)
        except Exception as error:  # noqa: BLE001  in the loop: nothing raises further
            self._log.fault(error)

    def _row(self, door: Door, stand: listening.Stand) -> Listener:
        where = door.transport, str(door.address), door.port
        if door in self._refused:
            return Listener(*where, False, (), self._refused[door])
        return Listener(*where, bool(stand.interfaces), stand.interfaces, stand.why)

    def _show(self, rows: list[Listener]) -> None:
        """Keep them, and log what has changed."""
        before = set(self.rows)
        for row in rows:
            if row not in before and (row.why or self.rows):
                self._log.event(
                    "listening" if row.listening else "listener absent",
                    transport=row.transport,
                    address=row.address,
                    port=row.port,
                    interfaces=", ".join(row.interfaces),
                    why=row.why,
                )
        self.rows = tuple(rows)
