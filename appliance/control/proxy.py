"""The running proxy, asked over its socket by native threads: it has its time, and the loop goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.control import client
from appliance.control.protocol import VerbError
from appliance.control.threads import Threads
from appliance.report.parts import join

TIMEOUT = 10.0  # s of silence of the proxy

ABSENT = "no proxy runs: it goes by this configuration when it starts"


class ProxyRefused(Exception):
    """The proxy does not go by the configuration. The text says why."""


class Proxy:
    """The proxy that listens below `run`, and has to read the file `in_force`."""

    def __init__(self, run: Path, in_force: Path) -> None:
        self._path = run / "proxy.sock"
        self._in_force = in_force
        self._threads = Threads(2)

    def look(self) -> dict[str, Any] | None:
        """Its status, None where none runs; `ProxyRefused` for one that reads another file, or is silent."""
        try:
            data: dict[str, Any] = self._threads.wait(_status, self._path)
        except client.Absent:
            return None
        except VerbError as error:
            raise ProxyRefused(f"the proxy: {error.text}") from None
        found = str(data.get("configuration"))
        if found != str(self._in_force):
            raise ProxyRefused(
                f"the proxy reads {found}, and not what is in force: start it with -c {self._in_force}"
            )
        return data

    def reload(self) -> tuple[str, ...]:
        """Have it go by the file in force. The settings that wait for its next start; `client.Absent` where
        none runs, `ProxyRefused`.
        """
        try:
            data = self._threads.wait(client.ask, self._path, "reload", None, TIMEOUT)
        except client.Absent:
            raise
        except VerbError as error:
            raise ProxyRefused(f"the proxy: {error.text}") from None
        if not data["in_force"]:
            raise ProxyRefused("the proxy refuses it: " + "; ".join(data["faults"]))
        return tuple(data["restart"])


def _status(path: Path) -> dict[str, Any]:
    with client.Connection(path, TIMEOUT) as connection:
        return join(connection.stream("status"))


def health(status: dict[str, Any]) -> Iterator[tuple[str, bool | None, str]]:
    """Each cluster's address, whether it answers (None: not asked yet), and why not."""
    for cluster in status["clusters"]:
        for address in cluster["addresses"] if cluster["enabled"] else ():
            why = address["out_of_use"] or cluster["out_of_use"] or address["last_failure"]
            answering = False if address["out_of_use"] or cluster["out_of_use"] else address["answering"]
            yield f"cluster {cluster['name']} {address['address']}", answering, "" if answering else why
