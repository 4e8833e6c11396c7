"""A cluster of the lab: a call manager's file server in a host of its own, its files, what it was asked."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.netns.cucm_files import content
from tests.netns.cucm_served import Fault
from tests.netns.lab import Host

BOTH = frozenset({"http", "tftp"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: by which protocol, for what, with which `Via`, on which connection, and when (s)."""

    over: str
    name: str
    via: str
    connection: int
    at: float


class Cucm:
    """A running server; `place` is the name of the cluster, which its files carry."""

    def __init__(self, host: Host, place: str, speaks: frozenset[str] = BOTH) -> None:
        self.host = host
        self.place = place
        self.root = host.lab.scratch(f"cucm-{place}")
        self.root.mkdir()
        self.root.chmod(0o755)  # servers of other people, too, may serve it
        self._control = host.lab.scratch("sock")
        argv = [sys.executable, "-m", "tests.netns.cucm_server", "--address", host.ipv4]
        argv += ["--root", str(self.root), "--control", str(self._control)]
        argv += [f"--{each}" for each in sorted(speaks)]
        self.process = host.start(argv, "listening", name=f"cluster {place}")

    def stop(self) -> None:
        """End it."""
        self.process.stop()

    def write(self, *names: str) -> None:
        """Have these files; their bytes follow from the cluster and their name."""
        for name in names:
            put(self.root, name, content(self.place, name))

    def remove(self, *names: str) -> None:
        """Have these files no more."""
        for name in names:
            (self.root / name).unlink()

    def fault(self, name: str, kind: Fault | None) -> None:
        """Serve a file badly from now on; None ends it."""
        self._tell({"fault": name, "kind": kind})

    def busy(self, seconds: float) -> None:
        """Say 503 for so long from the first request for each file on; 0 ends it."""
        self._tell({"busy": seconds})

    def mark(self) -> int:
        """How many requests there were; for `asked`."""
        return int(str(self._tell({"mark": True})))

    def asked(self, since: int = 0) -> list[Asked]:
        """The requests after a mark, in their order."""
        answer = self._tell({"asked": since})
        assert isinstance(answer, list)
        return [Asked(**each) for each in answer]

    def names(self, since: int = 0) -> list[str]:
        """What was asked for after a mark; not what asks whether the cluster lives or loops."""
        return [each.name for each in self.asked(since) if not each.name.startswith("appliance-")]

    def _tell(self, question: dict[str, object]) -> object:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(10)
            wire.connect(str(self._control))
            wire.sendall(json.dumps(question).encode() + b"\n")
            with wire.makefile("rb") as lines:
                answer: object = json.loads(lines.readline())
        return answer


def put(root: Path, name: str, body: bytes) -> None:
    """Make or change a file in one step, so that nobody reads half of it."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(body)
    new.chmod(0o644)
    new.replace(path)
