"""Boxes that name each other as clusters, and what has been through a box already (tftp.md 3c, row 54)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.netns.process import wait_for
from tests.serve.browser import get
from tests.serve.conftest import StartProxy
from tests.serve.proxy import Proxy, free_port
from tests.serve.upstreams import (
    ADDRESS,
    ASK,
    Asked,
    HttpUpstream,
    TftpUpstream,
    Tid,
    ask_both,
    ask_http,
    ask_tftp,
    whole,
)

BUDGET = 1.0  # s
PROBED = 5.0  # s between two looks at an address that does not answer
NOT_FOUND = 1
PHONE = "127.0.2.1"
BODY = b"0123456789" * 20
OTHERS = f"appliance-probe-{'ab' * 16}.txt"


def pair(start: StartProxy, protocol: str, nat: str) -> list[Proxy]:
    """Two proxies on two addresses, each the only cluster of the other."""
    addresses = ("127.0.0.1", "127.0.0.2")
    ports = {"tftp": (free_port(), free_port()), "http": (free_port(), free_port())}
    return [
        start(
            {
                "lookup": {"budget": BUDGET},
                "tftp": {"port": ports["tftp"][here], "http_port": ports["http"][here]},
                "clusters/other": {
                    "addresses": addresses[1 - here],
                    "protocol": protocol,
                    f"{protocol}_port": ports[protocol][1 - here],
                    "nat": nat,
                },
            },
            addresses[here],
        )
        for here in (0, 1)
    ]


def out_of_use(proxy: Proxy) -> str:
    """Why its only cluster is not asked."""
    return str(proxy.status()["clusters"][0]["out_of_use"])


def answers(proxy: Proxy) -> bool:
    """Whether its only cluster is known to answer."""
    return proxy.status()["clusters"][0]["addresses"][0]["answering"] is True


def came_back(proxy: Proxy) -> int:
    """How many of its own probes have come back."""
    ours = "a probe for loops: it is one of this box"
    return sum(step["text"] == ours for record in proxy.records(2000) for step in record["steps"])


def probe_again(proxies: Sequence[Proxy]) -> None:
    """Have each look for circles, and wait until its probe is back."""
    for proxy in proxies:
        before = came_back(proxy)
        assert proxy.ask("reload")[0]["in_force"] is True
        wait_for(lambda proxy=proxy, before=before: came_back(proxy) > before, "its probe has come back")  # type: ignore[misc]


@pytest.mark.parametrize("nat", ["no", "yes"])
@pytest.mark.parametrize("protocol", ["http", "tftp"])
def test_two_that_ask_each_other(protocol: str, nat: str, start: StartProxy) -> None:
    """Row 54: both find out, know it round after round, and ask each other for nothing.

    On loopback both ask from 127.0.0.1, which only the second knows as a cluster's address; with `nat`
    neither does. Over TFTP there is no mark, either.
    """
    proxies = pair(start, protocol, nat)
    # The first has looked before the second was there.
    wait_for(lambda: all(map(answers, proxies)), "both answer", 3 * PROBED)
    for _ in range(4):
        probe_again(proxies)
        why = f"leads back to this box: a probe came back over {protocol.upper()} "
        assert [out_of_use(proxy)[: len(why)] for proxy in proxies] == [why] * 2
    for here, proxy in enumerate(proxies):
        assert ask_both(proxy, f"some-{here}", PHONE) == [NOT_FOUND] * 2
    for here, proxy in enumerate(proxies):
        asked = [record["name"] for record in proxy.records(2000)]
        others = [name for name in asked if not name.startswith("appliance-probe-")]
        assert sorted(others) == [f"some-{here}.http", f"some-{here}.tftp"]
        assert proxy.log().count('"address loops"') == 1
        assert "address loops no more" not in proxy.log()
        proxy.settle()


@pytest.mark.parametrize("protocol", ["http", "tftp"])
def test_a_request_before_they_know(protocol: str, start: StartProxy) -> None:
    """What one asks of the other ends there, or where it would be asked again."""
    proxies = pair(start, protocol, "no")
    for here, proxy in enumerate(proxies):
        assert ask_http(proxy.http, f"some-{here}", PHONE) in (NOT_FOUND, 0)
    for here, proxy in enumerate(proxies):
        assert [record["name"] for record in proxy.records(2000)].count(f"some-{here}") == 1


def has(wire: object, asked: Asked) -> None:
    wire.sendall(whole(BODY))  # type: ignore[attr-defined]


def gives(tid: Tid, asked: Asked) -> None:
    tid.give(BODY)


@pytest.mark.parametrize(
    ("via", "asked"),
    [
        ("1.1 appliance-0123456789abcdef", False),
        ("1.0 squid, 1.1 appliance-0123456789abcdef", False),
        ("1.1 squid", True),
    ],
)
def test_what_has_been_through_a_box(via: str, asked: bool, start: StartProxy) -> None:
    with HttpUpstream(has) as cluster:
        proxy = start(cluster.settings())
        local = proxy.write("local.bin", b"local")
        assert get(proxy.http, "some.bin", f"Via: {via}").status == (200 if asked else 404)
        assert get(proxy.http, "local.bin", f"Via: {via}").body == local
        assert cluster.names() == (["some.bin"] if asked else [])
        assert proxy.counters()["looping"] == (0 if asked else 1)  # what the store serves is refused nothing
        assert proxy.status()["held"]["negative_entries"] == 0
        assert get(proxy.http, "some.bin").status == 200  # nothing is remembered of it


@pytest.mark.parametrize("nat", ["no", "yes"])
@pytest.mark.parametrize("transport", ["tftp", "http"])
def test_what_comes_from_a_cluster(transport: str, nat: str, start: StartProxy) -> None:
    """Behind `nat` there are phones as well."""
    with HttpUpstream(has) as cluster:
        proxy = start(cluster.settings(nat=nat))
        outcome = ASK[transport](getattr(proxy, transport), "some.bin", ADDRESS)
        assert outcome == (BODY if nat == "yes" else NOT_FOUND)
        assert cluster.names() == (["some.bin"] if nat == "yes" else [])
        assert proxy.counters()["looping"] == (0 if nat == "yes" else 1)
        if nat == "no":
            (record,) = proxy.records()
            assert record["steps"][0]["text"] == "it comes from a cluster: the local store alone answers"


@pytest.mark.parametrize("transport", ["tftp", "http"])
def test_a_probe_of_another_box(transport: str, start: StartProxy) -> None:
    """It is passed on to every cluster, whoever asks, but once only, and found nowhere."""
    with HttpUpstream(has) as east, TftpUpstream(gives, "127.0.1.2") as west:
        proxy = start({**east.settings("east"), **west.settings("west")})
        proxy.write(OTHERS, b"not for anybody")
        wait_for(lambda: len(east.probes) == len(west.probes) == 1, "both have been looked at")
        for source in (ADDRESS, PHONE, ADDRESS):
            assert ASK[transport](getattr(proxy, transport), OTHERS, source) == NOT_FOUND
        assert [server.probes[1:] for server in (east, west)] == [[OTHERS]] * 2
        assert [step["text"] for record in proxy.records(3) for step in record["steps"]] == [
            "a probe for loops: it is another box's, and passed on",
            "a probe for loops: it is another box's, and was here before",
            "a probe for loops: it is another box's, and was here before",
        ]


def test_a_probe_of_another_box_with_its_mark(start: StartProxy) -> None:
    with HttpUpstream(has) as cluster:
        proxy = start(cluster.settings())
        wait_for(lambda: len(cluster.probes) == 1, "it has been looked at")
        assert get(proxy.http, OTHERS, "Via: 1.1 appliance-0123456789abcdef").status == 404
        assert cluster.probes[1:] == [OTHERS]


def test_the_mark_of_a_box(start: StartProxy) -> None:
    """Its own, and the same after a restart."""
    with HttpUpstream(has) as cluster:
        proxy, other = start(cluster.settings()), start(cluster.settings())
        for each in (proxy, other):
            assert ask_tftp(each.tftp, "some.bin") == BODY
        number = (proxy.folder / "data/state/box-id").read_text().strip()
        proxy.terminate()
        wait_for(lambda: '"stopped"' in proxy.log(), "it has ended")
        proxy.start()
        assert ask_tftp(proxy.tftp, "again.bin") == BODY
        first, others, again = (asked.fields["via"] for asked in cluster.asked)
        assert first == again == f"1.1 appliance-{number}"
        assert others != first
