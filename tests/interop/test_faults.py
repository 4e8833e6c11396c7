"""Clusters that are dead or silent: the next address serves, the others are not delayed, and
"unavailable" is not "not found"."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import files, servers
from tests.netns.lab import Host, Lab
from tests.netns.phone import BROKEN, SILENT, UNAVAILABLE, WHOLE, Answer, Job, ask
from tests.netns.process import Process, wait_for
from tests.netns.proxy import BUDGET, Cluster, Proxy, Start
from tests.netns.servers import HTTP_PORT, TFTP_PORT

pytestmark = pytest.mark.root

PROBE = 5.0  # s between two looks at an address that was silent
SLACK = 12.0  # s, for two cores that others use, too
ENDS = (("tftp", TFTP_PORT), ("http", HTTP_PORT))
KINDS = {
    "tftp-hpa": (servers.tftpd_hpa, "tftp"),
    "dnsmasq": (servers.dnsmasq, "auto"),
    "busybox": (servers.busybox_httpd, "auto"),
    "python": (servers.python_httpd, "http"),
}


@pytest.fixture(scope="module")
def alive(lab: Lab) -> Iterator[dict[str, Host]]:
    """A host for each kind of server, with the files `KIND-1.bin` and `KIND-8192.bin`."""
    hosts: dict[str, Host] = {}
    processes: list[Process] = []
    for kind, (server, _) in KINDS.items():
        root = lab.scratch(kind)
        root.mkdir()
        files.write_sizes(root, kind, [1, 8192])
        hosts[kind] = lab.host(f"f-{kind}")
        processes.append(server(hosts[kind], root))
    yield hosts
    for process in processes:
        process.stop()


def _ask_both(phone: Host, proxy: Proxy, *names: str) -> list[Answer]:
    jobs = [Job(proxy.host.ipv4, transport, port, names) for transport, port in ENDS]
    return [answer for answers in ask(phone, jobs) for answer in answers]


def _assert_whole(answers: list[Answer], *names: str) -> None:
    sizes = {name: int(name.removesuffix(".bin").rpartition("-")[2]) for name in names}
    wanted = [(name, WHOLE, files.digest(files.body(name, size))) for name, size in sizes.items()] * 2
    assert [(each.name, each.status, each.digest) for each in answers] == wanted
    assert max(each.seconds for each in answers) < BUDGET + SLACK


@pytest.mark.parametrize("fault", ["closed port", "black hole"])
@pytest.mark.parametrize("kind", KINDS)
def test_first_address(
    kind: str, fault: str, lab: Lab, phone: Host, alive: dict[str, Host], trial: Start
) -> None:
    """The second address of the cluster serves within the budget; and again, when it is known."""
    idle = lab.host("idle")
    proxy = trial([Cluster(kind, (idle.ipv4, alive[kind].ipv4), KINDS[kind][1])], {})
    if fault == "black hole":
        idle.drop()
    for name in (f"{kind}-1.bin", f"{kind}-8192.bin"):
        _assert_whole(_ask_both(phone, proxy, name), name)


@pytest.mark.parametrize("silent_first", [True, False])
@pytest.mark.parametrize("protocol", ["auto", "http", "tftp"])
def test_silent_cluster(
    protocol: str, silent_first: bool, lab: Lab, phone: Host, alive: dict[str, Host], trial: Start
) -> None:
    """All addresses of one cluster are black holes: files of the others still arrive in time."""
    idle = lab.host("idle")
    extra = tuple(f"10.66.0.{number}" for number in (151, 152))
    idle.add(*(f"{each}/24" for each in extra))
    try:
        idle.drop(idle.ipv4, *extra)
        silent = [Cluster("silent", (idle.ipv4, *extra), protocol)]
        others = [Cluster(kind, (host.ipv4,), KINDS[kind][1]) for kind, host in alive.items()]
        proxy = trial(silent + others if silent_first else others + silent, {})
        names = [f"{kind}-8192.bin" for kind in alive]
        _assert_whole(_ask_both(phone, proxy, *names), *names)
        answers = _ask_both(phone, proxy, "nobody.bin")
        assert [each.status for each in answers] == [UNAVAILABLE] * 2
        assert max(each.seconds for each in answers) < BUDGET + SLACK
    finally:
        idle.remove(*(f"{each}/24" for each in extra))


def test_silent_cluster_that_comes_back(lab: Lab, phone: Host, alive: dict[str, Host], trial: Start) -> None:
    """Nothing is remembered of "unavailable": the file is there once its cluster is."""
    kind = "python"
    host = alive[kind]
    host.drop()
    proxy = trial([Cluster(kind, (host.ipv4,), KINDS[kind][1])], {})
    name = f"{kind}-1.bin"
    assert [each.status for each in _ask_both(phone, proxy, name)] == [UNAVAILABLE] * 2
    host.undrop()

    def served() -> bool:
        return [each.status for each in _ask_both(phone, proxy, name)] == [WHOLE] * 2

    wait_for(served, "the file", PROBE + BUDGET + SLACK)


def test_silence_when_unavailable(lab: Lab, phone: Host, alive: dict[str, Host], trial: Start) -> None:
    """By configuration: nothing is said, so that the phone repeats."""
    idle = lab.host("idle")
    idle.drop()
    proxy = trial([Cluster("silent", (idle.ipv4,))], {"lookup": {"unavailable": "silence"}})
    tftp, http = _ask_both(phone, proxy, "nobody.bin")
    assert tftp.status == SILENT
    assert http.status in (SILENT, BROKEN)
    assert not http.detail.isdigit()  # no status of any kind
