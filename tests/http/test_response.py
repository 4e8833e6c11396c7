from __future__ import annotations

import io
import socket
from http.client import HTTPResponse
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.response import REASONS, error, head

Fields = list[tuple[str, str]]


class Received:
    """The side of a socket that http.client reads."""

    def __init__(self, data: bytes) -> None:
        self.stream = io.BytesIO(data)

    def makefile(self, mode: str) -> io.BytesIO:
        return self.stream


def read(data: bytes, method: str = "GET") -> tuple[int, str, Fields, bytes]:
    """Status, reason, fields and body, as another's client sees them."""
    with HTTPResponse(cast(socket.socket, Received(data)), method=method) as response:
        response.begin()
        assert response.version == 11
        return response.status, response.reason, response.getheaders(), response.read()


@pytest.mark.parametrize(
    ("status", "fields", "data"),
    [
        (200, [], b"HTTP/1.1 200 OK\r\n\r\n"),
        (
            200,
            [("Content-Length", "5"), ("Via", "1.1 a"), ("Via", "1.1 b")],
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVia: 1.1 a\r\nVia: 1.1 b\r\n\r\n",
        ),
        (
            206,
            [("Content-Range", "bytes 0-1/2")],
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\n\r\n",
        ),
        (404, [("X", "")], b"HTTP/1.1 404 Not Found\r\nX: \r\n\r\n"),
        (503, [("X", "\u00e9")], b"HTTP/1.1 503 Service Unavailable\r\nX: \xe9\r\n\r\n"),
    ],
)
def test_head(status: int, fields: Fields, data: bytes) -> None:
    assert head(status, fields) == data
    assert read(data, "HEAD")[:3] == (status, REASONS[status], fields)


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (299, []),
        (0, []),
        (200, [("X", "a\r\nSet-Cookie: b")]),
        (200, [("X", "a\nb")]),
        (200, [("X", "a\r")]),
        (200, [("X", "a\n")]),
        (200, [("X", "a\0b")]),
        (200, [("X", "\x1b[2J")]),
        (200, [("X", "\x7f")]),
        (200, [("X", "\u20ac")]),
        (200, [("X", "\udcff")]),
        (200, [("X", " a")]),
        (200, [("X", "a\t")]),
        (200, [("", "a")]),
        (200, [("X Y", "a")]),
        (200, [("X:", "a")]),
        (200, [("X\r\nY", "a")]),
        (200, [("X\n", "a")]),
        (200, [("\u00c4", "a")]),
    ],
)
def test_what_would_not_arrive_is_refused(status: int, fields: Fields) -> None:
    with pytest.raises(ValueError) as raised:
        head(status, fields)
    assert str(raised.value).isprintable()


@given(st.sampled_from(sorted(REASONS)), st.lists(st.tuples(st.text(max_size=9), st.text()), max_size=5))
def test_any_fields(status: int, fields: Fields) -> None:
    """Refused, or one line a field and nothing more."""
    try:
        data = head(status, fields)
    except ValueError:
        return
    lines = data.split(b"\r\n")
    assert len(lines) == len(fields) + 3
    assert [tuple(line.decode("latin-1").split(": ", 1)) for line in lines[1:-2]] == fields


@pytest.mark.parametrize(
    ("status", "keep_alive", "extra"),
    [
        (400, False, [("Connection", "close")]),
        (404, True, []),
        (404, False, [("Connection", "close")]),
        (405, True, [("Allow", "GET, HEAD")]),
        (501, True, []),
        (503, True, [("Retry-After", "1")]),
        (503, False, [("Retry-After", "1"), ("Connection", "close")]),
    ],
)
@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("not found", b"not found\n"),
        ("", b"\n"),
        ("Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe\n".encode()),
        ("\udcff", b"\\udcff\n"),
    ],
)
def test_error(status: int, keep_alive: bool, extra: Fields, text: str, body: bytes) -> None:
    start, sent = error(status, text, keep_alive=keep_alive)
    assert sent == body
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *extra]
    assert read(start + sent) == (status, REASONS[status], fields, body)
    assert read(start, "HEAD") == (status, REASONS[status], fields, b"")


def test_retry_after() -> None:
    assert b"\r\nRetry-After: 30\r\n" in error(503, "busy", retry_after=30)[0]
    assert b"Retry-After" not in error(404, "not found", retry_after=30)[0]
