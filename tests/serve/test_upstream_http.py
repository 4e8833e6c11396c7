"""Clusters that speak HTTP badly: what a phone gets is the whole file, or the news that it is not
(tftp.md 3c, rows 49 to 57).
"""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.netns.process import wait_for
from tests.serve.conftest import StartProxy, sound
from tests.serve.phone import timed_fetch
from tests.serve.proxy import Proxy, Settings
from tests.serve.upstreams import (
    PATIENCE,
    Asked,
    HttpAnswer,
    HttpUpstream,
    Outcome,
    ask_both,
    ask_tftp,
    head,
    reset,
    whole,
)

BODY = random.Random(8).randbytes(3000)
LOCAL = random.Random(9).randbytes(3000)
BUDGET = 1.0  # s
SLACK = 4.0  # s, for two cores that others use as well
SETTINGS: Settings = {"lookup": {"budget": BUDGET}, "cache": {"size": "1M", "memory": "1M"}}
NOT_FOUND, UNAVAILABLE = 1, 0

LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:1000], BODY[1000:]))
OTHERS = whole(b"a file that nobody asked for")


def say(*pieces: bytes, stays: bool = False) -> HttpAnswer:
    """Send these; then close, or wait for the next request."""

    def answer(wire: socket.socket, asked: Asked) -> bool:
        for piece in pieces:
            wire.sendall(piece)
        return stays

    return answer


def break_off(*pieces: bytes) -> HttpAnswer:
    """Send these, then reset the connection."""

    def answer(wire: socket.socket, asked: Asked) -> bool:
        for piece in pieces:
            wire.sendall(piece)
        return reset(wire)

    return answer


def endless(start: bytes, again: bytes, pause: float = 0) -> HttpAnswer:
    """Send the one, then the other until the peer has gone."""

    def answer(wire: socket.socket, asked: Asked) -> bool:
        wire.sendall(start)
        piece = again if pause else again * 100
        while True:
            wire.sendall(piece)
            time.sleep(pause)

    return answer


def hold(wire: socket.socket, asked: Asked) -> None:
    """Say nothing until the peer has gone."""
    wire.recv(1)


def busy(times: int) -> HttpAnswer:
    """503 so many times, then the file."""
    count = itertools.count(1)

    def answer(wire: socket.socket, asked: Asked) -> None:
        late = next(count) > times
        wire.sendall(whole(BODY) if late else whole(b"Requested file is Busy", status="503 Busy"))

    return answer


ROWS: list[tuple[str, HttpAnswer, Outcome]] = [
    ("as it should be", say(whole(BODY), stays=True), BODY),
    ("closed behind the answer", say(whole(BODY)), BODY),
    ("byte by byte", say(*(bytes([byte]) for byte in whole(BODY))), BODY),
    ("of HTTP/1.0", say(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), BODY),
    ("nothing in it", say(head("Content-Length: 0"), stays=True), b""),
    ("without a length", say(head() + BODY), BODY),
    ("without a length, reset", break_off(head() + BODY[:2000]), UNAVAILABLE),
    ("length that is no number", say(head("Content-Length: many") + BODY), UNAVAILABLE),
    ("length below 0", say(head("Content-Length: -1") + BODY), UNAVAILABLE),
    ("length too large", say(head("Content-Length: 3001") + BODY), UNAVAILABLE),
    ("length too small", say(head("Content-Length: 2999") + BODY, stays=True), UNAVAILABLE),
    ("length too small, closed", say(head("Content-Length: 2999") + BODY), UNAVAILABLE),
    ("length too small by a block", say(head("Content-Length: 512") + BODY, stays=True), UNAVAILABLE),
    ("breaks off", say(head(LENGTH) + BODY[:2000]), UNAVAILABLE),
    ("breaks off at a block", say(head(LENGTH) + BODY[:1024]), UNAVAILABLE),
    ("breaks off before the body", say(head(LENGTH)), UNAVAILABLE),
    ("reset in the body", break_off(head(LENGTH) + BODY[:2000]), UNAVAILABLE),
    ("chunked", say(head(CHUNKED) + CHUNKS + b"0\r\n\r\n", stays=True), BODY),
    ("chunked with trailers", say(head(CHUNKED) + CHUNKS + b"0\r\nX: y\r\n\r\n", stays=True), BODY),
    ("chunked without its end", say(head(CHUNKED) + CHUNKS), UNAVAILABLE),
    ("chunk cut short", say(head(CHUNKED) + CHUNKS[:1500]), UNAVAILABLE),
    ("chunk without a size", say(head(CHUNKED) + CHUNKS + b"xyz\r\n\r\n0\r\n\r\n"), UNAVAILABLE),
    ("chunk of less than nothing", say(head(CHUNKED) + b"-5\r\n" + BODY + b"\r\n0\r\n\r\n"), UNAVAILABLE),
    ("404", say(whole(b"no", status="404 Not Found"), stays=True), NOT_FOUND),
    ("410", say(whole(b"no", status="410 Gone"), stays=True), NOT_FOUND),
    ("404 without a length", say(head(status="404 Not Found") + b"no"), NOT_FOUND),
    ("204", say(head(status="204 No Content"), stays=True), UNAVAILABLE),
    ("206", say(head(LENGTH, status="206 Partial Content") + BODY, stays=True), UNAVAILABLE),
    ("301", say(head("Location: /other.bin", "Content-Length: 0", status="301 Moved")), UNAVAILABLE),
    ("403", say(whole(b"no", status="403 Forbidden"), stays=True), UNAVAILABLE),
    ("500", say(whole(b"no", status="500 Oops"), stays=True), UNAVAILABLE),
    ("503 twice, then 200", busy(2), BODY),
    ("503 for ever", busy(1000), UNAVAILABLE),
    ("100, then 200", say(head(status="100 Continue") + whole(BODY), stays=True), BODY),
    ("no HTTP", say(b"220 mail ready\r\n" * 3), UNAVAILABLE),
    ("status that is no number", say(head(status="OK 200") + BODY), UNAVAILABLE),
    ("nothing", say(), UNAVAILABLE),
    ("reset", break_off(), UNAVAILABLE),
    ("head without an end", say(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n"), UNAVAILABLE),
]

STALLING: list[tuple[str, HttpAnswer]] = [
    ("500 for ever", endless(head(status="500 Oops"), b"sorry")),
    ("100 for ever", endless(b"", head(status="100 Continue"))),
    ("status without an end", endless(b"HTTP/1.1 200 ", b"very ")),
    ("silence", hold),
    ("endless head", endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
    ("endless line in the head", endless(b"HTTP/1.1 200 OK\r\nX: ", b"y")),
    ("head that drips", endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.1)),
    ("status that drips", endless(b"HTTP/1.1 200 ", b"very ", 0.1)),
    ("endless body", endless(head(), b"more " * 100)),
    ("endless chunks", endless(head(CHUNKED), b"1f4\r\n" + b"more " * 100 + b"\r\n")),
    ("endless trailers", endless(head(CHUNKED) + CHUNKS + b"0\r\n", b"X: y\r\n")),
    ("endless size of a chunk", endless(head(CHUNKED) + CHUNKS + b"1;", b"extension")),
    ("more than there is room for", endless(head("Content-Length: 4000000000"), bytes(500))),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[HttpUpstream]:
    """Answers each name as its row says: "7.http" is asked over HTTP."""

    def answer(wire: socket.socket, asked: Asked) -> object:
        return ROWS[int(asked.name.partition(".")[0])][1](wire, asked)

    with HttpUpstream(answer) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def proxy(cluster: HttpUpstream) -> Iterator[Proxy]:
    with sound({**SETTINGS, **cluster.settings()}) as proxy:
        proxy.write("local.bin", LOCAL)
        assert timed_fetch(proxy.tftp, "local.bin")[0] == LOCAL
        before = proxy.descriptors()
        yield proxy
        proxy.settle(before + 2, 10)  # two transfers at once, whose sockets are kept


@pytest.mark.parametrize("number", [pytest.param(number, id=row[0]) for number, row in enumerate(ROWS)])
def test_answer(number: int, proxy: Proxy) -> None:
    """What phones get of it, and what is remembered: "not found" alone."""
    before = proxy.status()["held"]["negative_entries"]
    started = time.monotonic()
    outcomes = ask_both(proxy, str(number))
    assert time.monotonic() - started < BUDGET + SLACK
    wanted = ROWS[number][2]
    assert outcomes == [wanted, wanted]
    remembered = proxy.status()["held"]["negative_entries"] - before
    assert remembered == (2 if wanted == NOT_FOUND else 0)


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in STALLING])
def test_answer_without_an_end(answer: HttpAnswer, start: StartProxy) -> None:
    """It costs nobody else any time, no memory, and in the end nothing is left of it."""
    with HttpUpstream(answer) as cluster:
        proxy = start({**SETTINGS, **cluster.settings()})
        proxy.write("local.bin", LOCAL)
        assert timed_fetch(proxy.tftp, "local.bin")[0] == LOCAL
        before, memory = proxy.descriptors(), proxy.memory()
        with Watch(proxy) as watch:
            assert ask_both(proxy, "some") == [UNAVAILABLE, UNAVAILABLE]
        assert max(watch.times) < 5.0
        assert proxy.memory() - memory < 16 * 1024 * 1024
        assert proxy.status()["held"]["negative_entries"] == 0
        proxy.settle(before + 2, 10)


UNASKED = 0.4  # s until what comes unasked has come


def then(*more: bytes) -> HttpAnswer:
    """The file of the name; a moment later these, unasked."""

    def answer(wire: socket.socket, asked: Asked) -> None:
        wire.sendall(whole(asked.name.encode()))
        time.sleep(UNASKED / 2)
        for piece in more:
            wire.sendall(piece)

    return answer


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (then(), 1),
        (lambda wire, asked: wire.sendall(whole(asked.name.encode())) or False, 4),
        (then(OTHERS), 4),
        (then(b"x"), 4),
        (then(head(status="408 Request Timeout")), 4),
    ],
    ids=["kept", "closed without a word", "an answer unasked", "a byte unasked", "408 unasked"],
)
def test_connections(answer: HttpAnswer, connections: int, start: StartProxy) -> None:
    """One is used again as long as nothing comes on it that was not asked for."""
    with HttpUpstream(answer) as cluster:
        proxy = start({**SETTINGS, **cluster.settings()})
        wait_for(lambda: len(cluster.probes) == 1, "it has been looked for a circle")
        time.sleep(UNASKED)
        for name in ("one", "two", "three", "four"):
            assert ask_tftp(proxy.tftp, name) == name.encode()
            time.sleep(UNASKED)
        assert cluster.connections == connections
        assert len(cluster.asked) == 4
        ((address,),) = [each["addresses"] for each in proxy.status()["clusters"]]
        assert (address["answers"], address["failures"]) == (4 + 1, 0)


class Watch(threading.Thread):
    """Fetches a local file again and again while it is entered."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(daemon=True)
        self.times: list[float] = []
        self._proxy = proxy
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.is_set():
            self.times.append(PATIENCE)  # should it never come
            self.times[-1] = timed_fetch(self._proxy.tftp, "local.bin", "127.0.0.5")[1]
            self._over.wait(0.05)
