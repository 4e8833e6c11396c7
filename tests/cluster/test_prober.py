"""Probes: when they are sent, how many at a time, and when they end."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import gevent
import pytest
from gevent.event import Event

from appliance.cluster import health, prober
from appliance.cluster.health import Health, Upstream
from appliance.cluster.prober import Prober
from appliance.config.model import Cluster, Protocol
from tests.cluster.world import until

HTTP, TFTP, AUTO = Protocol.HTTP, Protocol.TFTP, Protocol.AUTO


class Site:
    """Addresses that do not answer, and what probes them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Protocol]] = []
        self.running = self.most = 0
        self.gate = Event()  # open: probes fail at once
        self.gate.set()
        self.mistake: Exception | None = None
        self.faults: list[Exception] = []
        self.prober = Prober(self.probe, self.faults.append)

    def upstream(self, number: int, name: str = "east", protocol: Protocol = HTTP) -> Upstream:
        address = ip_address(f"127.0.1.{number}")
        known = Health(protocol)
        for spoken in known.breakers:
            known.failed(spoken, "refused", 0, 0, connected=False)
        return Upstream(Cluster(name, (address,), protocol, 1, 2, True, False, ""), address, known)

    def probe(self, upstream: Upstream, protocol: Protocol) -> str | None:
        self.asked.append((upstream.cluster.name, str(upstream.address), protocol))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            self.gate.wait()
            if self.mistake is not None:
                raise self.mistake
            upstream.health.failed(protocol, "refused", 1, 1, connected=False)
        finally:
            self.running -= 1
        return None


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(prober, "LOOK", 0.005)
    monkeypatch.setattr(health, "PROBE_EVERY", 0.0)
    site = Site()
    yield site
    site.prober.stop()
    until(lambda: site.running == 0)


def test_again_and_again_until_it_answers(site: Site) -> None:
    upstream = site.upstream(1)
    site.prober.watch(upstream)
    until(lambda: len(site.asked) == 5)
    assert site.most == 1
    upstream.health.answered(HTTP, 2, 3)
    until(lambda: not len(site.prober))
    count = len(site.asked)
    gevent.sleep(0.03)
    assert len(site.asked) == count


def test_it_begins_again(site: Site) -> None:
    upstream = site.upstream(1)
    for _ in range(2):
        upstream.health.failed(HTTP, "refused", 1e9, 1e9, connected=False)
        upstream.health.breakers[HTTP].probed(0)
        site.prober.watch(upstream)
        count = len(site.asked)
        until(lambda count=count: len(site.asked) > count)  # type: ignore[misc]
        upstream.health.answered(HTTP, 2, 3)
        until(lambda: not len(site.prober))
        gevent.sleep(0.02)


def test_one_at_a_time_for_an_address_and_protocol(site: Site) -> None:
    site.gate.clear()
    site.prober.watch(site.upstream(1, protocol=AUTO))
    site.prober.watch(site.upstream(2))
    until(lambda: len(site.asked) == 3)
    gevent.sleep(0.05)
    assert sorted(site.asked) == [
        ("east", "127.0.1.1", HTTP),
        ("east", "127.0.1.1", TFTP),
        ("east", "127.0.1.2", HTTP),
    ]


def test_so_many_at_one_time(site: Site) -> None:
    site.gate.clear()
    for number in range(1, 51):
        site.prober.watch(site.upstream(number))
    until(lambda: site.running == prober.PROBES_MAX)
    gevent.sleep(0.03)
    assert site.running == prober.PROBES_MAX
    site.gate.set()
    until(lambda: len({address for _, address, _ in site.asked}) == 50)  # each has its turn
    assert site.most == prober.PROBES_MAX


def test_a_dropped_cluster(site: Site) -> None:
    site.gate.clear()
    site.prober.watch(site.upstream(1))
    site.prober.watch(site.upstream(2, "west"))
    until(lambda: site.running == 2)
    site.prober.drop("east")
    until(lambda: site.running == 1)
    site.asked.clear()
    site.gate.set()
    until(lambda: len(site.asked) == 3)
    assert {name for name, _, _ in site.asked} == {"west"}


def test_dropped_while_it_waits_for_its_turn(site: Site) -> None:
    site.gate.clear()
    upstreams = [site.upstream(number, "west" if number == 40 else "east") for number in range(1, 41)]
    for upstream in upstreams:
        site.prober.watch(upstream)
    until(lambda: site.running == prober.PROBES_MAX)
    upstreams[30].health.answered(HTTP, 2, 3)
    site.prober.drop("east")
    until(lambda: [name for name, _, _ in site.asked[prober.PROBES_MAX :]] == ["west"])


def test_stopped(site: Site) -> None:
    site.gate.clear()
    site.prober.watch(site.upstream(1))
    until(lambda: site.running == 1)
    site.prober.stop()
    until(lambda: site.running == 0)
    assert len(site.prober) == 0


def test_a_mistake_of_ours_costs_one_probe(site: Site) -> None:
    site.mistake = KeyError("oops")
    site.prober.watch(site.upstream(1))
    until(lambda: len(site.faults) >= 2)
    assert {type(fault) for fault in site.faults} == {KeyError}


def test_an_address_that_is_out_of_use_is_left_alone(site: Site) -> None:
    upstream = site.upstream(1)
    upstream.health.out_of_use = "an address of this box itself"
    site.prober.watch(upstream)
    gevent.sleep(0.03)
    assert site.asked == []
