"""The proxy as a process of its own, on loopback addresses and free ports, in a folder of its own."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from appliance.report.parts import join
from tests.netns.process import REPOSITORY, wait_for

Settings = Mapping[str, Mapping[str, object]]
"""Section -> key -> value; a section "clusters/NAME" is a cluster."""

STREAMS = ("status", "find", "move", "records")
"""Verbs whose answer may be several lines."""

_SHOWN = 4000  # characters of its log that a failed test shows
_ports = itertools.count(random.randrange(20000, 28000), 2)  # below those that the kernel gives out itself


class Proxy:
    """Running from its making to `stop`, or to the end of its `with`.

    `tftp` and `http` are where it listens; `store` is the folder of its local files.
    """

    def __init__(self, settings: Settings | None = None, listen: str = "127.0.0.1") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="appliance-"))
        self.store = self.folder / "data/tftp"
        self._run = self.folder / "run"
        for each in (self.folder, self.folder / "data", self.store, self._run):
            each.mkdir(exist_ok=True)
            each.chmod(0o777)  # started as root, it becomes another user
        own = {"listen": listen, "port": free_port(), "http_port": free_port()}
        tftp = {**own, **(settings or {}).get("tftp", {})}
        self.tftp = (listen, int(str(tftp["port"])))
        self.http = (listen, int(str(tftp["http_port"])))
        self.configuration = self.folder / "appliance.conf"
        self._own = {"listen": listen, "port": self.tftp[1], "http_port": self.http[1]}
        self.configure(settings or {})
        self.start()

    def configure(self, settings: Settings) -> None:
        """Write its configuration; it listens where it did unless `settings` say otherwise."""
        paths = {"data": self.folder / "data", "run": self._run}
        tftp = {**self._own, **settings.get("tftp", {})}
        self.configuration.write_text(_text({**settings, "paths": paths, "tftp": tftp}))

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        argv = [sys.executable, "-m", "appliance", "proxy", "-c", str(self.configuration)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY
            )
        try:
            wait_for(self._answers, "the proxy answers")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="backslashreplace")

    def write(self, name: str, content: bytes) -> bytes:
        """Put a file into the store; its content."""
        path = self.store / name
        path.write_bytes(content)
        path.chmod(0o644)
        return content

    def ask(self, verb: str, **args: object) -> list[Any]:
        """What its socket answers to a verb, all of it; AssertionError with its error."""
        answers = []
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(10)
            wire.connect(str(self._run / "proxy.sock"))
            wire.sendall(json.dumps({"v": 1, "id": 1, "verb": verb, "args": args}).encode() + b"\n")
            with wire.makefile("rb") as lines:
                while "end" not in (answer := json.loads(lines.readline())):
                    assert "data" in answer, answer
                    answers.append(answer["data"])
                    if verb not in STREAMS:
                        break
                wire.shutdown(socket.SHUT_WR)
                assert (
                    lines.read() == b""
                )  # now it has closed its end, too: `descriptors` counts no more of it
        return answers

    def status(self) -> Any:
        """What `appliance status --json` prints."""
        return join(self.ask("status"))

    def counters(self) -> Any:
        """The counters of its status."""
        return self.status()["counters"]

    def records(self, last: int = 1) -> list[Any]:
        """The records of the last requests, as `appliance explain --last` tells of them."""
        return self.ask("records", last=last, name="", client="")

    def transfers(self) -> int:
        """How many TFTP transfers run."""
        return int(self.status()["held"]["transfers"])

    def descriptors(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes it has in memory now; the most it ever had with "VmHWM"."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))

    def pause(self) -> None:
        """Stand still until `go_on`, so that what is sent meanwhile is found all at once."""
        self._process.send_signal(signal.SIGSTOP)
        wait_for(lambda: _state(self.pid) == "T", "the proxy stands still")

    def go_on(self) -> None:
        """End `pause`."""
        self._process.send_signal(signal.SIGCONT)

    def settle(self, descriptors: int | None = None, timeout: float = 5.0) -> None:
        """Wait until it holds nothing for anybody, and has no more descriptors open than these.

        Sockets of ended transfers may be kept for the next ones: take the count after as many at once.
        """

        def idle() -> bool:
            held = self.status()["held"]
            return not any(held[key] for key in ("transfers", "fetches", "memory_bytes", "disk_bytes"))

        wait_for(idle, "nothing is held", timeout)
        if descriptors is not None:
            wait_for(lambda: self.descriptors() <= descriptors, f"{descriptors} descriptors", timeout)

    def hang_up(self) -> None:
        """Ask it to read its configuration again, as a system does."""
        self._process.send_signal(signal.SIGHUP)

    def terminate(self) -> None:
        """Ask it to end, as a system does."""
        self._process.terminate()

    def kill(self) -> None:
        """End it without a word; its folder stays."""
        self._process.kill()
        self._process.wait(5)

    def stop(self) -> int:
        """Ask it to end; its exit status. Killed when it takes over 5 s."""
        try:
            self._process.terminate()
            return self._process.wait(5)
        finally:
            self._process.kill()
            self._process.wait(5)
            if self.folder.exists():
                print(self.log()[-_SHOWN:])  # shown with a test that fails
                shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"the proxy has ended: {self.log()}"
        try:
            self.status()
        except (OSError, json.JSONDecodeError):
            return False
        return True


def free_port() -> int:
    """A port that nobody has, neither UDP nor TCP, on any address."""
    for port in itertools.islice(_ports, 200):
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET6, kind) as wire:
                    wire.bind(("::", port))
        except OSError:
            continue
        return port
    raise AssertionError("no free port")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _text(settings: Settings) -> str:
    lines = ["version = 1"]
    for section, keys in settings.items():
        if not section.startswith("clusters/"):
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
    lines.append("[clusters]")
    for section, keys in settings.items():
        if section.startswith("clusters/"):
            name = section.partition("/")[2]
            lines += [f"[[{name}]]", *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join([*lines, ""])
