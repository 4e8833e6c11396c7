"""What goes out for an answer: head and file byte for byte at any pace of the client, or the news that
it is not whole.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent
import pytest
from gevent.event import AsyncResult

from appliance.cluster.body import Broken
from appliance.http.answer import of_file, refusal
from appliance.http.request import Request
from appliance.serve.delivery import LARGE_PIECE, Delivery
from appliance.serve.wire import Wire
from tests.hub import watched

SIZE = 3_000_000  # more than small socket buffers hold
FILE = random.Random(31).randbytes(SIZE)
GET = Request("GET", b"/x", "1.1", {})
BUFFER = memoryview(bytearray(LARGE_PIECE))


@dataclass
class Bytes:
    """A content: `kept` of it is in memory as a whole, or page by page, or nowhere."""

    data: bytes = FILE
    kept: str = "nowhere"
    size: int | None = SIZE
    source: str = "test"
    address: str | None = None
    reads: list[tuple[int, int]] = field(default_factory=list)

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        if offset < len(self.data):
            gevent.sleep(0)
            BUFFER[:] = bytes(LARGE_PIECE)  # others have used it meanwhile
        return self.data[offset : offset + length]

    def cached(self, offset: int, buffer: memoryview) -> memoryview | None:
        if self.kept != "pages" or offset >= len(self.data):
            return None
        piece = self.data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return buffer[: len(piece)]

    def whole_size(self) -> int:
        return SIZE

    def whole(self) -> bytes | None:
        return self.data if self.kept == "whole" else None

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watched():
        yield


@pytest.fixture
def pair() -> Iterator[tuple[Wire, socket.socket]]:
    """A connection with small buffers: its end in the loop, and the client's."""
    with socket.socket() as door, socket.socket() as client:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        door.bind(("127.0.0.1", 0))
        door.listen()
        client.connect(door.getsockname())
        client.setblocking(False)
        wire = Wire(door.accept()[0], lambda: None)
        yield wire, client
        wire.close()


def received(client: socket.socket, count: int, step: int = 1 << 20) -> bytes:
    """So many bytes, taken in steps; whatever else is there would fail the comparison."""
    data = bytearray()
    while len(data) < count:
        try:
            piece = client.recv(step)
        except BlockingIOError:
            gevent.sleep(0.001)
            continue
        assert piece, "it ended early"
        data += piece
    return bytes(data)


@pytest.mark.parametrize("kept", ["whole", "pages", "nowhere"])
@pytest.mark.parametrize("span", [None, "0-0", "5-", "-1", "100000-2000000"])
@pytest.mark.parametrize("step", [1 << 20, 5000])
def test_all_of_it(kept: str, span: str | None, step: int, pair: tuple[Wire, socket.socket]) -> None:
    wire, client = pair
    request = GET if span is None else Request("GET", b"/x", "1.1", {"range": f"bytes={span}"})
    answer = of_file(request, SIZE)
    assert answer.span is not None
    wanted = answer.head + FILE[answer.span.start : answer.span.stop]
    delivery = Delivery(answer, Bytes(kept=kept), SIZE)
    reader = gevent.spawn(received, client, len(wanted), step)
    if not delivery.at_once(wire):
        delivery.finish(wire, BUFFER)
    assert delivery.sent == len(answer.span)
    assert reader.get() == wanted


def test_a_whole_one_goes_out_at_once(pair: tuple[Wire, socket.socket]) -> None:
    wire, client = pair
    content = Bytes(FILE[:8192], "whole", 8192)
    answer = of_file(GET, 8192)
    assert Delivery(answer, content, 8192).at_once(wire)
    assert received(client, len(answer.head) + 8192) == answer.head + FILE[:8192]
    assert content.reads == []


def test_a_text_that_does_not_fit(pair: tuple[Wire, socket.socket]) -> None:
    """A client that asks and asks and does not read: nothing is lost when it reads after all."""
    wire, client = pair
    answer = refusal(GET, 404, "file not found")
    count = 0
    while (delivery := Delivery(answer, None, 0)).at_once(wire):
        count += 1
    rest = gevent.spawn(delivery.finish, wire, BUFFER)
    assert received(client, (count + 1) * len(answer.head + answer.text)) == (
        (answer.head + answer.text) * (count + 1)
    )
    rest.get()


@pytest.mark.parametrize("kept", ["whole", "pages", "nowhere"])
@pytest.mark.parametrize(
    ("length", "why", "sent"),
    [
        (0, "shorter than was told", 0),
        (SIZE // 2, "shorter than was told", SIZE // 2),
        (SIZE - 1, "shorter than was told", SIZE - 1),
        (SIZE + 1, "longer than was told", SIZE - 1),
    ],
)
def test_another_length(
    kept: str, length: int, why: str, sent: int, pair: tuple[Wire, socket.socket]
) -> None:
    """The last byte is kept back: the client sees that it has not got all."""
    wire, client = pair
    client.setblocking(True)
    client.settimeout(5)
    drained = gevent.get_hub().threadpool.spawn(_drain, client)
    delivery = Delivery(of_file(GET, SIZE), Bytes((FILE + b"x")[:length], kept), SIZE)
    assert not delivery.at_once(wire)
    with pytest.raises(Broken, match=why):
        delivery.finish(wire, BUFFER)
    assert delivery.sent <= sent
    assert delivery.begun == (delivery.sent > 0)
    wire.reset()
    wire.close()
    count = drained.get()
    assert count is not None
    assert count < SIZE + len(of_file(GET, SIZE).head)


def _drain(client: socket.socket) -> int:
    count = 0
    try:
        while piece := client.recv(1 << 16):
            count += len(piece)
    except ConnectionResetError:
        pass
    return count


def test_an_empty_file_that_is_none(pair: tuple[Wire, socket.socket]) -> None:
    wire, _ = pair
    delivery = Delivery(of_file(GET, 0), Bytes(b"x"), 0)
    assert not delivery.at_once(wire)
    with pytest.raises(Broken):
        delivery.finish(wire, BUFFER)
    assert not delivery.begun


def test_a_client_that_takes_nothing(pair: tuple[Wire, socket.socket]) -> None:
    """At its deadline it is given up; another one has got nothing to give up."""
    wire, _ = pair
    assert not _in_the_loop(wire.expire)
    delivery = Delivery(of_file(GET, SIZE), Bytes(kept="pages"), SIZE)
    waiting = gevent.spawn(_outcome, delivery, wire)
    while wire.deadline == float("inf"):
        gevent.sleep(0.001)
    assert _in_the_loop(wire.expire)
    assert isinstance(waiting.get(), TimeoutError)
    assert not _in_the_loop(wire.expire)
    assert 0 < delivery.sent < SIZE


def test_a_client_that_goes(pair: tuple[Wire, socket.socket]) -> None:
    wire, client = pair
    waiting = gevent.spawn(_outcome, Delivery(of_file(GET, SIZE), Bytes(kept="pages"), SIZE), wire)
    gevent.sleep(0)
    client.close()
    assert isinstance(waiting.get(), ConnectionError)


def _in_the_loop(call: Callable[[], bool]) -> bool:
    result: AsyncResult[bool] = AsyncResult()
    gevent.get_hub().loop.run_callback(lambda: result.set(call()))
    return result.get() is True


def _outcome(delivery: Delivery, wire: Wire) -> BaseException | None:
    try:
        delivery.finish(wire, BUFFER)
    except OSError as fault:
        return fault
    return None
