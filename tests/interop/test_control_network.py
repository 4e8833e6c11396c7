"""A change that cuts off its own administrator reverts by itself, and the administrator is back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control.protocol import VerbError
from tests.control.asking import committed, phase
from tests.netns.inside import inside
from tests.netns.lab import Host, Lab
from tests.netns.process import Process, wait_for

pytestmark = pytest.mark.root

SLACK = 60.0  # s, for two cores that others use, too
SHORT, LONG = 10.0, 600.0  # s of a window that a test waits for, or does not see the end of
PORT = 8099  # of what the administrator talks to
ADDRESS = "10.7.0.20"

RIGHT = f"ipv4 = static\naddress = {ADDRESS}/24\ngateway = 10.7.0.1\nipv6 = off\n"
WRONG = {
    "address": "ipv4 = static\naddress = 10.77.0.20/24\ngateway = 10.77.0.1\nipv6 = off\n",
    "gateway": f"ipv4 = static\naddress = {ADDRESS}/24\ngateway = 10.7.0.99\nipv6 = off\n",
    "nothing": "ipv4 = off\nipv6 = off\n",
}


@pytest.fixture(scope="module")
def admin(lab: Lab) -> Host:
    """The administrator's side: another network, behind a router."""
    router = lab.host("c-router")
    router.add("10.7.0.1/24", "10.8.0.1/24")
    settings = "cd /proc/sys/net/ipv4; echo 1 > ip_forward; echo 0 > conf/all/send_redirects; "
    assert router.run(["sh", "-c", settings + "echo 0 > conf/eth0/send_redirects"]).returncode == 0
    found = lab.host("c-admin")
    found.add("10.8.0.2/24")
    lab.ip(found.namespace, "route add default via 10.8.0.1")
    return found


class Box:
    """Control in a host of its own, and a service beside it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.folder = host.lab.scratch("control")
        self.run = self.folder / "run"
        self.run.mkdir(parents=True)
        self.confirmed = self.folder / "appliance.conf"
        self.socket = self.run / "control.sock"
        self.confirmed.write_bytes(self.text(RIGHT))
        serving = [sys.executable, "-m", "http.server", "--bind", "0.0.0.0", str(PORT)]
        self.service = host.start(serving, lambda: host.bound("tcp", PORT), name="service", timeout=SLACK)
        self.process = self.start()

    def text(self, eth0: str) -> bytes:
        """A configuration with this interface."""
        paths = f"[paths]\ndata = {self.folder}/data\nrun = {self.run}\n"
        return f"version = 1\n{paths}[network]\n[[eth0]]\n{eth0}".encode()

    def start(self) -> Process:
        """Start control, and wait until it answers."""
        argv = ["unshare", "--uts", sys.executable, "-m", "appliance", "control", "-c", str(self.confirmed)]
        self.process = self.host.start(argv, self._answers, name="control", timeout=SLACK)
        return self.process

    def kill(self) -> None:
        """End control, and the whole group of its processes, without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        wait_for(lambda: not self.process.running, "control has ended")

    def lose_power(self) -> None:
        """As after a loss of power: nothing runs, and what was not on disk is gone."""
        self.kill()
        self.clear()
        shutil.rmtree(self.run)

    def clear(self) -> None:
        """Take from the interface what control gave it."""
        self.host.run(["ip", "address", "flush", "dev", "eth0", "scope", "global"])
        self.host.run(["ip", "route", "flush", "proto", "73"])

    def _answers(self) -> bool:
        try:
            return phase(self.socket) is not None
        except VerbError:
            return False


@pytest.fixture
def box(lab: Lab) -> Iterator[Box]:
    host = lab.host("c-box")
    host.run(["ip", "address", "flush", "dev", "eth0", "scope", "global"])
    made = Box(host)
    yield made
    made.process.stop()
    made.service.stop()
    made.clear()


def reached(admin: Host) -> bool:
    """Whether the administrator gets through to the box."""
    with inside(admin):
        try:
            socket.create_connection((ADDRESS, PORT), timeout=1.0).close()
        except OSError:
            return False
    return True


def wait_reached(admin: Host) -> None:
    wait_for(lambda: reached(admin), "the administrator is back", SLACK)


@pytest.mark.parametrize("wrong", WRONG)
def test_not_confirmed(box: Box, admin: Host, wrong: str) -> None:
    """After the window the administrator is back."""
    wait_reached(admin)
    assert committed(box.socket, box.text(WRONG[wrong]), SHORT)["confirm_s"] == SHORT
    assert not reached(admin)
    wait_reached(admin)
    wait_for(lambda: phase(box.socket) == "settled", "it is told as reverted", SLACK)
    assert box.confirmed.read_bytes() == Path(box.run, "running.conf").read_bytes() == box.text(RIGHT)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("end", ["killed", "power"])
def test_ended_within_the_window(box: Box, admin: Host, wrong: str, end: str) -> None:
    """The next start brings the administrator back."""
    wait_reached(admin)
    committed(box.socket, box.text(WRONG[wrong]), LONG)
    if end == "killed":
        box.kill()
    else:
        box.lose_power()
    assert not reached(admin)
    box.start()
    wait_reached(admin)
    assert phase(box.socket) == "settled"


def test_the_network_is_confirmed_by_default(box: Box, admin: Host) -> None:
    """A change of an interface waits without being asked to; confirmed, it stays."""
    wait_reached(admin)
    other = RIGHT.replace(f"{ADDRESS}/24", f"{ADDRESS}/24, 10.7.0.21/24")
    assert committed(box.socket, box.text(other), None)["confirm_s"] == 120.0
    assert reached(admin)
