"""Real daemons in a machine of the test's own: who can log in, and when; and a clock without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.netns.process import REPOSITORY, wait_for
from tests.netns.servers import DEBIAN

SBIN = DEBIAN / "usr/sbin"
LONG = 60.0  # s

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0 or not (SBIN / "sshd").exists() or not (SBIN / "chronyd").exists(),
        reason="needs root and scripts/test-packages",
    ),
]


class Box:
    """The services in namespaces (box.py), and a client beside them."""

    def __init__(self, folder: Path) -> None:
        self._key = folder / "key"
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)]
        subprocess.run(keygen, check=True, timeout=LONG)
        self._log = folder / "log"
        argv = ["unshare", "--mount", "--net", sys.executable, "-m", "tests.services.box", f"{self._key}.pub"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=REPOSITORY,
            )
        self.ask()  # once it answers, its namespaces are there

    def ask(self, given: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """Apply a configuration, or only look: the services by name."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write((json.dumps(given) if given is not None else "show") + "\n")
        self._process.stdin.flush()
        shown: dict[str, dict[str, Any]] = json.loads(self._process.stdout.readline())
        return shown

    def is_open(self) -> bool:
        """Whether SSH is on, and as it ought to be."""
        ssh = self.ask()["ssh"]
        return bool(ssh["wanted"] and ssh["ok"]) and self.listens()

    def is_closed(self) -> bool:
        ssh = self.ask()["ssh"]
        return not ssh["wanted"] and bool(ssh["ok"]) and not self.listens()

    def listens(self) -> bool:
        table = self.inside(["cat", "/proc/net/tcp"]).stdout.splitlines()
        return any(":0016 " in line and " 0A " in line for line in table)

    def log(self) -> str:
        return self._log.read_text()

    def inside(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.entered(argv), capture_output=True, text=True, timeout=LONG, check=False)

    def ssh(self, command: str = "echo in", user: str = "admin", source: str = "127.0.0.1") -> str:
        """What a login prints, of both outputs the last line; empty for nothing."""
        done = self.inside([*self._ssh(source), f"{user}@127.0.0.1", command])
        return (done.stdout + done.stderr).strip().rpartition("\n")[2]

    def session(self) -> subprocess.Popen[str]:
        """A login that stays."""
        argv = self.entered([*self._ssh("127.0.0.1"), "admin@127.0.0.1", "echo in; exec sleep 600"])
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        return process

    def close(self) -> None:
        self._process.communicate(timeout=LONG)

    def entered(self, argv: list[str]) -> list[str]:
        return ["nsenter", "--target", str(self._process.pid), "--mount", "--net", *argv]

    def _ssh(self, source: str) -> list[str]:
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        options += ["LogLevel=ERROR", "IdentitiesOnly=yes", f"BindAddress={source}", "ConnectTimeout=20"]
        return ["ssh", "-F", "none", "-i", str(self._key), *(f"-o{each}" for each in options)]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()
    sys.stderr.write(box.log())


def test_ssh_is_on_and_off(box: Box) -> None:
    """Off means that nobody is on the box any more."""
    assert box.ask({"enabled": False})["ssh"]["wanted"] is False
    wait_for(box.is_closed, "SSH off", LONG)
    assert box.ssh().endswith("Connection refused")
    box.ask({"enabled": True})
    wait_for(box.is_open, "SSH on", LONG)
    assert box.ssh() == "in"
    assert "Permission denied" in box.ssh(user="root")
    assert "Permission denied" in box.ssh(user="_chrony")
    session = box.session()
    box.ask({"enabled": False})
    wait_for(box.is_closed, "SSH off", LONG)
    assert session.wait(LONG) != 0
    assert box.ssh().endswith("Connection refused")
    assert "Accepted publickey for admin" in box.log()


def test_ssh_ends_in_time(box: Box) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    shown = box.ask({"enabled": True, "until": until.isoformat()})
    wait_for(box.is_open, "SSH on", LONG)
    assert box.ask()["ssh"]["text"] == f"on until {until:%Y-%m-%dT%H:%M:%SZ}"
    session = box.session()
    until = datetime.now(UTC) + timedelta(seconds=2)
    shown = box.ask({"enabled": True, "until": until.isoformat()})
    wait_for(box.is_closed, "the end of its time", LONG)
    assert session.wait(LONG) != 0
    assert datetime.now(UTC) >= until
    shown = box.ask()
    assert shown["ssh"]["text"] == f"off since {until:%Y-%m-%dT%H:%M:%SZ}"
    assert box.ssh().endswith("Connection refused")


def test_ssh_from_some_networks(box: Box) -> None:
    """Another list counts for the next login; a running session goes on."""
    box.ask({"enabled": True, "allow": ["127.0.0.8/32", "10.0.0.0/8"]})
    wait_for(box.is_open, "SSH on", LONG)
    assert "Permission denied" in box.ssh()
    assert box.ssh(source="127.0.0.8") == "in"
    box.ask({"enabled": True, "allow": ["127.0.0.1/32"]})
    deadline = time.monotonic() + LONG
    while box.ssh() != "in":
        assert time.monotonic() < deadline
    session = box.session()
    box.ask({"enabled": True, "allow": ["10.0.0.0/8"]})
    while "Permission denied" not in box.ssh():
        assert time.monotonic() < deadline
    assert session.poll() is None
    box.ask({"enabled": False})
    assert session.wait(LONG) != 0


def test_what_a_session_may(box: Box) -> None:
    """By sshd's own account of what it goes by."""
    box.ask({"enabled": True})
    wait_for(box.is_open, "SSH on", LONG)
    done = box.inside([str(SBIN / "sshd"), "-T", "-f", "/run/appliance/ssh/sshd_config"])
    rules = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if " " in line)
    expected = {
        "disableforwarding": "yes",
        "permituserrc": "no",
        "permituserenvironment": "no",
        "permitrootlogin": "no",
        "permitemptypasswords": "no",
        "permittunnel": "no",
        "allowusers": "admin",
        "port": "22",
        "strictmodes": "yes",
        "kbdinteractiveauthentication": "no",
        "authorizedkeysfile": "/run/data/system/ssh/authorized_keys",
    }
    assert {key: rules.get(key) for key in expected} == expected
    assert not {"acceptenv", "subsystem"} & rules.keys()
    assert box.ssh("echo $TZ") == ":/run/appliance/localtime"


def test_a_port_that_somebody_has(box: Box) -> None:
    """It is told why; once the port is free SSH is there."""
    argv = box.entered([sys.executable, "-c", _OCCUPY])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        box.ask({"enabled": True, "timezone": "Europe/Berlin"})
        wait_for(lambda: "Cannot bind any address" in box.ask()["ssh"]["text"], "the reason", LONG)
        shown = box.ask()
        assert shown["ssh"]["ok"] is False
        assert shown["time zone"]["ok"] is True
        other.communicate(timeout=LONG)
    wait_for(box.is_open, "SSH on", LONG)


_OCCUPY = """
import socket
taken = [socket.create_server(("", 22)), socket.create_server(("::", 22), family=socket.AF_INET6)]
print("there", flush=True)
input()
"""


def test_a_clock_without_a_server(box: Box) -> None:
    """chronyd runs as its own user where a server is named, and not at all where none is."""
    assert box.ask({})["clock"]["text"] == "no time server is known"
    box.ask({"ntp": ["127.0.0.1"]})
    wait_for(lambda: box.ask()["clock"]["text"] == "no time server has answered yet", "chronyd", LONG)
    pid = box.inside(["cat", "/run/appliance/chrony/chronyd.pid"]).stdout.strip()
    assert Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[:2] == ["991", "991"]
    box.ask({"ntp": [], "enabled": False})
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "its end", LONG)
    assert box.ask()["clock"] == {
        "name": "clock",
        "wanted": False,
        "ok": True,
        "text": "no time server is known",
    }


def test_the_former_chronyd_makes_place(box: Box) -> None:
    """One whose daemon was killed goes on: it is another user by then."""
    box.ask({"ntp": ["127.0.0.1"]})
    wait_for(lambda: box.ask()["clock"]["text"] == "no time server has answered yet", "chronyd", LONG)
    former = box.inside(["cat", "/run/appliance/chrony/chronyd.pid"]).stdout.strip()
    box.ask({"ntp": ["127.0.0.2"]})

    def another() -> bool:
        pid = box.inside(["cat", "/run/appliance/chrony/chronyd.pid"]).stdout.strip()
        return pid not in ("", former)

    wait_for(another, "another chronyd", LONG)
    assert not Path(f"/proc/{former}").exists()
