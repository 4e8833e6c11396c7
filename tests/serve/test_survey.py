"""`find` and `move` of a running proxy: every place asked, past all that is remembered, and nothing shared
with what phones ask.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.netns.process import wait_for
from tests.serve.conftest import StartProxy
from tests.serve.proxy import Proxy
from tests.serve.upstreams import (
    Asked,
    HttpUpstream,
    TftpUpstream,
    Tid,
    ask_http,
    head,
    whole,
)

BODY = bytes(range(256)) * 20
BUDGET = 0.5  # s
EAST = "127.0.1.1"
SEP = "SEP001122334455"


def sends(*pieces: bytes, stays: bool = False) -> Callable[[socket.socket, Asked], bool]:
    def answer(wire: socket.socket, asked: Asked) -> bool:
        for piece in pieces:
            wire.sendall(piece)
        if stays:
            wire.recv(1)
        return stays

    return answer


HAS = f"has it, {len(BODY)} bytes (from {EAST} over HTTP)"
UNKNOWN = f"has it (from {EAST} over HTTP)"

ROWS: list[tuple[Callable[[socket.socket, Asked], object], bool | None, int | None, str]] = [
    (sends(whole(BODY)), True, len(BODY), HAS),
    (sends(head() + BODY), True, len(BODY), UNKNOWN),
    (sends(head() + BODY, stays=True), True, None, UNKNOWN),  # how long it is stays unknown
    (sends(whole(b"", status="404 No")), False, None, f"does not have it (says {EAST} over HTTP)"),
    (sends(whole(b"", status="500 Oops")), None, None, f"no answer: {EAST}: HTTP status 500"),
    (sends(stays=True), None, None, "no answer within 0.5 s"),
]


def find(proxy: Proxy, name: str) -> tuple[dict[str, Any], ...]:
    """What the places say."""
    return tuple(proxy.ask("find", name=name)[0]["places"])


@pytest.mark.parametrize(("answer", "has_it", "size", "text"), ROWS)
def test_what_a_cluster_says(
    answer: Callable[[socket.socket, Asked], object],
    has_it: bool | None,
    size: int | None,
    text: str,
    start: StartProxy,
) -> None:
    with HttpUpstream(answer) as east:
        proxy = start({"lookup": {"budget": BUDGET}, **east.settings()})
        started = time.monotonic()
        local, found = find(proxy, "some.bin")
        assert time.monotonic() - started < 10 * BUDGET
        assert (local["place"], local["has_it"]) == ("local", False)
        assert (found["place"], found["has_it"], found["size_bytes"]) == ("east", has_it, size)
        assert found["text"].startswith(text)
        assert proxy.status()["held"]["negative_entries"] == 0
        proxy.settle()


def test_over_tftp(start: StartProxy) -> None:
    """Without a size: it is counted."""
    with TftpUpstream(lambda tid, asked: tid.give(BODY)) as east:
        proxy = start(east.settings())
        _, found = find(proxy, "some.bin")
        assert (found["has_it"], found["size_bytes"]) == (True, len(BODY))
        assert found["text"] == f"has it (from {EAST} over TFTP)"


def test_all_are_asked_at_once(start: StartProxy) -> None:
    """One that is slow holds up nobody, and the places stand in configured order."""
    gate = threading.Barrier(2)

    def meet(wire: socket.socket, asked: Asked) -> None:
        gate.wait(5)
        wire.sendall(whole(BODY))

    def answer(tid: Tid, asked: Asked) -> None:
        gate.wait(5)
        tid.give(BODY)

    with HttpUpstream(meet) as east, TftpUpstream(answer, "127.0.1.2") as west:
        proxy = start({"lookup": {"budget": 5}, **west.settings("west"), **east.settings("east")})
        found = find(proxy, "some.bin")
        assert [place["place"] for place in found] == ["local", "west", "east"]
        assert [place["has_it"] for place in found] == [False, True, True]


def test_past_all_that_is_remembered(start: StartProxy) -> None:
    """What phones were told counts for nothing here, and what was found here for nothing there."""
    status = ["404 No"]
    with HttpUpstream(lambda wire, asked: wire.sendall(whole(BODY, status=status[0]))) as east:
        proxy = start(east.settings())
        assert ask_http(proxy.http, "some.bin") == 1
        status[0] = "200 OK"
        assert find(proxy, "some.bin")[1]["has_it"] is True
        assert ask_http(proxy.http, "some.bin") == 1  # still remembered as missing
        assert ask_http(proxy.http, "phone.loads") == BODY
        status[0] = "404 No"
        assert find(proxy, "phone.loads")[1]["has_it"] is False
        assert ask_http(proxy.http, "phone.loads") == BODY  # fresh on disk


def test_a_cluster_that_is_this_box_itself(start: StartProxy) -> None:
    proxy = start({"clusters/self": {"addresses": "127.0.0.1", "protocol": "http", "enabled": "yes"}})
    port = {"http_port": proxy.http[1]}
    proxy.configure({"clusters/self": {"addresses": "127.0.0.1", "protocol": "http", **port}})
    assert proxy.ask("reload")[0]["clusters_changed"] == ["self"]
    proxy.write("some.bin", BODY)
    local, found = find(proxy, "some.bin")
    assert (local["has_it"], local["size_bytes"], local["text"]) == (True, len(BODY), "has it as some.bin")
    assert (found["has_it"], found["text"]) == (None, "no answer: no address in use")


@pytest.mark.parametrize("form", [f"{SEP}.cnf.xml", f"{SEP}.cnf.xml.sgn"])
def test_a_move_asks_for_every_form(form: str, start: StartProxy) -> None:
    """A cluster that signs its files has none but the signed one."""

    def answer(wire: socket.socket, asked: Asked) -> None:
        wire.sendall(whole(BODY) if asked.name == form else whole(b"", status="404 No"))

    with HttpUpstream(answer) as east:
        proxy = start(east.settings())
        (moved,) = proxy.ask("move", device=SEP, to="east")
        assert (moved["done"], moved["left"]) == (True, [])
        assert sorted(set(east.names())) == [f"{SEP}.cnf.xml", f"{SEP}.cnf.xml.sgn"]
        assert proxy.ask("find", name=SEP)[0]["home"] == "east"


def test_a_move_outlives_a_restart(start: StartProxy) -> None:
    """The administrator's word stands though the first in order has the device as well."""
    with (
        HttpUpstream(lambda wire, asked: wire.sendall(whole(BODY))) as east,
        HttpUpstream(lambda wire, asked: wire.sendall(whole(b"west")), "127.0.1.2") as west,
    ):
        settings = {**east.settings("east"), **west.settings("west")}
        proxy = start(settings)
        (moved,) = proxy.ask("move", device=SEP, to="west")
        assert moved["left"] == [f"east still has {SEP}: delete it there"]
        assert ask_http(proxy.http, f"{SEP}.cnf.xml") == b"west"
        proxy.terminate()
        wait_for(lambda: '"stopped"' in proxy.log(), "it has ended")
        proxy.start()
        assert ask_http(proxy.http, f"{SEP}.cnf.xml") == b"west"
        (status,) = proxy.ask("status")
        assert status["devices"]["duplicates"] == [{"device": SEP, "home": "west", "others": ["east"]}]
