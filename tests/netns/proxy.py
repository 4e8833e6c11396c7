"""The product itself in a host: its configuration as text, its start, and its status."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.netns.lab import Host
from tests.netns.process import Process

BUDGET = 3.0
"""[lookup] budget (s): after it, a phone has its answer whatever the clusters do."""

Settings = Mapping[str, Mapping[str, object]]
Start = Callable[[Sequence["Cluster"], Settings], "Proxy"]
"""Starts a proxy with these clusters and settings in the place of the one before."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One [[cluster]] of the configuration; `settings` are its other keys."""

    name: str
    addresses: tuple[str, ...]
    protocol: str = "auto"
    settings: Mapping[str, object] = field(default_factory=dict)


class Proxy:
    """A running proxy; `store` is the folder of its local files."""

    def __init__(
        self,
        host: Host,
        clusters: Sequence[Cluster] = (),
        settings: Settings | None = None,
        module: str = "appliance",
    ) -> None:
        """Start it in `host` and wait until it answers. `settings`: section -> key -> value. `module` is what
        Python runs.
        """
        self.host = host
        self.folder = host.lab.scratch("proxy")
        self.store = self.folder / "data/tftp"
        self._run = self.folder / "run"
        for each in (self.folder, self.folder / "data", self.store, self._run):
            each.mkdir()
            each.chmod(0o777)  # it gives up root once its ports are bound
        configuration = self.folder / "appliance.conf"
        configuration.write_text(_text(self.folder, clusters, settings or {}))
        argv = [sys.executable, "-m", module, "proxy", "-c", str(configuration)]
        self.process: Process = host.start(argv, self._answers, name="proxy", timeout=20.0)

    def ask(self, verb: str, **args: object) -> Any:
        """One question over the proxy's own socket; its data, or AssertionError with its error."""
        return next(self.stream(verb, **args))

    def stream(self, verb: str, **args: object) -> Iterator[Any]:
        """As `ask`, of a verb that answers with a stream."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(self._run / "proxy.sock"))
            sock.sendall(json.dumps({"v": 1, "id": 1, "verb": verb, "args": args}).encode() + b"\n")
            with sock.makefile("rb") as lines:
                while not (answer := json.loads(lines.readline())).get("end"):
                    assert "data" in answer, answer
                    yield answer["data"]

    def stop(self) -> None:
        """End it, politely first."""
        self.process.stop()

    def _answers(self) -> bool:
        try:
            self.ask("status")
        except (OSError, json.JSONDecodeError):
            return False
        return True


def _text(folder: Path, clusters: Sequence[Cluster], settings: Settings) -> str:
    sections: dict[str, dict[str, object]] = {"paths": {"data": folder / "data", "run": folder / "run"}}
    sections["lookup"] = {"budget": BUDGET}
    for section, keys in settings.items():
        sections.setdefault(section, {}).update(keys)
    lines = ["version = 1"]
    for section, keys in sections.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
    lines.append("[clusters]")
    for cluster in clusters:
        addresses = ", ".join(cluster.addresses)
        lines += [f"[[{cluster.name}]]", f"addresses = {addresses}", f"protocol = {cluster.protocol}"]
        lines += [f"{key} = {value}" for key, value in cluster.settings.items()]
    return "\n".join([*lines, ""])
