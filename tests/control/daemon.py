"""Control as a process of its own in a folder of its own, with a proxy beside it where one is asked for."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from appliance.control import client
from appliance.control.protocol import VerbError
from appliance.report.parts import join
from tests.control.asking import committed
from tests.netns.process import REPOSITORY, wait_for
from tests.serve.proxy import free_port

SLACK = 30.0  # s, for two cores that others use, too


class Control:
    """Running from its making to the end of its `with`."""

    def __init__(self, extra: str = "", *, proxy: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="control-"))
        self.folder.chmod(0o755)
        self.data, self.run = self.folder / "data", self.folder / "run"
        for each in (self.data, self.data / "tftp", self.run):
            each.mkdir()
            each.chmod(0o777)  # a proxy that is started as root becomes another user
        self.confirmed = self.folder / "appliance.conf"
        self.in_force = self.run / "running.conf"
        self.socket = self.run / "control.sock"
        self._ports = (free_port(), free_port())
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.confirmed.write_bytes(self.text(extra))
        try:
            if proxy:
                assert self.command("control", "--prepare").returncode == 0
                self.start_proxy()
            self.start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def text(self, extra: str = "") -> bytes:
        """A configuration of this box."""
        tftp = f"[tftp]\nlisten = 127.0.0.1\nport = {self._ports[0]}\nhttp_port = {self._ports[1]}\n"
        return f"version = 1\n[paths]\ndata = {self.data}\nrun = {self.run}\n{tftp}{extra}".encode()

    def start(self) -> None:
        """Start control, and wait until it answers."""
        self._start("control", "control", "-c", str(self.confirmed))
        wait_for(self._answers, "control answers", SLACK)

    def start_proxy(self) -> None:
        """Start a proxy that reads what is in force, and wait until it answers."""
        self._start("proxy", "proxy", "-c", str(self.in_force))
        wait_for(self._proxy_answers, "the proxy answers", SLACK)

    def kill(self, name: str = "control") -> None:
        """End a process without a word."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(SLACK)

    def lose_power(self) -> None:
        """End all that runs, children of theirs among them, at one moment; the run folder is lost."""
        for process in self._processes.values():
            os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes.values():
            process.wait(SLACK)
        self._processes.clear()
        shutil.rmtree(self.run)
        self.run.mkdir()
        self.run.chmod(0o777)

    def terminate(self) -> int:
        """Ask control to end; its exit status."""
        process = self._processes.pop("control")
        process.terminate()
        return process.wait(SLACK)

    def stop(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.kill()
            process.wait(SLACK)
        print(self.log()[-4000:])  # shown with a test that fails
        shutil.rmtree(self.folder)

    def log(self) -> str:
        """What the processes have written."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of `appliance`, to its end."""
        argv = [sys.executable, "-m", "appliance", *words, "-c", str(self.confirmed)]
        return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)

    def json(self, *words: str) -> Any:
        """What a command says in JSON."""
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ask(self, verb: str, **args: object) -> Any:
        """What control answers; `VerbError`."""
        return client.ask(self.socket, verb, args)

    def commit(self, text: bytes, confirm_s: Any = None, comment: str = "") -> Any:
        """Give a configuration, and commit it; `VerbError`."""
        return committed(self.socket, text, confirm_s, comment)

    def marker(self) -> Any:
        """The last change, as it stands on disk."""
        return json.loads((self.data / "change.json").read_bytes())

    def audit(self) -> list[Any]:
        """The entries of the audit log."""
        return [json.loads(line) for line in (self.data / "log/audit.log").read_text().splitlines()]

    def wait_reverted(self) -> Any:
        """Wait until nothing waits any more; the status then."""
        wait_for(lambda: self.ask("status")["phase"] == "settled", "the change is reverted", SLACK)
        return self.ask("status")

    def proxy_clusters(self) -> Any:
        """The names of its clusters, by which one sees what the proxy goes by."""
        found = join(client.stream(self.run / "proxy.sock", "status"))
        return [cluster["name"] for cluster in found["clusters"]]

    def _start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "appliance", *words],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        assert self._processes["control"].poll() is None, self.log()
        try:
            self.ask("status")
        except VerbError:
            return False
        return True

    def _proxy_answers(self) -> bool:
        assert self._processes["proxy"].poll() is None, self.log()
        try:
            self.proxy_clusters()
        except VerbError:
            return False
        return True


def cluster(name: str) -> str:
    """A section with a cluster that nobody answers for."""
    address = f"127.9.{random.randrange(1, 250)}.1"
    return f"[clusters]\n[[{name}]]\naddresses = {address}\nhttp_port = 9\ntftp_port = 9\n"
