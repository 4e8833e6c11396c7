"""Bad networks: loss by nftables on the bridge, repetition and reordering by a forwarder of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import clients, files
from tests.netns.forwarder import OPENING, PORT, Road
from tests.netns.lab import Host, Lab
from tests.netns.phone import BLOCK, WHOLE, Job, ask
from tests.netns.proxy import Proxy
from tests.netns.servers import TFTP_PORT

pytestmark = pytest.mark.root

TRANSFERS = 30
# s without a new block, in which the proxy sends one ten times: 1 s apart at first, at most 8 s.
# All ten are lost for one block in ten million.
PATIENCE = 60.0
BOUND = 150.0  # s for all transfers, which run at once


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Iterator[Proxy]:
    running = Proxy(lab.host("proxy"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def wanted(proxy: Proxy) -> dict[str, bytes]:
    return files.write_sizes(proxy.store, "loss", [0, 511, 512, 8192, 256 << 10])


def test_a_fifth_is_lost_each_way(phone: Host, proxy: Proxy, wanted: dict[str, bytes]) -> None:
    name = "loss-8192.bin"
    phone.lose(0.2)
    job = Job(proxy.host.ipv4, "tftp", TFTP_PORT, (name,), patience=PATIENCE)
    answers = [each for (each,) in ask(phone, [job] * TRANSFERS, timeout=BOUND)]
    whole = (WHOLE, files.digest(wanted[name]))
    assert [(each.status, each.digest) for each in answers] == [whole] * TRANSFERS


@pytest.mark.parametrize("seed", range(3))
def test_repeated_and_overtaken(seed: int, phone: Host, proxy: Proxy, wanted: dict[str, bytes]) -> None:
    """Lock-step: whole, and the proxy sends each block once, however often an ACK comes."""
    names = [name for name, content in wanted.items() if len(content) <= 8192]
    with Road(phone, proxy.host.ipv4, seed=seed, repeat=0.2, late=0.3) as road:
        (answers,) = ask(phone, [Job(phone.ipv4, "tftp", PORT, tuple(names))])
    whole = [(WHOLE, files.digest(wanted[name])) for name in names]
    assert [(each.status, each.digest) for each in answers] == whole
    assert road.counts.repeated
    assert road.counts.late
    blocks = sum(len(wanted[name]) // BLOCK + 1 for name in names)
    # A repeated request may find its transfer done, and start it once more.
    assert blocks <= road.counts.from_server <= blocks + len(names)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("client", ["atftp windowsize 8", "curl blksize 1428", "tftpy"])
def test_clients_on_a_bad_road(
    client: str, seed: int, phone: Host, proxy: Proxy, wanted: dict[str, bytes]
) -> None:
    """Windows, too, survive blocks in a wrong order and twice."""
    with Road(phone, proxy.host.ipv4, seed=seed, repeat=0.05, late=0.1, spared=OPENING) as road:
        for name, content in wanted.items():
            assert clients.TFTP[client](phone, phone.ipv4, PORT, name) == content, name
    assert road.counts.late
