"""Files of clusters: from every kind of server, by every protocol, and one fetch for all who wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import files, servers
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, WHOLE, Job, ask
from tests.netns.process import Process
from tests.netns.proxy import BUDGET, Cluster, Proxy
from tests.netns.servers import HTTP_PORT, TFTP_PORT

pytestmark = pytest.mark.root

CLUSTERS = {
    "hpa-auto": (servers.tftpd_hpa, "auto"),  # HTTP is refused there
    "hpa-tftp": (servers.tftpd_hpa, "tftp"),
    "dnsmasq": (servers.dnsmasq, "tftp"),
    "busybox": (servers.busybox_httpd, "auto"),
    "python": (servers.python_httpd, "http"),
}
TOGETHER = 20
KEPT = (0, 1, 8192, 1 << 20, 2 << 20)


@pytest.fixture(scope="module")
def upstream(lab: Lab) -> Iterator[dict[str, Process]]:
    """One host and one server for each cluster; their files carry the cluster's name."""
    started = {}
    for name, (server, _) in CLUSTERS.items():
        root = lab.scratch(name)
        root.mkdir()
        files.write_sizes(root, name)
        files.write_sizes(root, f"{name}-together", [8192, 1 << 20])
        files.write_sizes(root, f"{name}-kept", KEPT)
        started[name] = server(lab.host(name), root)
    yield started
    for process in started.values():
        process.stop()


@pytest.fixture(scope="module")
def proxy(lab: Lab, upstream: dict[str, Process]) -> Iterator[Proxy]:
    clusters = [
        Cluster(name, (lab.host(name).ipv6 if name == "hpa-tftp" else lab.host(name).ipv4,), protocol)
        for name, (_, protocol) in CLUSTERS.items()
    ]
    running = Proxy(lab.host("proxy"), clusters)
    yield running
    running.stop()


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_size(cluster: str, phone: Host, proxy: Proxy) -> None:
    """A phone of each transport asks in the same moment for the same files."""
    names = {f"{cluster}-{size}.bin": size for size in files.SIZES}
    ends = (("tftp", TFTP_PORT), ("http", HTTP_PORT))
    jobs = [Job(proxy.host.ipv4, transport, port, tuple(names)) for transport, port in ends]
    expected = [(name, WHOLE, files.digest(files.body(name, size))) for name, size in names.items()]
    for job, answers in zip(jobs, ask(phone, jobs), strict=True):
        assert [(each.name, each.status, each.digest) for each in answers] == expected, job.transport


def test_nobody_has_it(phone: Host, proxy: Proxy) -> None:
    """ERROR 1 and 404; every cluster said so, hence well before the budget is spent."""
    ends = (("tftp", TFTP_PORT), ("http", HTTP_PORT))
    jobs = [Job(proxy.host.ipv4, transport, port, ("nobody.bin",)) for transport, port in ends]
    for (answer,) in ask(phone, jobs):
        assert answer.status == NOT_FOUND
        assert answer.seconds < BUDGET / 2


def test_asked_once(phone: Host, proxy: Proxy, upstream: dict[str, Process]) -> None:
    """File after file over a kept connection: none is asked for twice."""
    names = [f"python-kept-{size}.bin" for size in KEPT]
    (answers,) = ask(phone, [Job(proxy.host.ipv4, "http", HTTP_PORT, tuple(names))])
    assert [each.status for each in answers] == [WHOLE] * len(names)
    log = upstream["python"].output()
    assert {name: log.count(f"GET /{name} ") for name in names} == dict.fromkeys(names, 1)


@pytest.mark.parametrize("size", [8192, 1 << 20])
@pytest.mark.parametrize("cluster", ["dnsmasq", "busybox", "python"])
def test_one_fetch_for_all(
    cluster: str, size: int, lab: Lab, phone: Host, proxy: Proxy, upstream: dict[str, Process]
) -> None:
    """Twenty phones ask at once; the server's own log says how often it was asked."""
    name = f"{cluster}-together-{size}.bin"
    sources = [f"10.66.0.{number}" for number in range(101, 101 + TOGETHER)]
    phone.add(*(f"{each}/24" for each in sources))
    try:
        jobs = [
            Job(proxy.host.ipv4, "tftp", TFTP_PORT, (name,), source=source)
            if number % 2
            else Job(proxy.host.ipv4, "http", HTTP_PORT, (name,), source=source)
            for number, source in enumerate(sources)
        ]
        answers = [each for (each,) in ask(phone, jobs)]
    finally:
        phone.remove(*(f"{each}/24" for each in sources))
    wanted = files.digest(files.body(name, size))
    assert [(each.status, each.digest) for each in answers] == [(WHOLE, wanted)] * TOGETHER
    assert upstream[cluster].output().count(name) == 1
