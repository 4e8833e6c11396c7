"""The bench itself: every client against real servers, faults that are faults, nothing left behind.

What fails here fails without the product.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns import clients, files, servers
from tests.netns.capture import Capture, complaints, transfers
from tests.netns.clients import ClientError
from tests.netns.forwarder import PORT, Road
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, SILENT, WHOLE, Job, ask
from tests.netns.process import wait_for

pytestmark = pytest.mark.root

SIZES = (0, 1, 512, 8192)
BROKEN_OACK = b"\0\6blksize\0"  # an option without its value
SERVERS = {
    "tftp-hpa": servers.tftpd_hpa,
    "atftpd": servers.atftpd,
    "dnsmasq": servers.dnsmasq,
    "busybox": servers.busybox_httpd,
    "python": servers.python_httpd,
}


@pytest.fixture(scope="module")
def root(lab: Lab) -> Path:
    folder = lab.scratch("bench")
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def wanted(root: Path) -> dict[str, bytes]:
    return files.write_sizes(root, "bench", SIZES)


@pytest.fixture(scope="module")
def bench(lab: Lab, root: Path) -> Iterator[dict[str, Host]]:
    """A host for each server."""
    hosts = {name: lab.host(f"b-{name}") for name in SERVERS}
    processes = [SERVERS[name](host, root) for name, host in hosts.items()]
    yield hosts
    for process in processes:
        process.stop()


def _address(host: Host, family: str) -> str:
    return host.ipv6 if family == "IPv6" else host.ipv4


def _pairs() -> Iterator[tuple[str, str, str]]:
    for client in clients.TFTP:
        for server in ("tftp-hpa", "atftpd", "dnsmasq"):
            for family in ("IPv4", "IPv6"):
                only4 = client in clients.IPV4_ONLY or server == "atftpd"
                wrong = server == "dnsmasq" and client == "tftp-hpa netascii"  # it loses CRs
                if not wrong and not (only4 and family == "IPv6"):
                    yield client, server, family


@pytest.mark.parametrize(("client", "server", "family"), list(_pairs()))
def test_tftp_clients(
    client: str, server: str, family: str, phone: Host, bench: dict[str, Host], wanted: dict[str, bytes]
) -> None:
    fetch, address = clients.TFTP[client], _address(bench[server], family)
    for name, content in wanted.items():
        if not content and client in ("curl", "curl blksize 1428"):
            continue  # curl refuses "tsize 0" in an OACK, which these servers send
        assert fetch(phone, address, 69, name) == content, name
    with pytest.raises(ClientError, match=r"(?i)not found|exit 68"):
        fetch(phone, address, 69, "absent.bin")


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
@pytest.mark.parametrize("server", ["busybox", "python"])
def test_http_client(
    server: str, family: str, phone: Host, bench: dict[str, Host], wanted: dict[str, bytes]
) -> None:
    address = _address(bench[server], family)
    bodies, connections = clients.curl_keep_alive(phone, address, servers.HTTP_PORT, list(wanted))
    assert dict(zip(wanted, bodies, strict=True)) == wanted
    assert connections == (1 if server == "python" else len(wanted))
    with pytest.raises(ClientError, match="404"):
        clients.curl_http(phone, address, servers.HTTP_PORT, "absent.bin")


def test_bare_phones(phone: Host, bench: dict[str, Host], wanted: dict[str, bytes]) -> None:
    names = (*wanted, "absent.bin")
    ends = [
        ("tftp", "tftp-hpa", 69),
        ("tftp", "dnsmasq", 69),
        ("http", "busybox", 6970),
        ("http", "python", 6970),
    ]
    jobs = [
        Job(_address(bench[server], family), transport, port, names)
        for transport, server, port in ends
        for family in ("IPv4", "IPv6")
    ]
    expected = [(name, WHOLE, files.digest(content)) for name, content in wanted.items()]
    expected.append(("absent.bin", NOT_FOUND, ""))
    for job, answers in zip(jobs, ask(phone, jobs), strict=True):
        assert [(each.name, each.status, each.digest) for each in answers] == expected, job


def test_black_hole(phone: Host, bench: dict[str, Host], wanted: dict[str, bytes]) -> None:
    host = bench["tftp-hpa"]
    jobs = [Job(each, "tftp", 69, ("bench-1.bin",), patience=0.1) for each in (host.ipv4, host.ipv6)]
    host.drop()
    assert {answer.status for answers in ask(phone, jobs) for answer in answers} == {SILENT}
    host.undrop()
    assert {answer.status for answers in ask(phone, jobs) for answer in answers} == {WHOLE}


def test_loss(phone: Host, bench: dict[str, Host], wanted: dict[str, bytes]) -> None:
    """Half of all packets: the phones come through, but not at once."""
    phone.lose(0.5)
    jobs = [Job(bench["tftp-hpa"].ipv4, "tftp", 69, ("bench-1.bin",), patience=30)] * 8
    answers = [each for (each,) in ask(phone, jobs)]
    assert {each.status for each in answers} == {WHOLE}
    assert max(each.seconds for each in answers) > 0.9  # one repetition, at least


def test_forwarder(phone: Host, bench: dict[str, Host], wanted: dict[str, bytes]) -> None:
    with Road(phone, bench["tftp-hpa"].ipv4, seed=1, repeat=0.3, late=0.5) as road:
        (answers,) = ask(phone, [Job(phone.ipv4, "tftp", PORT, tuple(wanted))])
    assert [each.digest for each in answers] == [files.digest(content) for content in wanted.values()]
    assert road.counts.repeated
    assert road.counts.late


def test_capture(lab: Lab, phone: Host, bench: dict[str, Host], wanted: dict[str, bytes]) -> None:
    """The judge of transfers sees what was sent, and sees when a packet is none."""
    record = Capture(lab, phone.name)
    server = bench["tftp-hpa"].ipv4
    for name in wanted:
        clients.busybox(phone, server, 69, name, blksize=1428)
    end = (bench["busybox"].ipv4, 69)
    broken = f"import socket; socket.socket(2, 2).sendto({BROKEN_OACK!r}, {end!r})"
    phone.run([sys.executable, "-c", broken])
    ask(phone, [Job(server, "tftp", 69, ("absent.bin",))])
    record.stop("absent.bin")
    *found, last = transfers(record.path)
    assert {each.name: each.body for each in found} == wanted
    assert all(each.whole and each.oack["blksize"] == "1428" for each in found)
    assert last.name == "absent.bin"
    assert "Malformed" in complaints(record.path)


def test_nothing_is_left() -> None:
    with Lab() as lab:
        sleeper = lab.host("a").start(["sh", "-c", "trap '' TERM; sleep 1000 & echo up; sleep 1000"], "up")
        lab.host("b")
        folder, prefix = lab.folder, lab.prefix
        sleeper.stop(timeout=0.1)
        inside = subprocess.run(
            ["ip", "netns", "pids", lab.host("a").namespace], capture_output=True, check=True
        )
        assert inside.stdout == b""
    wait_for(lambda: not sleeper.running, "end of the sleeper")
    assert not folder.exists()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert prefix not in listed
