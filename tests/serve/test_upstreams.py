"""Many phones and several clusters: who is asked how often, who waits for whom, and what is remembered
(tftp.md 3c, rows 31, 51, 53, 56 and 57).
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.netns.process import wait_for
from tests.serve.browser import Browser
from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, Refused, ack, data, error
from tests.serve.proxy import Proxy, Settings
from tests.serve.upstreams import (
    ASK,
    Asked,
    HttpAnswer,
    HttpUpstream,
    Outcome,
    TftpUpstream,
    Tid,
    ask_both,
    ask_http,
    ask_tftp,
    head,
    whole,
)

BODY = random.Random(11).randbytes(40_000)
BUDGET = 1.0  # s
SLACK = 4.0  # s, for two cores that others use as well
LOOKUP: Settings = {"lookup": {"budget": BUDGET}}
PATIENT: Settings = {"lookup": {"budget": 10}, "tftp": {"timeout": 10}}
NOT_FOUND, UNAVAILABLE = 1, 0

Upstream = HttpUpstream | TftpUpstream
Gated = Callable[[threading.Event, threading.Event], Upstream]
"""A cluster that has every file, and waits for one gate before its answer, for the other in its middle."""


def gated_http(before: threading.Event, middle: threading.Event) -> HttpUpstream:
    def answer(wire: socket.socket, asked: Asked) -> None:
        before.wait(10)
        wire.sendall(head(f"Content-Length: {len(BODY)}") + BODY[:20_000])
        middle.wait(10)
        wire.sendall(BODY[20_000:])

    return HttpUpstream(answer)


def gated_tftp(before: threading.Event, middle: threading.Event) -> TftpUpstream:
    def answer(tid: Tid, asked: Asked) -> None:
        before.wait(10)
        for number in range(1, 41):
            tid.send(data(number, BODY[(number - 1) * 512 : number * 512]))
            if tid.receive() != ack(number):
                return
        middle.wait(10)
        tid.give(BODY, 41)

    return TftpUpstream(answer)


BOTH = pytest.mark.parametrize("gated", [gated_http, gated_tftp])


def gates() -> tuple[threading.Event, threading.Event]:
    return threading.Event(), threading.Event()


def asking(phones: ThreadPoolExecutor, proxy: Proxy, numbers: range) -> list[Future[Outcome]]:
    """Phones of these numbers, each with an address of its own, every second one over HTTP."""
    transports = [("tftp", proxy.tftp), ("http", proxy.http)]
    return [
        phones.submit(ASK[transport], server, "some.bin", f"127.0.2.{number}")
        for number in numbers
        for transport, server in [transports[number % 2]]
    ]


def requests(proxy: Proxy) -> int:
    """How many have come."""
    counters = proxy.counters()
    return int(counters["requests_tftp"] + counters["requests_http"])


@BOTH
def test_twenty_ask_at_once(gated: Gated, start: StartProxy) -> None:
    """Row 56: one fetch, whoever waits for its answer, comes in its middle, or a moment later."""
    before, middle = gates()
    with gated(before, middle) as cluster, ThreadPoolExecutor(20) as phones:
        proxy = start({**PATIENT, **cluster.settings()})
        early = asking(phones, proxy, range(1, 11))
        wait_for(lambda: requests(proxy) == 10, "ten are held")
        before.set()
        late = asking(phones, proxy, range(11, 21))
        wait_for(lambda: requests(proxy) == 20, "ten more have come")
        middle.set()
        assert [each.result() for each in early + late] == [BODY] * 20
        assert [each.result() for each in asking(phones, proxy, range(21, 24))] == [BODY] * 3
        assert len(cluster.asked) == 1


@BOTH
def test_some_of_them_give_up(gated: Gated, start: StartProxy) -> None:
    """Row 57: those who stay get the whole file of the one fetch, also when the first one leaves."""
    before, middle = gates()
    with gated(before, middle) as cluster, ThreadPoolExecutor(4) as phones:
        proxy = start({**PATIENT, **cluster.settings()})
        with Phone(proxy.tftp, "127.0.2.50") as first:
            first.ask("some.bin")
            wait_for(lambda: len(cluster.asked) == 1, "the cluster is asked")
            staying = asking(phones, proxy, range(1, 5))
            wait_for(lambda: requests(proxy) == 5, "all are held")
            before.set()
            assert first.receive() == data(1, BODY[:512])
            first.send(error(0, b"changed my mind"))
            with socket.create_connection(proxy.http, 5, ("127.0.2.51", 0)) as second:
                second.sendall(b"GET /some.bin HTTP/1.1\r\nHost:x\r\n\r\n")
                wait_for(lambda: requests(proxy) == 6, "it is held, too")
        middle.set()
        assert [each.result() for each in staying] == [BODY] * 4
        assert len(cluster.asked) == 1
        proxy.settle()


@BOTH
def test_all_of_them_give_up(gated: Gated, start: StartProxy) -> None:
    """The fetch ends, nothing of it stays, and the next phone starts anew."""
    before, middle = gates()
    with gated(before, middle) as cluster:
        proxy = start({**PATIENT, **cluster.settings()})
        before.set()
        with Phone(proxy.tftp) as phone:
            phone.ask("some.bin")
            assert phone.receive() == data(1, BODY[:512])
            assert proxy.status()["held"]["fetches"] == 1
            phone.send(error(0))
            proxy.settle(timeout=2)
        middle.set()
        assert ask_tftp(proxy.tftp, "some.bin") == BODY
        assert len(cluster.asked) == 2


@BOTH
def test_repetitions_while_a_request_is_held(gated: Gated, start: StartProxy) -> None:
    """Row 31: one answer, to the port that asked last, and one request to the cluster."""
    before, middle = gates()
    middle.set()
    with gated(before, middle) as cluster, ExitStack() as stack:
        proxy = start({**PATIENT, **cluster.settings()})
        phones = [stack.enter_context(Phone(proxy.tftp)) for _ in range(5)]
        phones[-1].ask("some.bin")
        wait_for(lambda: len(cluster.asked) == 1, "the cluster is asked")
        for phone in phones * 10:
            phone.ask("some.bin")
        wait_for(lambda: proxy.counters()["repetitions"] == 50, "all are taken")
        assert proxy.transfers() == 1
        before.set()
        assert phones[-1].finish() == BODY
        assert [phone.waiting() for phone in phones] == [[]] * 5
        assert len(cluster.asked) == 1


def test_new_name_while_a_request_is_held(start: StartProxy) -> None:
    """A phone gives up a held file for another from the same port, and asks for it anew from a new port,
    all before the proxy has a turn.
    """
    before, middle = gates()
    middle.set()
    with gated_http(before, middle) as cluster:
        proxy = start({**PATIENT, **cluster.settings()})
        local = proxy.write("local.bin", b"local")
        with Phone(proxy.tftp) as old, Phone(proxy.tftp) as new:
            old.ask("some.bin")
            wait_for(lambda: len(cluster.asked) == 1, "the cluster is asked")
            proxy.pause()
            old.ask("local.bin")
            new.ask("some.bin")
            proxy.go_on()
            assert old.receive() == data(1, local)
            old.send(ack(1))
            before.set()
            assert new.finish() == BODY
            assert old.waiting() == []


def hold(wire: socket.socket, asked: Asked) -> None:
    wire.recv(1)


def say(status: str) -> HttpAnswer:
    return lambda wire, asked: wire.sendall(whole(b"", status=status))


ANSWERS: dict[str, tuple[HttpAnswer, HttpAnswer, Outcome]] = {
    "neither": (say("404 No"), say("404 No"), NOT_FOUND),
    "gone": (say("404 No"), say("410 No"), NOT_FOUND),
    "second-silent": (say("404 No"), hold, UNAVAILABLE),
    "first-silent": (hold, say("404 No"), UNAVAILABLE),
    "second-fails": (say("404 No"), say("500 Oops"), UNAVAILABLE),
    "first-busy": (say("503 Busy"), say("404 No"), UNAVAILABLE),
}


def test_what_is_remembered(start: StartProxy) -> None:
    """Row 51: "not found" when all have said so, and then nobody is asked again; nothing else."""
    east = HttpUpstream(lambda wire, asked: ANSWERS[asked.name][0](wire, asked))
    west = HttpUpstream(lambda wire, asked: ANSWERS[asked.name][1](wire, asked), "127.0.1.2")
    wanted = [outcome for _, _, outcome in ANSWERS.values()]
    with east, west, ThreadPoolExecutor(len(ANSWERS)) as phones:
        proxy = start({**LOOKUP, **east.settings("east"), **west.settings("west")})
        started = time.monotonic()
        assert list(phones.map(lambda name: ask_tftp(proxy.tftp, name), ANSWERS)) == wanted
        assert time.monotonic() - started < BUDGET + SLACK
        assert proxy.status()["held"]["negative_entries"] == wanted.count(NOT_FOUND)
        wait_for(lambda: proxy.status()["held"]["fetches"] == 0, "no answer is kept any more")
        before = [(east.names().count(name), west.names().count(name)) for name in ANSWERS]
        assert list(phones.map(lambda name: ask_http(proxy.http, name), ANSWERS)) == wanted
        for name, (by_east, by_west), outcome in zip(ANSWERS, before, wanted, strict=True):
            again = east.names().count(name) > by_east, west.names().count(name) > by_west
            assert again == (outcome != NOT_FOUND, outcome != NOT_FOUND), name


@pytest.mark.parametrize("kind", ["http", "tftp"])
def test_three_silent_addresses(kind: str, start: StartProxy) -> None:
    """Row 53: phones have their answer when the budget is spent, and each address was asked."""
    with ExitStack() as stack:
        port = 0
        asked: list[list[Asked]] = []
        for address in ("127.0.1.1", "127.0.1.2", "127.0.1.3"):
            upstream: Upstream = (
                HttpUpstream(hold, address, port)
                if kind == "http"
                else TftpUpstream(lambda tid, asked: tid.receive(), address, port)
            )
            asked.append(stack.enter_context(upstream).asked)
            port = upstream.port
        settings = upstream.settings(addresses="127.0.1.1, 127.0.1.2, 127.0.1.3")
        proxy = start({**LOOKUP, **settings})
        started = time.monotonic()
        assert ask_both(proxy, "some") == [UNAVAILABLE, UNAVAILABLE]
        assert BUDGET <= time.monotonic() - started < BUDGET + SLACK
        assert [{each.name for each in by_one} for by_one in asked] == [{"some.tftp", "some.http"}] * 3
        proxy.settle()


def test_silence_as_an_answer(start: StartProxy) -> None:
    """Where it is set, a phone that cannot be answered now hears nothing, and asks again."""
    with HttpUpstream(say("500 Oops")) as cluster:
        proxy = start({"lookup": {"budget": BUDGET, "unavailable": "silence"}, **cluster.settings()})
        with Phone(proxy.tftp) as phone, Browser(proxy.http, "127.0.0.5") as browser:
            phone.ask("some.bin")
            browser.send(b"GET /some.bin HTTP/1.1\r\nHost:x\r\n\r\n")
            assert browser.closed()
            wait_for(lambda: proxy.counters()["results"].get("unavailable") == 2, "both are answered")
            assert phone.waiting() == []
            with pytest.raises(Refused) as refused:
                phone.fetch("..")
            assert refused.value.code == 2


def test_silence_in_the_middle(start: StartProxy) -> None:
    """A cluster that stops in the middle is given up, and phones hear that, in either protocol."""
    before, middle = gates()
    before.set()
    http, tftp = gated_http(before, middle), gated_tftp(before, middle)
    with http, tftp, ThreadPoolExecutor(2) as phones:
        proxies = [start({**PATIENT, **cluster.settings()}) for cluster in (http, tftp)]
        outcomes = [phones.submit(ask_both, proxy, "some") for proxy in proxies]
        assert [each.result() for each in outcomes] == [[UNAVAILABLE, UNAVAILABLE]] * 2
        for proxy in proxies:
            proxy.settle()
