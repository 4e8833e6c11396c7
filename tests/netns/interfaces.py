"""A box whose interfaces are set up by its configuration: a process in a host that keeps them so.

The process has a name of its own, and dhcpcd's folders are its own as well.
Run as a module it is that process: it says each change and each fault, reads the configuration again
at SIGHUP, and at SIGUSR1 says the self-tests.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from appliance.config import load
from appliance.network.configured import Configured, NotApplied
from tests.netns.lab import Host
from tests.netns.process import Process, wait_for

DHCPCD_FOLDERS = ("/run/dhcpcd", "/var/lib/dhcpcd")


class Box:
    """The process, and what the kernel of its host has."""

    def __init__(self, host: Host, network: str, system: str = "") -> None:
        """Started; back when the first round is done. `network` is the text of that section."""
        self.host = host
        self.folder = host.lab.scratch("box")
        self.run = self.folder / "run"
        self.run.mkdir(parents=True)
        self.configuration = self.folder / "appliance.conf"
        self._rounds = 0
        self.kept = self.folder / "dhcpcd"
        self._write(network, system)
        self.process = self.start()

    def start(self) -> Process:
        """Start the process, again where it was stopped."""
        mounts = []
        for folder in DHCPCD_FOLDERS:
            own = self.kept / Path(folder).parts[1]
            own.mkdir(parents=True, exist_ok=True)
            mounts.append(f"mkdir -p {folder} && mount --bind {own} {folder}")
        argv = [sys.executable, "-m", "tests.netns.interfaces", str(self.configuration)]
        shell = " && ".join([*mounts, 'exec "$@"'])
        whole = ["unshare", "--mount", "--uts", "sh", "-ec", shell, "sh", *argv]
        self._rounds = 1
        self.process = self.host.start(whole, "round 1 ", name="interfaces", timeout=30.0)
        return self.process

    def configure(self, network: str, system: str = "") -> None:
        """Another configuration; back when it has been gone through once."""
        self._write(network, system)
        self._rounds += 1
        os.kill(self.process.pid, signal.SIGHUP)
        word = f"round {self._rounds} "
        wait_for(lambda: word in self.process.output(), f"{word}of {self.process.output()}", 30.0)

    def checks(self) -> dict[str, tuple[bool, str]]:
        """The self-tests, by name."""
        before = self.process.output().count("checks ")
        os.kill(self.process.pid, signal.SIGUSR1)
        wait_for(lambda: self.process.output().count("checks ") > before, "the checks", 20.0)
        last = self.process.output().rpartition("checks ")[2].partition("\n")[0]
        return {each["name"]: (each["ok"], each["why"]) for each in json.loads(last)}

    def command(self, *words: str) -> Any:
        """What `appliance network` says in this host."""
        argv = [sys.executable, "-m", "appliance", "network", *words, "--json", "-c", str(self.configuration)]
        done = self.host.run(argv, folder=Path.cwd(), timeout=30.0)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def addresses(self, ifname: str = "eth0") -> list[str]:
        """What `ip` tells; without those of the link itself."""
        found = ip(self.host, "address", "show", "dev", ifname)
        told = [each for link in found for each in link.get("addr_info", [])]
        return sorted(f"{each['local']}/{each['prefixlen']}" for each in told if each["scope"] == "global")

    def routes(self, *words: str) -> set[tuple[str, str | None, str]]:
        """The network, gateway and device of all routes that no kernel makes, in both families."""
        found = [each for family in ("-4", "-6") for each in ip(self.host, family, "route", "show", *words)]
        return {
            (each["dst"], each.get("gateway"), each["dev"])
            for each in found
            if each.get("protocol") != "kernel"
        }

    def stop(self) -> None:
        """End it."""
        self.process.stop()

    def _write(self, network: str, system: str) -> None:
        paths = f"[paths]\ndata = {self.folder}/data\nrun = {self.run}\n"
        text = f"version = 1\n[system]\n{system}\n{paths}[network]\n{network}\n[clusters]\n"
        self.configuration.write_text(text)


def ip(host: Host, *words: str) -> Any:
    """What iproute2 says of a host."""
    done = host.run(["ip", "-j", *words])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "[]")


def main(path: Path) -> None:
    """Keep the interfaces until SIGTERM."""
    ended, again = Event(), Event()

    def say(text: str) -> None:
        print(text, flush=True)

    configured = Configured(load.read(path).paths.run, say)

    def check() -> None:
        say("checks " + json.dumps([asdict(each) for each in configured.checks()]))

    def end() -> None:
        ended.set()
        again.set()

    gevent.signal_handler(signal.SIGTERM, end)
    gevent.signal_handler(signal.SIGHUP, again.set)
    gevent.signal_handler(signal.SIGUSR1, gevent.spawn, check)
    rounds = 0
    while not ended.is_set():
        again.clear()
        configuration = load.read(path)
        try:
            made = configured.apply(configuration.interfaces, configuration.system)
            refused = ""
        except NotApplied as error:
            made, refused = error.made, str(error)
        rounds += 1
        for change in made:
            say(f"made: {change}")
        say(f"round {rounds} {refused and 'refused: ' + refused}")
        again.wait()
    configured.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
