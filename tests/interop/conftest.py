"""One lab for the whole run; when a test fails, what its processes have said is shown with it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import pytest

from tests.netns.lab import Host, Lab
from tests.netns.process import Process
from tests.netns.proxy import Cluster, Proxy, Settings, Start

_labs = pytest.StashKey[list[Lab]]()
_begun = pytest.StashKey[dict[Process, int]]()
_SHOWN = 4000  # characters of the output of each process, the newest


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The network; tests name the hosts that they want."""
    with Lab() as network:
        request.config.stash[_labs] = [network]
        yield network
        request.config.stash[_labs] = []


@pytest.fixture(scope="session")
def phone(lab: Lab) -> Host:
    """The host in which clients run."""
    return lab.host("phone")


@pytest.fixture
def trial(lab: Lab) -> Iterator[Start]:
    """Starts proxies for one test, in the host `trial`, one at a time."""
    started: list[Proxy] = []

    def start(clusters: Sequence[Cluster], settings: Settings) -> Proxy:
        for before in started:
            before.stop()
        started.append(Proxy(lab.host("trial"), clusters, settings))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()


@pytest.fixture(autouse=True)
def whole_network(lab: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    """Faults end with the test that made them, and a test is shown with what was said during it."""
    request.node.stash[_begun] = {process: len(process.output()) for process in lab.processes}
    yield
    lab.wire.mend()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the output of the lab's processes to the report of a failure."""
    report = yield
    if report.failed:
        begun = item.stash.get(_begun, {})
        for lab in item.config.stash.get(_labs, []):
            for process in lab.processes:
                if text := process.output()[begun.get(process, 0) :][-_SHOWN:].strip():
                    report.sections.append((process.name, text))
    return report
