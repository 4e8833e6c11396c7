"""The product in front of clusters: its configuration is edited while it runs, it is killed and started
again, and its commands are called as an administrator calls them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.netns.lab import Host
from tests.netns.later import HOURS
from tests.netns.process import REPOSITORY, wait_for
from tests.netns.proxy import Cluster, Proxy, Settings

MODULE = (sys.executable, "-m", "appliance")


class Box(Proxy):
    """A proxy that can be ended and started again in the same folder."""

    def __init__(
        self,
        host: Host,
        clusters: Sequence[Cluster] = (),
        settings: Settings | None = None,
        module: str = "appliance",
    ) -> None:
        super().__init__(host, clusters, settings, module)
        self.configuration = self.folder / "appliance.conf"
        self._module = module

    def edit(self, old: str, new: str) -> None:
        """Put a new text in the place of an old one in its configuration; it does not know yet."""
        text = self.configuration.read_text()
        assert text.count(old) == 1, f"{old!r} in {text}"
        self.configuration.write_text(text.replace(old, new))

    def reload(self) -> None:
        """SIGHUP, and wait until it says what came of it."""
        before = self._reloads()
        os.kill(self.process.pid, signal.SIGHUP)
        wait_for(lambda: self._reloads() > before, "the configuration is read again")

    def kill(self) -> None:
        """End it without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        wait_for(lambda: not self.process.running, "the end of the proxy")

    def start(self) -> None:
        """Start it again, with all that it has on disk, and wait until it answers."""
        assert not self.process.running
        argv = [sys.executable, "-m", self._module, "proxy", "-c", str(self.configuration)]
        self.process = self.host.start(argv, self._answers, name="proxy", timeout=20.0)

    def pass_time(self) -> None:
        """Two hours pass for it; it runs as `tests.netns.later`."""
        before = self.ask("status")["uptime_s"]
        os.kill(self.process.pid, signal.SIGUSR1)
        wait_for(lambda: self.ask("status")["uptime_s"] > before + HOURS / 2, "time has passed")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `appliance` with these arguments."""
        name, *rest = arguments
        argv = [*MODULE, name, "-c", str(self.configuration), *rest]
        return self.host.run(argv, 30.0, folder=REPOSITORY)

    def report(self, *arguments: str) -> Any:
        """What a command prints with --json, whatever its exit status."""
        done = self.command(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def records(self, client: str, last: int = 100, name: str = "") -> list[dict[str, Any]]:
        """The last requests of a client, the newest last; of one file or device where `name` says so."""
        return list(self.stream("records", client=client, last=last, name=name))

    def out_of_use(self) -> Mapping[str, str]:
        """Each cluster that is not asked, or one of whose addresses is not, and why."""
        found = {}
        for cluster in self.ask("status")["clusters"]:
            reasons = [cluster["out_of_use"], *(each["out_of_use"] for each in cluster["addresses"])]
            if any(reasons):
                found[cluster["name"]] = "; ".join(reason for reason in reasons if reason)
        return found

    def protocols(self, place: str) -> dict[str, str]:
        """The state of each protocol of a cluster with one address."""
        clusters = {cluster["name"]: cluster for cluster in self.ask("status")["clusters"]}
        (address,) = clusters[place]["addresses"]
        return {each["protocol"]: each["state"] for each in address["protocols"]}

    def _reloads(self) -> int:
        return self.process.output().count("reloaded")
