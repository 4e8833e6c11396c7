"""A small network for a test: hosts, each a namespace, on one bridge in a namespace of its own.

Needs root. Names carry the process id, so that two runs do not meet; what a killed run left
behind is removed by the next.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.netns.process import Process, Ready, run
from tests.netns.wire import Wire

_PREFIX = "lab"
_serial = itertools.count(1)


class Host:
    """One namespace with `eth0` on the bridge, 10.66.0.N/24 and fd66::N/64."""

    def __init__(self, lab: Lab, name: str, number: int) -> None:
        self.lab = lab
        self.name = name
        self.namespace = f"{lab.prefix}-{name}"
        self.ipv4 = f"10.66.0.{number}"
        self.ipv6 = f"fd66::{number}"

    def run(
        self, argv: Sequence[str], timeout: float = 10.0, text_in: str = "", folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in this host to its end; AssertionError past `timeout` seconds."""
        return run(self._inside(argv), timeout=timeout, text_in=text_in, folder=folder or self.lab.folder)

    def start(
        self, argv: Sequence[str], ready: Ready = None, *, name: str = "", timeout: float = 10.0
    ) -> Process:
        """Start a process that the lab ends; back when it is ready: a condition, or words of its output."""
        title = f"{self.name}: {name or Path(argv[0]).name}"
        process = Process(title, self._inside(argv), self.lab.scratch("log"))
        self.lab.processes.append(process)
        process.await_ready(ready, timeout)
        return process

    def bound(self, transport: str, port: int) -> bool:
        """Whether a socket of this host is bound to `port`; `transport` is "udp", or "tcp" (listening)."""
        tables = self.run(["cat", f"/proc/net/{transport}", f"/proc/net/{transport}6"]).stdout
        states = {"udp": "07", "tcp": "0A"}
        lines = [line.split() for line in tables.splitlines()]
        return any(
            line[1].endswith(f":{port:04X}") and line[3] == states[transport]
            for line in lines
            if len(line) > 3 and ":" in line[1]
        )

    def add(self, *addresses: str) -> None:
        """Give this host more addresses (with prefix length: "10.66.0.101/24")."""
        self.lab.ip(self.namespace, *(f"address add {each} dev eth0{_nodad(each)}" for each in addresses))

    def remove(self, *addresses: str) -> None:
        """Take addresses away."""
        self.lab.ip(self.namespace, *(f"address del {each} dev eth0" for each in addresses))

    def drop(self, *addresses: str) -> None:
        """Make these addresses black holes, all of the host's own when none is named."""
        self.lab.wire.drop(*(addresses or (self.ipv4, self.ipv6)))

    def undrop(self, *addresses: str) -> None:
        """End `drop`."""
        self.lab.wire.undrop(*(addresses or (self.ipv4, self.ipv6)))

    def lose(self, fraction: float) -> None:
        """Lose this share of the packets to this host, and as much of those from it; 0 ends it."""
        self.lab.wire.lose(self.name, round(fraction * 100))

    def _inside(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *argv]


class Lab:
    """The bridge and its hosts. A context manager: leaving it removes everything, whatever failed."""

    def __init__(self) -> None:
        _sweep()
        self.prefix = f"{_PREFIX}{os.getpid()}x{next(_serial)}"
        self.processes: list[Process] = []
        self.hosts: dict[str, Host] = {}
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.folder.chmod(0o755)  # servers that drop their rights read below it
        self._scratch = itertools.count(1)
        self.namespace = f"{self.prefix}-wire"
        self.wire = Wire(self.namespace)
        try:
            self._create(self.namespace)
            self.ip(self.namespace, "link add bridge type bridge", "link set bridge up")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, remove namespaces and folder."""
        for process in reversed(self.processes):
            process.stop()
        self.processes.clear()
        for namespace in _namespaces(self.prefix + "-"):
            subprocess.run(["ip", "netns", "del", namespace], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def host(self, name: str) -> Host:
        """The host of this name, made at the first call (11 characters at most: it names a link, too)."""
        if name not in self.hosts:
            host = Host(self, name, len(self.hosts) + 2)
            self._create(host.namespace)
            self.ip(
                self.namespace,
                f"link add name {name} type veth peer name eth0 netns {host.namespace}",
                f"link set dev {name} master bridge up",
            )
            addresses = (f"{host.ipv4}/24", f"{host.ipv6}/64")
            self.ip(host.namespace, "link set eth0 up")
            self.hosts[name] = host
            host.add(*addresses)
        return self.hosts[name]

    def tap(self, name: str) -> None:
        """A tap device on the bridge, for a virtual machine that is started by `start`."""
        self.ip(self.namespace, f"tuntap add dev {name} mode tap", f"link set dev {name} master bridge up")

    def start(self, argv: Sequence[str], ready: Ready = None, *, name: str = "") -> Process:
        """Start a process beside the bridge, where it sees every port of it."""
        title = f"wire: {name or Path(argv[0]).name}"
        process = Process(title, ["ip", "netns", "exec", self.namespace, *argv], self.scratch("log"))
        self.processes.append(process)
        process.await_ready(ready)
        return process

    def scratch(self, suffix: str) -> Path:
        """A new path in the lab's folder; nothing is there yet."""
        return self.folder / f"{next(self._scratch)}.{suffix}"

    def ip(self, namespace: str, *lines: str) -> None:
        """Run these commands of `ip` in a namespace; AssertionError when one is refused."""
        done = run(["ip", "-n", namespace, "-batch", "-"], timeout=10, text_in="\n".join(lines) + "\n")
        assert done.returncode == 0, f"ip: {done.stderr}{lines}"

    def _create(self, namespace: str) -> None:
        done = run(["ip", "netns", "add", namespace], timeout=10)
        assert done.returncode == 0, f"ip netns add (root is needed): {done.stderr}"
        # Addresses are usable at once (no host here has another's), and there are no others.
        settings = (
            "for key in accept_dad accept_ra; do for link in all default; do echo 0 > $link/$key; done; done"
        )
        quick = f"cd /proc/sys/net/ipv6/conf && {settings}"
        run(["ip", "netns", "exec", namespace, "sh", "-c", quick], timeout=10)
        self.ip(namespace, "link set lo up")


def _nodad(address: str) -> str:
    return " nodad" if ":" in address else ""


def _namespaces(prefix: str) -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    return [line.split()[0] for line in listed.splitlines() if line.startswith(prefix)]


def _sweep() -> None:
    """Remove what runs that were killed have left: processes, namespaces and folders."""
    for namespace in _namespaces(_PREFIX):
        if _alive(namespace):
            continue
        inside = subprocess.run(
            ["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False
        )
        for each in inside.stdout.split():
            try:
                os.kill(int(each), signal.SIGKILL)
            except ProcessLookupError:
                pass
        subprocess.run(["ip", "netns", "del", namespace], check=False)
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}[0-9]*x[0-9]*-*"):
        if not _alive(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(name: str) -> bool:
    """Whether the process that made this namespace or folder still runs; others' names count as alive."""
    pid = name.removeprefix(_PREFIX).partition("x")[0]
    return not pid.isdigit() or Path("/proc", pid).exists()
