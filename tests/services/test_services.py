"""One service that fails, beside others; and what is shown of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gevent
import pytest

from appliance.config.model import Ssh, System
from appliance.services import services as module
from appliance.services.chrony import Tracking
from appliance.services.services import Services

LONG = 20.0  # s
SYSTEM = System("box", "UTC", (), ("10.0.0.1",), "", 115200)
OFF, ON = Ssh(False, (), None), Ssh(True, (), None)


class Daemon:
    """In the place of both; what is asked of it goes to `asked`."""

    def __init__(self, *arguments: object, **more: object) -> None:
        self.asked: list[object] = []
        self.fault: Exception | None = None
        self.running = False
        self.why = ""
        self.found: Tracking | None = None

    def settle(self, wanted: object) -> None:
        if self.fault is not None:
            raise self.fault
        self.asked.append(wanted)
        self.running = True

    def stop(self) -> None:
        self.running = False

    leave = stop

    def tracking(self) -> Tracking | None:
        return self.found


@pytest.fixture
def daemons(monkeypatch: pytest.MonkeyPatch) -> dict[str, Daemon]:
    found = {"clock": Daemon(), "ssh": Daemon()}
    monkeypatch.setattr(module, "LOOK", 0.02)
    monkeypatch.setattr(module, "Chronyd", lambda *arguments, **more: found["clock"])
    monkeypatch.setattr(module, "Sshd", lambda *arguments, **more: found["ssh"])
    return found


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def services(daemons: dict[str, Daemon], told: list[str], tmp_path: Path) -> Iterator[Services]:
    found = Services(tmp_path / "run", tmp_path / "data", told.append)
    yield found
    found.stop()


def await_(condition: Callable[[], object], what: str) -> None:
    with gevent.Timeout(LONG, AssertionError(f"waited in vain: {what}")):
        while not condition():
            gevent.sleep(0.01)


def shown(services: Services) -> dict[str, tuple[bool, bool, str]]:
    return {each.name: (each.wanted, each.ok, each.text) for each in services.shown()}


def test_nothing_before_the_first(services: Services) -> None:
    assert services.shown() == ()


def test_all_is_well(services: Services, daemons: dict[str, Daemon], told: list[str]) -> None:
    daemons["clock"].found = Tracking("10.0.0.1", 2, -0.5)
    services.apply(SYSTEM, ON)
    await_(lambda: all(ok for _, ok, _ in shown(services).values()), "all services")
    assert shown(services) == {
        "time zone": (True, True, "UTC"),
        "clock": (True, True, "follows 10.0.0.1 (stratum 2), -0.5 ms"),
        "ssh": (True, True, "on"),
    }
    assert daemons["clock"].asked[0] == ("10.0.0.1",)
    assert told == []


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (OSError(28, "No space left", "/data/x"), "/data/x: No space left"),
        (OSError("odd\x1b"), r"odd\x1b"),
        (ValueError("a mistake"), "ValueError('a mistake')"),
    ],
)
def test_one_that_fails(
    fault: Exception, text: str, services: Services, daemons: dict[str, Daemon], told: list[str]
) -> None:
    """It is told once, and the others are there; later it comes by itself."""
    daemons["ssh"].fault = fault
    services.apply(SYSTEM, ON)
    await_(lambda: len(daemons["clock"].asked) > 3, "some looks")
    assert shown(services)["ssh"] == (True, False, text)
    assert len(told) == 1
    daemons["ssh"].fault = None
    await_(lambda: shown(services)["ssh"] == (True, True, "on"), "SSH")


def test_an_unknown_zone(services: Services, told: list[str], tmp_path: Path) -> None:
    services.apply(System("box", "Mars/Olympus", (), (), "", 115200), OFF)
    await_(lambda: told, "the fault")
    assert shown(services)["time zone"] == (True, False, "Mars/Olympus: this machine knows no such time zone")


def test_ssh_ends_when_its_time_is_over(services: Services, daemons: dict[str, Daemon]) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1)
    services.apply(SYSTEM, Ssh(True, (), until))
    await_(lambda: daemons["ssh"].running, "SSH")
    await_(lambda: not daemons["ssh"].running, "its end")
    assert datetime.now(UTC) >= until
    assert shown(services)["ssh"] == (False, True, f"off since {until:%Y-%m-%dT%H:%M:%SZ}")


def test_servers_of_leases(daemons: dict[str, Daemon], tmp_path: Path) -> None:
    """Another lease is seen at the next look."""
    leased = ["10.0.0.9"]
    services = Services(tmp_path, tmp_path, print, lambda static: static or leased)
    services.apply(System("box", "UTC", (), (), "", 115200), OFF)
    await_(lambda: daemons["clock"].asked[-1:] == [["10.0.0.9"]], "the server")
    leased = ["10.0.0.8"]
    await_(lambda: daemons["clock"].asked[-1:] == [["10.0.0.8"]], "the other one")
    services.stop()
