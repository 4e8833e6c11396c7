"""What is asked of a cluster over HTTP, and what its answers mean; all through a fetch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import unquote

import gevent
import pytest

from appliance.cluster import connections, upstream_http
from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.body import Broken
from appliance.cluster.upstream import Absent, Target, Unchanged, Waiting
from tests.cluster.servers import HANG_UP, STALL, Asked, reply
from tests.cluster.world import ONE, VIA, World, until

FILE = b"<device/>" * 1000
HAS = Found(len(FILE), ONE, "http")
MISSING = Missing(ONE, "http")
CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (FILE[:10], FILE[10:]))
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "said", "body", "stays"),
    [
        (reply(200, FILE), HAS, FILE, True),
        (reply(200), Found(0, ONE, "http"), b"", True),
        (CHUNKED + CHUNKS + b"0\r\n\r\n", Found(None, ONE, "http"), FILE, True),
        (b"HTTP/1.0 200 OK\r\n\r\n" + FILE, Found(None, ONE, "http"), FILE, False),
        (reply(200, FILE, "Connection: close"), HAS, FILE, False),
        (reply(404, b"no such file"), MISSING, b"", True),
        (reply(404), MISSING, b"", True),
        (reply(404, b"x", "Connection: close"), MISSING, b"", False),
        (reply(404, b"x" * 200_000), MISSING, b"", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\nno length", MISSING, b"", False),
        (reply(410), MISSING, b"", True),
        (reply(304), Failed(f"{ONE}: HTTP status 304"), b"", True),
        (reply(200, FILE, f"Content-Length: {len(FILE)}"), HAS, FILE, True),
        (reply(200, FILE, "Content-Encoding: identity"), HAS, FILE, True),
        (reply(403), Failed(f"{ONE}: HTTP status 403"), b"", True),
        (reply(500, b"oops"), Failed(f"{ONE}: HTTP status 500"), b"", True),
        (reply(302, b"", "Location: /y"), Failed(f"{ONE}: HTTP status 302"), b"", True),
        (reply(206, FILE), Failed(f"{ONE}: HTTP status 206"), b"", True),
        (reply(204), Failed(f"{ONE}: HTTP status 204"), b"", True),
    ],
)
def test_answers(world: World, answer: bytes, said: Answer, body: bytes, stays: bool) -> None:
    """`stays`: the connection carries the next request as well."""
    server = world.http(lambda asked: [answer] if stays else [answer, HANG_UP])
    cluster = world.cluster()
    assert world.ask(cluster) == (said, body)
    assert world.ask(cluster) == (said, body)
    assert [asked.connection for asked in server.asked] == ([0, 0] if stays else [0, 1])
    health = world.health(cluster)
    assert (health.answers, health.failures) == (2, 0)


LENGTH = "a Content-Length that is no one number"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([f"Content-Length: {len(FILE) + 1}"], LENGTH),
        (["Content-Length: many"], LENGTH),
        (["Transfer-Encoding: gzip"], "a Transfer-Encoding that nobody asked for"),
        (["Transfer-Encoding: gzip, chunked"], "a Transfer-Encoding that nobody asked for"),
        (["Content-Encoding: gzip"], "a Content-Encoding that nobody asked for"),
    ],
)
def test_a_body_that_cannot_be_taken(world: World, fields: list[str], why: str) -> None:
    world.http(lambda asked: [reply(200, FILE, *fields), HANG_UP])
    assert world.ask(world.cluster())[0] == Failed(f"{ONE}: {why}")
    assert world.health(world.cluster()).failures == 0


@pytest.mark.parametrize("length", ["+9", "-9", "9_0", "0x9", "9.0", "9;", "\u0669"])
def test_a_length_that_is_none(world: World, length: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
    world.http(lambda asked: [head.encode() + FILE, HANG_UP])
    assert world.ask(world.cluster())[0] == Failed(f"{ONE}: {LENGTH}")


def test_more_than_there_can_be_room_for(world: World) -> None:
    world.http(lambda asked: [b"HTTP/1.1 200 OK\r\nContent-Length: 4000001\r\n\r\nx", STALL])
    assert world.ask(world.cluster())[0] == Failed(f"{ONE}: larger than allowed")


@pytest.mark.parametrize(
    ("fields", "validator"),
    [
        ([], ""),
        (['ETag: "a b"'], 'etag:"a b"'),
        (['ETag: W/"1"'], 'etag:W/"1"'),
        (["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"], "modified:Sun, 06 Nov 1994 08:49:37 GMT"),
        (["Last-Modified: yesterday", 'ETag: "1"'], 'etag:"1"'),
        ([f'ETag: "{"x" * 300}"', "Last-Modified: yesterday"], "modified:yesterday"),
        (['ETag: "\u00fc"'], ""),
        (['ETag: "\x1b[2J"'], ""),
        (["ETag:"], ""),
    ],
)
def test_validators(world: World, fields: list[str], validator: str) -> None:
    world.http(lambda asked: [reply(200, FILE, *fields)])
    assert world.ask(world.cluster())[0] == Found(len(FILE), ONE, "http", validator)


@pytest.mark.parametrize(
    ("fields", "via"),
    [
        ([], ""),
        ([f"Via: {VIA}"], VIA),
        (["Via: 1.1 one", f"via:  {VIA} "], f"1.1 one, {VIA}"),
        ([f"Via: {VIA}, {'x' * 300}"], f"{VIA}, {'x' * 300}"[:200]),
        (["Via: 1.1 \u00fc"], ""),
        (["Via: \x1b[2J"], ""),
        (["Via:"], ""),
    ],
)
def test_via_of_an_answer(world: World, fields: list[str], via: str) -> None:
    statuses = [200, 404]
    world.http(lambda asked: [reply(statuses.pop(0), b"", *fields)])
    target = Target(ip_address(ONE), world.http_port)
    file = upstream_http.open_file(world.clients.connections, target, "x", VIA, 100, Waiting())
    assert (file.via, list(file.pieces())) == (via, [])
    file.close()
    with pytest.raises(Absent) as absent:
        upstream_http.open_file(world.clients.connections, target, "x", VIA, 100, Waiting())
    assert absent.value.via == via


@pytest.mark.parametrize(
    ("validator", "field", "value"),
    [
        ('etag:"a:b"', "if-none-match", '"a:b"'),
        ("modified:Sun, 06 Nov 1994 08:49:37 GMT", "if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ],
)
def test_only_a_changed_file_is_wanted(world: World, validator: str, field: str, value: str) -> None:
    statuses = [304, 200]
    server = world.http(lambda asked: [reply(statuses.pop(0))])
    target = Target(ip_address(ONE), world.http_port)
    waiting = Waiting(validator=validator)
    with pytest.raises(Unchanged):
        upstream_http.open_file(world.clients.connections, target, "x", VIA, 100, waiting)
    file = upstream_http.open_file(world.clients.connections, target, "x", VIA, 100, waiting)
    assert list(file.pieces()) == []
    file.close()
    assert [asked.fields[field] for asked in server.asked] == [value] * 2
    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no status line"),
        (b"\x1b[2J\r\n\r\n", "no status line"),
        (b"HTTP/1.1 999999 x\r\n\r\n", "no status line"),
        (b"HTTP/1.1 200 " + b"x" * 70_000, "head too long"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", "too many fields"),
    ],
)
def test_no_answer_to_go_by(world: World, answer: bytes, why: str) -> None:
    world.http(lambda asked: [answer or HANG_UP, HANG_UP])
    cluster = world.cluster()
    said, _ = world.ask(cluster)
    assert isinstance(said, Failed)
    assert said.why == f"{ONE}: no HTTP answer: {why}"
    health = world.health(cluster)
    assert (health.answers, health.failures, health.why) == (0, 1, f"no HTTP answer: {why}")


def test_nobody_listens(world: World) -> None:
    said, _ = world.ask(world.cluster())
    assert said == Failed(f"{ONE}: no HTTP connection: Connection refused")


def test_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_http, "SILENCE_MAX", 0.05)
    world.http(lambda asked: [STALL])
    assert world.ask(world.cluster())[0] == Failed(f"{ONE}: no HTTP answer: timed out")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply(200, FILE)[:-100], f"after {len(FILE) - 100} of {len(FILE)} bytes"),
        (reply(200, FILE)[: -len(FILE)], f"after 0 of {len(FILE)} bytes"),
        (CHUNKED + CHUNKS, f"after {len(FILE)} bytes: closed before the end of the body"),
        (CHUNKED + CHUNKS[:-100], "bytes: closed before the end of the body"),
        (CHUNKED + b"zz\r\n", "after 0 bytes: a chunk without a size"),
    ],
)
def test_one_that_breaks_off(world: World, answer: bytes, text: str) -> None:
    world.http(lambda asked: [answer, HANG_UP])
    with pytest.raises(Broken, match=f"^the server broke off .*{text}"):
        world.ask(world.cluster())


def test_one_that_falls_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_http, "SILENCE_MAX", 0.05)
    world.http(lambda asked: [reply(200, FILE)[:-100], STALL])
    with pytest.raises(Broken, match="timed out"):
        world.ask(world.cluster())


def dripping(data: bytes, seconds: float) -> Iterator[bytes]:
    for byte in data:
        yield bytes([byte])
        gevent.sleep(seconds)


def test_one_that_trickles(world: World) -> None:
    world.http(lambda asked: dripping(reply(200, b"0123456789"), 0.001))
    assert world.ask(world.cluster()) == (Found(10, ONE, "http"), b"0123456789")


def test_a_head_that_trickles(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_http, "HEAD_TIMEOUT", 0.1)
    world.http(lambda asked: dripping(reply(200), 0.02))
    assert world.ask(world.cluster())[0] == Failed(f"{ONE}: no HTTP answer: timed out")


def test_not_found_does_not_wait_for_its_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_http, "REST_TIMEOUT", 0.05)
    server = world.http(lambda asked: [reply(404, b"sorry")[:-1], STALL])
    started = time.monotonic()
    assert world.ask(world.cluster())[0] == MISSING
    assert time.monotonic() - started < 1
    until(lambda: server.open == 0)


def endless(asked: Asked) -> Iterator[bytes]:
    yield CHUNKED
    while True:
        yield b"10000\r\n" + bytes(0x10000) + b"\r\n"


def test_one_without_an_end(world: World) -> None:
    server = world.http(endless)
    with pytest.raises(Broken, match="no room"):
        world.ask(world.cluster())
    until(lambda: server.open == 0)


def test_the_request(world: World) -> None:
    server = world.http(lambda asked: [reply(200, FILE)])
    world.ask(world.cluster(), "SEP2834A2823B58.cnf.xml.sgn")
    (asked,) = server.asked
    assert asked.line == "GET /SEP2834A2823B58.cnf.xml.sgn HTTP/1.1"
    assert asked.fields == {"host": f"{ONE}:{world.http_port}", "via": VIA}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("a/b.xml", "/a/b.xml"),
        ("/a.xml", "/a.xml"),
        ("//a.xml", "/a.xml"),
        ("a b", "/a%20b"),
        ("Communicator\\x", "/Communicator%5Cx"),
        ("Gr\u00fc\u00dfe.xml", "/Gr%C3%BC%C3%9Fe.xml"),
        ("a?b#c", "/a%3Fb%23c"),
        ("100%", "/100%25"),
        ("a\r\nX: y", "/a%0D%0AX:%20y"),
        ("~(a)+b;c=d@e!f$g&h'i*j,k:l", "/~(a)+b;c=d@e!f$g&h'i*j,k:l"),
    ],
)
def test_a_name_as_target(world: World, name: str, target: str) -> None:
    server = world.http(lambda asked: [reply(404)])
    world.ask(world.cluster(), name)
    assert server.asked[0].line == f"GET {target} HTTP/1.1"
    assert unquote(target).lstrip("/") == name.lstrip("/")


@pytest.mark.parametrize(
    ("statuses", "said", "requests"),
    [
        ([503, 200], HAS, 2),
        ([503, 503, 503, 200], HAS, 4),
        ([503, 404], MISSING, 2),
        ([503, 503, 503, 503, 200], Failed(f"{ONE}: HTTP status 503: busy"), 4),
    ],
)
def test_a_busy_cluster_is_asked_again(
    world: World, statuses: list[int], said: Answer, requests: int
) -> None:
    server = world.http(lambda asked: [reply(statuses.pop(0), FILE)])
    cluster = world.cluster()
    assert world.ask(cluster)[0] == said
    assert len(server.asked) == requests
    assert server.connections == 1
    health = world.health(cluster)
    assert (health.answers, health.failures) == (1, 0)


@pytest.mark.parametrize(("budget", "requests"), [(0.0, 1), (0.5, 1), (1.0, 3), (20.0, 4)])
def test_a_busy_cluster_leaves_time_for_others(
    world: World, monkeypatch: pytest.MonkeyPatch, budget: float, requests: int
) -> None:
    monkeypatch.setattr(upstream_http, "BUSY_PAUSES", (0.1, 0.2, 0.4))
    world.clients.budget = budget
    server = world.http(lambda asked: [reply(503)])
    assert world.ask(world.cluster())[0] == Failed(f"{ONE}: HTTP status 503: busy")
    assert len(server.asked) == requests


def test_a_kept_connection_that_is_stale_is_tried_once_more(world: World) -> None:
    server = world.http(lambda asked: [reply(200, FILE), HANG_UP])
    cluster = world.cluster()
    for connection in range(3):
        assert world.ask(cluster) == (HAS, FILE)
        assert [asked.connection for asked in server.asked] == list(range(connection + 1))
    assert world.health(cluster).failures == 0


def test_a_fresh_connection_is_tried_once(world: World) -> None:
    """The one that was kept is stale, and nobody is there any more."""
    server = world.http(lambda asked: [reply(200, FILE)])
    cluster = world.cluster()
    world.ask(cluster)
    server.close()
    assert world.ask(cluster)[0] == Failed(f"{ONE}: no HTTP connection: Connection refused")
    assert world.health(cluster).failures == 1


def test_a_connection_is_not_kept_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_MAX", 0.05)
    server = world.http(lambda asked: [reply(200, FILE)])
    cluster = world.cluster()
    world.ask(cluster)
    assert server.open == 1
    server.gone.wait()
    world.ask(cluster)
    assert [asked.connection for asked in server.asked] == [0, 1]


def test_many_kept_connections_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_MAX", 0.02)
    server = world.http(lambda asked: [reply(404)])
    cluster = world.cluster()
    for _ in range(10):
        gevent.joinall([gevent.spawn(world.ask, cluster) for _ in range(3)])
        gevent.sleep(0.005)
    until(lambda: server.open == 0)


def test_connections_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 2)

    def slow(asked: Asked) -> Iterator[bytes]:
        gevent.sleep(0.01)
        yield reply(200, FILE) if "has" in asked.line else reply(404)

    server = world.http(slow)
    cluster = world.cluster()
    names = [f"{number}{'has' if number % 2 else ''}" for number in range(8)]
    asking = [gevent.spawn(world.ask, cluster, name) for name in names]
    gevent.joinall(asking)
    assert [greenlet.get()[0] for greenlet in asking] == [MISSING, HAS] * 4
    assert (len(server.asked), server.most) == (8, 2)
