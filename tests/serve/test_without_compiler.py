"""The proxy where the extension was not built: the same, only slower."""

from __future__ import annotations

import random

import pytest

from tests.netns.process import wait_for
from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, Refused, ack, data, fetch
from tests.serve.proxy import Proxy
from tests.serve.site import addresses, fetch_all

SMALL = random.Random(41).randbytes(8192)
LARGE = random.Random(42).randbytes(1_500_000)
PURE = "APPLIANCE_PURE_PYTHON"


@pytest.fixture
def proxy(start: StartProxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    monkeypatch.setenv(PURE, "1")
    proxy = start()
    proxy.write("small.bin", SMALL)
    proxy.write("large.bin", LARGE)
    return proxy


def test_status_tells(proxy: Proxy, start: StartProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy.counters()["pump"] == "Python"
    monkeypatch.delenv(PURE)
    assert start().counters()["pump"] in ("C", "Python")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("blksize", "1428"),
        ("windowsize", "16"),
        ("blksize", "1428", "windowsize", "16"),
        ("blksize", "1428", "windowsize", "64"),
        ("blksize", "8192", "windowsize", "3", "tsize", "0"),
    ],
)
@pytest.mark.parametrize(("name", "content"), [("small.bin", SMALL), ("large.bin", LARGE)])
def test_files(proxy: Proxy, name: str, content: bytes, options: tuple[str, ...]) -> None:
    assert fetch(proxy.tftp, name, *options) == content
    with pytest.raises(Refused):
        fetch(proxy.tftp, "absent.bin", *options)
    proxy.settle()
    served = [record for record in proxy.records(2) if record["result"] == "served"]
    assert [record["bytes"] for record in served] == [len(content)]


def test_a_closed_port(proxy: Proxy) -> None:
    with Phone(proxy.tftp) as phone:
        phone.ask("small.bin")
        assert phone.receive() == data(1, SMALL[:512])
        proxy.pause()
        phone.send(ack(1))
    proxy.go_on()
    wait_for(lambda: proxy.counters()["peers_gone"] == 1, "the peer is known to be gone")
    proxy.settle()


def test_five_hundred_phones(proxy: Proxy) -> None:
    figures = fetch_all(proxy.tftp, addresses(500, 1), "small.bin", SMALL)
    assert (figures.whole, figures.wrong) == (500, 0)
