"""Every client gets the files of the local store, byte for byte, over IPv4 and IPv6."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from appliance.serve.storage import FRESH
from tests.netns import clients, files
from tests.netns.clients import ClientError
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, WHOLE, Job, ask
from tests.netns.proxy import Proxy
from tests.netns.servers import HTTP_PORT, TFTP_PORT

pytestmark = pytest.mark.root

FAMILIES = ("IPv4", "IPv6")
WRAP = f"clients-{files.PAST_WRAP}.bin"


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Iterator[Proxy]:
    running = Proxy(lab.host("proxy"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def wanted(proxy: Proxy) -> dict[str, bytes]:
    return files.write_sizes(proxy.store, "clients")


@pytest.fixture(scope="module")
def past_wrap(proxy: Proxy) -> bytes:
    written = files.write(proxy.store, WRAP, files.PAST_WRAP)
    time.sleep(2 * FRESH)  # what the store lacks is known for so long without another look
    return written


def _rows(names: dict[str, clients.Fetch]) -> list[tuple[str, str]]:
    return [
        (name, family)
        for name in names
        for family in FAMILIES
        if not (name in clients.IPV4_ONLY and family == "IPv6")
    ]


def _address(proxy: Proxy, family: str) -> str:
    return proxy.host.ipv6 if family == "IPv6" else proxy.host.ipv4


@pytest.mark.parametrize(("client", "family"), _rows(clients.TFTP))
def test_tftp(client: str, family: str, phone: Host, proxy: Proxy, wanted: dict[str, bytes]) -> None:
    fetch, address = clients.TFTP[client], _address(proxy, family)
    for name, content in wanted.items():
        assert fetch(phone, address, TFTP_PORT, name) == content, name


@pytest.mark.parametrize(("client", "family"), _rows(clients.TFTP))
def test_tftp_not_found(client: str, family: str, phone: Host, proxy: Proxy) -> None:
    with pytest.raises(ClientError, match=r"(?i)not found|exit 68"):
        clients.TFTP[client](phone, _address(proxy, family), TFTP_PORT, "absent.bin")


# One family each: the numbers of blocks do not know it, and these are the slowest transfers of all.
@pytest.mark.parametrize(
    ("client", "family"),
    [("atftp blksize 8", "IPv6"), ("curl blksize 8", "IPv6"), ("tftpy blksize 8", "IPv4")],
)
def test_block_number_wraps(client: str, family: str, phone: Host, proxy: Proxy, past_wrap: bytes) -> None:
    fetch = clients.SMALL_BLOCKS[client]
    assert fetch(phone, _address(proxy, family), TFTP_PORT, WRAP) == past_wrap


@pytest.mark.parametrize("family", FAMILIES)
def test_http(family: str, phone: Host, proxy: Proxy, wanted: dict[str, bytes]) -> None:
    """Whole files, all by one connection: every answer says where it ends."""
    address = _address(proxy, family)
    bodies, connections = clients.curl_keep_alive(phone, address, HTTP_PORT, list(wanted))
    assert dict(zip(wanted, bodies, strict=True)) == wanted
    assert connections == 1
    with pytest.raises(ClientError, match="404"):
        clients.curl_http(phone, address, HTTP_PORT, "absent.bin")


@pytest.mark.parametrize("name", ["clients-0.bin", "clients-8192.bin"])
def test_http_head(name: str, phone: Host, proxy: Proxy, wanted: dict[str, bytes]) -> None:
    head = clients.curl_http(phone, proxy.host.ipv4, HTTP_PORT, name, options=["-I"]).decode().lower()
    assert head.startswith("http/1.1 200 ")
    assert f"\r\ncontent-length: {len(wanted[name])}\r\n" in head


def test_http_range(phone: Host, proxy: Proxy, wanted: dict[str, bytes]) -> None:
    """Either the range, said to be one, or the whole file, said to be that (RFC 9110, 14.2)."""
    name = "clients-8192.bin"
    reply = clients.curl_http(phone, proxy.host.ipv4, HTTP_PORT, name, options=["-i", "-r", "100-199"])
    head, _, content = reply.partition(b"\r\n\r\n")
    whole = wanted[name]
    answers = {b"200": whole, b"206": whole[100:200]}
    assert content == answers[head.split()[1]]


@pytest.mark.parametrize("family", FAMILIES)
def test_bare_phone(family: str, phone: Host, proxy: Proxy, wanted: dict[str, bytes]) -> None:
    """No options, two-line requests; both at once."""
    ends = (("tftp", TFTP_PORT), ("http", HTTP_PORT))
    names = (*wanted, "absent.bin")
    jobs = [Job(_address(proxy, family), transport, port, names) for transport, port in ends]
    expected = [(name, WHOLE, files.digest(content)) for name, content in wanted.items()]
    expected.append(("absent.bin", NOT_FOUND, ""))
    for job, answers in zip(jobs, ask(phone, jobs), strict=True):
        assert [(each.name, each.status, each.digest) for each in answers] == expected, job.transport
