"""HTTP as phones speak it, and as others do."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.browser import Browser, get
from tests.serve.conftest import StartProxy, sound
from tests.serve.phone import fetch
from tests.serve.proxy import Proxy
from tests.serve.upstreams import Asked, HttpUpstream, whole

FILES = {
    "CTLSEP2834A2823B58.tlv": 64,
    "ITLSEP2834A2823B58.tlv": 8003,
    "SEP2834A2823B58.cnf.xml.sgn": 12952,
    "AppDialRules.xml": 0,
    "SK72f64050-7ad5-4b47-9bfa-5e9ad9cd4aa9.xml.sgn": 300_000,
}
HUNDRED = bytes(range(100))
HEAD = b"GET /hundred.bin HTTP/1.1\r\nHost:x\r\n"


def content(name: str) -> bytes:
    return random.Random(name).randbytes(FILES[name])


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with sound() as proxy:
        for name in FILES:
            proxy.write(name, content(name))
        proxy.write("hundred.bin", HUNDRED)
        proxy.write("a b+c%.xml", b"odd")
        proxy.write("locked.bin", b"secret")
        (proxy.store / "locked.bin").chmod(0)
        (proxy.store / "folder").mkdir()
        (proxy.store / "link").symlink_to(Path("/etc/passwd"))
        os.mkfifo(proxy.store / "fifo")
        assert get(proxy.http, "hundred.bin").body == HUNDRED
        before = proxy.descriptors()
        yield proxy
        proxy.settle(before)


def phones_request(name: str) -> bytes:
    """The request of an 8861, byte for byte (phones.md 1.3)."""
    return f"GET /{name} HTTP/1.1\r\nHost:198.51.100.0:6970\r\n\r\n".encode()


def test_as_a_phone_asks(proxy: Proxy) -> None:
    assert [len(phones_request(name)) for name in FILES] == [64, 64, 69, 58, 88]
    for name in FILES:
        with Browser(proxy.http) as browser:
            browser.send(phones_request(name))
            reply = browser.reply()
            assert (reply.status, reply.body) == (200, content(name))
            assert not browser.closed(0.01)  # phones close themselves
            assert proxy.records()[0]["transport"] == "http"


def test_one_connection_for_all(proxy: Proxy) -> None:
    with Browser(proxy.http) as browser:
        for name in [*FILES, *FILES]:
            assert browser.get(name).body == content(name)
            assert browser.get("absent.xml").status == 404


def test_all_at_once(proxy: Proxy) -> None:
    """Requests behind each other in one piece, and in pieces of one byte: answers in their order."""
    requests = b"".join(phones_request(name) for name in FILES)
    for pieces in (
        [requests * 3],
        [bytes([byte]) for byte in requests],
        [b"\r\n" + requests[:5], requests[5:]],
    ):
        with Browser(proxy.http) as browser:
            browser.send(*pieces)
            for name in [*FILES] * (3 if len(pieces) == 1 else 1):
                assert browser.reply().body == content(name)


def test_all_at_once_to_one_that_reads_slowly(proxy: Proxy) -> None:
    """What goes out at once and what has to wait, in turns: each answer whole, in their order."""
    names = [*FILES, "absent.xml"] * 20
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        wire.settimeout(5)
        wire.connect(proxy.http)
        wire.sendall(b"".join(map(phones_request, names)))
        with wire.makefile("rb", buffering=3000) as lines:
            for name in names:
                status = lines.readline().split(b" ", 2)[1]
                fields = dict(line.split(b": ") for line in iter(lambda: lines.readline().strip(), b""))
                body = lines.read(int(fields[b"Content-Length"]))
                wanted = (b"200", content(name)) if name in FILES else (b"404", b"file not found\n")
                assert (status, body) == wanted


def test_one_that_ends_its_side_first(proxy: Proxy) -> None:
    """It gets what it has asked for, be it ready at once or not."""
    for name in FILES:
        with Browser(proxy.http) as browser:
            browser.send(phones_request(name))
            browser.wire.shutdown(socket.SHUT_WR)
            assert browser.reply().body == content(name)
            assert browser.closed()


def test_head(proxy: Proxy) -> None:
    with Browser(proxy.http) as browser:
        for name in FILES:
            reply = browser.get(name, method="HEAD")
            assert (reply.status, reply.fields["content-length"]) == (200, str(FILES[name]))
        assert browser.get("absent.xml", method="HEAD").status == 404
        assert browser.get("hundred.bin", "Range: bytes=1-2", method="HEAD").status == 200
        assert browser.get("hundred.bin").body == HUNDRED


@pytest.mark.parametrize(
    ("wanted", "status", "span"),
    [
        ("bytes=0-0", 206, "bytes 0-0/100"),
        ("bytes=0-99", 206, "bytes 0-99/100"),
        ("bytes=10-", 206, "bytes 10-99/100"),
        ("bytes=-5", 206, "bytes 95-99/100"),
        ("bytes=-500", 206, "bytes 0-99/100"),
        ("bytes=90-1000", 206, "bytes 90-99/100"),
        ("BYTES=1-2", 206, "bytes 1-2/100"),
        ("bytes=100-", 416, "bytes */100"),
        ("bytes=1000000000000-", 416, "bytes */100"),
        ("bytes=-0", 416, "bytes */100"),
        ("bytes=0-1,5-6", 200, None),
        ("bytes=5-1", 200, None),
        ("bytes=-", 200, None),
        ("bytes=a-b", 200, None),
        ("bytes=+1-2", 200, None),
        ("lines=1-2", 200, None),
        ("bytes=" + "1" * 400 + "-", 200, None),
    ],
)
def test_range(wanted: str, status: int, span: str | None, proxy: Proxy) -> None:
    with Browser(proxy.http) as browser:
        reply = browser.get("hundred.bin", f"Range: {wanted}")
        assert (reply.status, reply.fields.get("content-range")) == (status, span)
        if status == 206:
            assert span is not None
            first, last = span.removeprefix("bytes ").removesuffix("/100").split("-")
            assert reply.body == HUNDRED[int(first) : int(last) + 1]
        else:
            assert reply.body == (HUNDRED if status == 200 else b"")
        assert browser.get("hundred.bin").body == HUNDRED
        assert browser.get("hundred.bin", f"Range: {wanted}", 'If-Range: "x"').status == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("absent.xml", 404),
        ("", 404),
        ("folder", 404),
        ("folder/", 404),
        ("link", 404),
        ("fifo", 404),
        ("locked.bin", 503),
        ("hundred.bin/x", 404),
        ("..", 403),
        ("../../etc/passwd", 403),
        ("%2e%2e/%2e%2e/etc/passwd", 403),
        ("..%5c..%5cetc%5cpasswd", 403),
        ("%252e%252e/etc/passwd", 404),
        ("/etc/passwd", 404),
        ("%00", 404),
        ("hundred.bin%00.xml", 404),
        ("%ff%fe", 404),
        ("evil%0d%0aSet-Cookie:%20a=b", 404),
        ("evil%1b%5b31m", 404),
        ("n" * 255, 404),
        ("n" * 256, 414),
        ("%6e" * 255, 404),
        ("%hundred.bin", 404),
        ("hundred.bin?query", 200),
        ("hundred.bin#fragment", 200),
        ("/hundred.bin", 200),
        ("HUNDRED.BIN", 200),
        ("hundred%2ebin", 200),
        ("a%20b+c%25.xml", 200),
    ],
)
def test_name(name: str, status: int, proxy: Proxy) -> None:
    """Each is answered, tells nothing of the box, and leaves the connection in order."""
    with Browser(proxy.http) as browser:
        reply = browser.get(name)
        assert reply.status == status
        assert browser.get("hundred.bin").body == HUNDRED
        if status != 200:
            assert reply.body in (b"file not found\n", b"no such name\n", b"not available now\n")
    assert proxy.log().replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /hundred.bin HTTP/1.1\r\nHost:x\r\n\r\n", 405),
        (b"PUT /hundred.bin HTTP/1.1\r\nHost:x\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"DELETE /hundred.bin HTTP/1.1\r\nHost:x\r\n\r\n", 405),
        (b"get /hundred.bin HTTP/1.1\r\nHost:x\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost:x\r\n\r\n", 405),
        (b"CONNECT x:1 HTTP/1.1\r\nHost:x\r\n\r\n", 405),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /hundred.bin HTTP/3.0\r\n\r\n", 505),
        (b"GET /hundred.bin\r\n\r\n", 400),
        (b"GET  /hundred.bin HTTP/1.1\r\n\r\n", 400),
        (b"GET hundred.bin HTTP/1.1\r\n\r\n", 400),
        (b"GET /hundred.bin HTTP/1.1x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\n", 400),
        (b"\0\1file\0octet\0\n\n", 400),
        (b"\r\n" * 10, 400),
        (HEAD + b"no colon\r\n\r\n", 400),
        (HEAD + b" folded: x\r\n\r\n", 400),
        (HEAD + b"Name : x\r\n\r\n", 400),
        (HEAD + b"X: \0\r\n\r\n", 400),
        (HEAD + b"Host: y\r\n\r\n", 400),
        (HEAD + b"Content-Length: 5\r\n\r\nabcde", 413),
        (HEAD + b"Content-Length: five\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"X: y\r\n" * 64 + b"\r\n", 431),
        (HEAD + b"X: " + b"y" * 9000, 431),
        (b"GET /" + b"n" * 9000, 414),
        (b"x" * 9000, 414),
    ],
)
def test_refused(sent: bytes, status: int, proxy: Proxy) -> None:
    """Answered, and the connection is closed: what follows on it could be anything."""
    with Browser(proxy.http) as browser:
        browser.send(sent)
        reply = browser.reply()
        assert reply.status == status
        assert reply.fields["connection"] == "close"
        assert ("allow" in reply.fields) == (status == 405)
        assert browser.closed()


@pytest.mark.parametrize(
    ("version", "field", "stays"),
    [
        ("1.0", "", False),
        ("1.0", "Connection: keep-alive", True),
        ("1.0", "Connection: close", False),
        ("1.1", "", True),
        ("1.1", "Connection: close", False),
        ("1.1", "Connection: upgrade, CLOSE", False),
        ("1.7", "", True),
    ],
)
@pytest.mark.parametrize("name", ["hundred.bin", "absent.xml"])
def test_who_closes(version: str, field: str, stays: bool, name: str, proxy: Proxy) -> None:
    lines = [f"GET /{name} HTTP/{version}", *filter(None, [field]), "", ""]
    with Browser(proxy.http) as browser:
        browser.send("\r\n".join(lines).encode())
        reply = browser.reply()
        assert reply.status == (200 if name == "hundred.bin" else 404)
        assert ("connection" in reply.fields) == (not stays)
        assert browser.closed(0.02 if stays else 5) == (not stays)


@pytest.mark.parametrize(
    ("via", "goes_on"),
    [
        ("1.1 appliance-0123456789abcdef", False),
        ("1.0 fred, 1.1 appliance-0123456789abcdef (x)", False),
        ("1.1 appliance-0123456789abcde", True),
        ("1.1 fred", True),
        ("appliance", True),
    ],
)
def test_via(via: str, goes_on: bool, start: StartProxy) -> None:
    """What an appliance asks is answered from the local store alone, and counted."""
    with HttpUpstream(lambda wire, asked: wire.sendall(whole(b"remote"))) as cluster:
        proxy = start(cluster.settings())
        proxy.write("local.bin", b"local")
        assert get(proxy.http, "local.bin", f"Via: {via}").body == b"local"
        reply = get(proxy.http, "remote.bin", f"Via: {via}")
        assert (reply.status, len(asked_by_phones(cluster))) == ((200, 1) if goes_on else (404, 0))
        assert proxy.counters()["looping"] == (0 if goes_on else 1)
        assert proxy.status()["held"]["negative_entries"] == 0
        assert fetch(proxy.tftp, "remote.bin") == b"remote"
        (asked,) = asked_by_phones(cluster)
        assert asked.fields["via"].startswith("1.1 appliance-")


def asked_by_phones(cluster: HttpUpstream) -> list[Asked]:
    """What the cluster was asked for, but for our own probes."""
    return [each for each in cluster.asked if not each.name.startswith("appliance-probe-")]
