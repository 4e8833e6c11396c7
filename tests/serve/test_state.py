"""What `status` tells of clusters, devices and copies, of a running proxy."""

from __future__ import annotations

import socket
from typing import Any

from appliance.report.status import Status
from appliance.serve.state import DUPLICATES_MAX
from tests.netns.process import wait_for
from tests.report.shape import unlike
from tests.serve.conftest import StartProxy
from tests.serve.proxy import Proxy, free_port
from tests.serve.upstreams import Asked, HttpUpstream, TftpUpstream, ask_http, whole

BODY = b"0123456789" * 100
LIST = "ConfigFileCacheList.txt"


def has(wire: socket.socket, asked: Asked) -> None:
    wire.sendall(whole(BODY))


def cluster(proxy: Proxy, name: str = "east") -> dict[str, Any]:
    """What is told of a cluster."""
    status = proxy.status()
    assert list(unlike(status, Status)) == []
    (found,) = [each for each in status["clusters"] if each["name"] == name]
    assert isinstance(found, dict)
    return found


def states(proxy: Proxy, name: str = "east") -> list[list[tuple[str, str]]]:
    """How each address stands in each of its protocols."""
    addresses = cluster(proxy, name)["addresses"]
    return [[(each["protocol"], each["state"]) for each in address["protocols"]] for address in addresses]


def test_protocols_of_addresses(start: StartProxy) -> None:
    """What answers, what does not, and what was never asked."""
    with TftpUpstream(lambda tid, asked: tid.give(BODY)) as east:
        auto = east.settings("east", protocol="auto", http_port=free_port())
        off = {"clusters/off": {"addresses": "127.0.1.9", "enabled": "no", "description": "an old one"}}
        proxy = start({**auto, **off})
        assert ask_http(proxy.http, "some.bin") == BODY
        assert states(proxy) == [[("http", "open"), ("tftp", "closed")]]
        (address,) = cluster(proxy)["addresses"]
        http, tftp = address["protocols"]
        assert http["last_failure"] == "no HTTP connection: Connection refused"
        assert (http["latency_ms"], tftp["last_failure"]) == (None, "")
        assert 0 <= http["state_s"] < 60
        assert 0 <= tftp["latency_ms"] < 5000
        assert address["answering"] is True
        assert states(proxy, "off") == [[("http", "never asked"), ("tftp", "never asked")]]
        told = cluster(proxy, "off")
        assert (told["enabled"], told["description"], told["out_of_use"]) == (False, "an old one", "")
        assert told["addresses"][0]["protocols"][0]["state_s"] is None
        assert told["addresses"][0]["answering"] is None


def test_a_cluster_that_comes_back(start: StartProxy) -> None:
    port = free_port()
    proxy = start({"clusters/east": {"addresses": "127.0.1.1", "protocol": "http", "http_port": port}})
    wait_for(lambda: states(proxy) == [[("http", "open")]], "a probe has failed")
    assert cluster(proxy)["addresses"][0]["answering"] is False
    with HttpUpstream(has, port=port) as east:
        wait_for(lambda: states(proxy) == [[("http", "closed")]], "a probe is answered", 15)
        assert east.asked == []
        assert ask_http(proxy.http, "some.bin") == BODY


def test_the_list_of_a_cluster(start: StartProxy) -> None:
    """Where it is not read, that is another thing than an empty one."""

    def answer(wire: socket.socket, asked: Asked) -> None:
        listed = b"SEP001122334455.cnf.xml\nSEP001122334466.cnf.xml\n" if asked.name == LIST else b""
        wire.sendall(whole(listed))

    with HttpUpstream(answer) as east, HttpUpstream(has, "127.0.1.2") as west:
        proxy = start({**east.settings("east", inventory="yes"), **west.settings("west")})
        wait_for(lambda: cluster(proxy)["inventory_devices"] == 2, "the list is read")
        assert cluster(proxy, "west")["inventory_devices"] is None
        assert LIST not in west.names()


def test_devices_in_several_clusters(start: StartProxy) -> None:
    """All are counted, the first are named."""
    with HttpUpstream(has) as east, HttpUpstream(has, "127.0.1.2") as west:
        proxy = start({**east.settings("east"), **west.settings("west")})
        count = DUPLICATES_MAX + 3
        phones = [f"SEP0011223344{number:02d}" for number in range(count)]
        for phone in phones:
            assert ask_http(proxy.http, f"{phone}.cnf.xml") == BODY
        wait_for(lambda: proxy.status()["devices"]["duplicates_count"] == count, "all are known")
        devices = proxy.status()["devices"]
        assert (devices["homes"], devices["fault"]) == (count, "")
        named = [(each["device"], each["home"], each["others"]) for each in devices["duplicates"]]
        assert sorted(named) == [(phone, "east", ["west"]) for phone in phones[:DUPLICATES_MAX]]


def test_copies(start: StartProxy) -> None:
    with HttpUpstream(has) as east:
        proxy = start(east.settings())
        before = proxy.status()["copies"]
        assert (before["entries"], before["served"], before["fault"]) == (0, 0, "")
        for _ in range(2):
            assert ask_http(proxy.http, "phone.loads") == BODY
            wait_for(lambda: proxy.status()["copies"]["entries"] == 1, "it is kept")
            wait_for(lambda: proxy.status()["held"]["fetches"] == 0, "no answer is shared any more")
        after = proxy.status()["copies"]
        assert (after["written"], after["served"], after["damaged"]) == (1, 1, 0)
        assert after["disk_bytes"] >= len(BODY)
        assert east.names() == ["phone.loads"]
