"""The order of a change on disk and on the machine, and what becomes of it when a step fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from appliance.config import load
from appliance.config.model import Interface, Ssh, System
from appliance.control.commit import Commits
from appliance.control.disk import Disk
from appliance.control.force import Force, Version
from appliance.control.log import Log
from appliance.control.pending import Phase
from appliance.control.places import places
from appliance.control.protocol import VerbError
from appliance.control.proxy import Proxy
from appliance.network.checks import Check
from appliance.report.control import Change
from appliance.report.network import NetworkShown
from appliance.report.services import ServiceShown


class Steps(Disk):
    """Files in a folder of the test; `fails` names a step that the disk refuses, once."""

    def __init__(self, folder: Path) -> None:
        confirmed = folder / "appliance.conf"
        self.text = f"version = 1\n[paths]\ndata = {folder}/data\nrun = {folder}/run\n".encode()
        confirmed.write_bytes(self.text)
        (folder / "run").mkdir()
        super().__init__(places(confirmed, load.parse(self.text, "").paths))
        self.done: list[str] = []
        self.fails = ""

    def keep(self, text: bytes, author: str, comment: str) -> int:
        self.step("history")
        return super().keep(text, author, comment)

    def put_in_force(self, text: bytes) -> None:
        self.step("in force")
        super().put_in_force(text)

    def confirm(self, text: bytes) -> None:
        self.step("confirmed")
        super().confirm(text)

    def mark(self, change: Change) -> None:
        self.step(f"marker {change.result.value}")
        super().mark(change)

    def step(self, name: str) -> None:
        self.done.append(name)
        if name == self.fails:
            self.fails = ""
            raise OSError(28, "No space left on device")


class Network:
    """Interfaces that only remember."""

    def __init__(self, disk: Steps) -> None:
        self.disk = disk

    def show(self, interfaces: Sequence[Interface], system: System) -> NetworkShown:
        raise AssertionError

    def plan(self, interfaces: Sequence[Interface]) -> Sequence[object]:
        return ()

    def apply(self, interfaces: Sequence[Interface], system: System | None = None) -> Sequence[object]:
        self.disk.step("network")
        return ()

    def checks(self) -> Sequence[Check]:
        return ()

    def stop(self) -> None:
        pass


class NoServices:
    """Services of which there are none."""

    def apply(self, system: System, ssh: Ssh) -> None:
        pass

    def shown(self) -> tuple[ServiceShown, ...]:
        return ()

    def stop(self) -> None:
        pass


class Machine:
    """One with a disk, a network and no proxy."""

    def __init__(self, folder: Path) -> None:
        self.disk = Steps(folder)
        self.log = Log(human=False)
        proxy = Proxy(folder / "run", self.disk.places.in_force)
        force = Force(self.disk, proxy, Network(self.disk), NoServices(), self.log)
        version = Version(1, self.disk.text, load.parse(self.disk.text, ""))
        self.commits = Commits(version, None, self.disk, force, lambda: True, self.log)
        self.new = self.disk.text + b"[lookup]\nbudget = 4\n"

    def commit(self, window: float) -> None:
        self.commits.commit(self.new, "root", "", window)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.log.close()


APPLIED = ["history", "marker pending", "in force", "network"]
REVERTED = ["in force", "network", "history", "marker reverted"]


def test_confirmed(machine: Machine) -> None:
    machine.commit(60.0)
    assert machine.disk.done == APPLIED
    machine.commits.confirm("root")
    assert machine.disk.done == [*APPLIED, "confirmed", "marker confirmed"]
    assert machine.disk.places.confirmed.read_bytes() == machine.new


def test_reverted(machine: Machine) -> None:
    machine.commit(60.0)
    machine.commits.revert("root")
    assert machine.disk.done == [*APPLIED, *REVERTED]
    assert machine.disk.places.in_force.read_bytes() == machine.disk.text


@pytest.mark.parametrize("step", APPLIED)
def test_a_step_that_fails(machine: Machine, step: str) -> None:
    """All is as before, and the next change can be made."""
    machine.disk.fails = step
    with pytest.raises(VerbError, match="all is as before"):
        machine.commit(60.0)
    assert machine.commits.state.phase is Phase.SETTLED
    assert machine.disk.places.in_force.read_bytes() == machine.disk.text
    assert machine.disk.places.confirmed.read_bytes() == machine.disk.text
    machine.commit(0.0)
    assert machine.disk.places.confirmed.read_bytes() == machine.new


def test_a_confirmation_that_cannot_be_written(machine: Machine) -> None:
    """It waits on, and can be confirmed again."""
    machine.commit(60.0)
    machine.disk.fails = "confirmed"
    with pytest.raises(VerbError, match="not confirmed"):
        machine.commits.confirm("root")
    assert machine.commits.state.phase is Phase.PENDING
    machine.commits.confirm("root")
    assert machine.disk.places.confirmed.read_bytes() == machine.new


def test_a_reversal_that_fails(machine: Machine) -> None:
    """It is not settled before it is done, and nothing else comes into force until then."""
    machine.commit(60.0)
    machine.disk.fails = "in force"
    with pytest.raises(VerbError, match="tried again"):
        machine.commits.revert("root")
    assert machine.commits.state.phase is Phase.REVERTING
    with pytest.raises(VerbError, match="being reverted"):
        machine.commit(0.0)
