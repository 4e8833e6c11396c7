from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.reply import (
    FIELDS_MAX,
    HEAD_MAX,
    LENGTH_MAX,
    LINE_MAX,
    BadReply,
    Reply,
    ReplyReader,
)

Outcome = tuple[Reply | None, bytes, str]

OK = b"HTTP/1.1 200 OK\r\n"
CUCM = (
    b"HTTP/1.1 200 OK\r\nContent-length: 4\r\nCache-Control: no-store\r\nContent-type: */*\r\n\r\n<a/>",
    {"content-length": "4", "cache-control": "no-store", "content-type": "*/*"},
)
LENGTH = "a Content-Length that is no one number"
CODING = "a Transfer-Encoding that nobody asked for"


def read(*pieces: bytes) -> Outcome:
    """The head, the body, and how it ends: the error, or one of the words below."""
    reader, reply, body = ReplyReader(), None, b""
    try:
        for piece in pieces:
            if reply is None:
                reply = reader.take(piece)
                if reply is not None:
                    body += reader.body()
            else:
                body += reader.body(piece)
        if reader.surplus:
            return reply, body, "surplus"
        if reader.ended:
            return reply, body, "ended"
        reader.end()
    except BadReply as fault:
        return reply, body, str(fault)
    return reply, body, "closed"


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


@pytest.mark.parametrize(
    ("head", "status", "fields", "length", "stays"),
    [
        (CUCM[0][:-4], 200, CUCM[1], 4, True),
        (b"HTTP/1.1 404\r\nContent-Length:0\r\n\r\n", 404, {"content-length": "0"}, 0, True),
        (b"HTTP/1.1 404 \n\n", 404, {}, None, False),
        (b"HTTP/1.1\t404  Not\tfound \xff\r\n\r\n", 404, {}, None, False),
        (b"HTTP/1.1 204 x\r\n\r\n", 204, {}, 0, True),
        (b"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", 304, {"content-length": "9"}, 0, True),
        (b"HTTP/1.1 101 x\r\n\r\n", 101, {}, 0, True),
        (b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 x\n\nHTTP/1.1 204 x\n\n", 204, {}, 0, True),
        # Versions and connections
        (b"HTTP/1.0 204 x\r\n\r\n", 204, {}, 0, False),
        (
            b"HTTP/1.0 204 x\r\nConnection: a, Keep-Alive\r\n\r\n",
            204,
            {"connection": "a, Keep-Alive"},
            0,
            True,
        ),
        (b"HTTP/1.7 204 x\r\nConnection: CLOSE\r\n\r\n", 204, {"connection": "CLOSE"}, 0, False),
        # Fields
        (OK + b"A : b \r\nB:\r\na:\tc\r\n\r\n", 200, {"a": "b, c", "b": ""}, None, False),
        (OK + b"A: b\r\n c\r\n\t\r\n  d \r\n\r\n", 200, {"a": "b c d"}, None, False),
        (OK + b"A: \xfc\x1b\0\r\n\r\n", 200, {"a": "\xfc\x1b\0"}, None, False),
        # Lengths
        (OK + b"Content-Length: 04\r\ncontent-length: 04\r\n\r\n", 200, None, 4, True),
        (OK + b"Content-Length: 4, 4\r\n\r\n", 200, None, 4, True),
        (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 200, None, LENGTH_MAX, True),
        (OK + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n", 200, None, 0, True),
    ],
)
def test_heads(
    head: bytes, status: int, fields: Mapping[str, str] | None, length: int | None, stays: bool
) -> None:
    """`fields`: None where they are of no interest."""
    reply, body, _ = read(head)
    assert reply is not None
    assert (reply.status, reply.length, reply.stays, reply.fault) == (status, length, stays, "")
    assert fields is None or reply.fields == fields
    assert body == b""
    assert not reply.chunked
    assert read(*bytewise(head))[0] == reply


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        (b"Content-Length: 4\r\nContent-Length: 5", LENGTH),
        (b"Content-Length: 4, 5", LENGTH),
        (b"Content-Length:", LENGTH),
        (b"Content-Length: 4,", LENGTH),
        (b"Content-Length: +4", LENGTH),
        (b"Content-Length: 4_0", LENGTH),
        (b"Content-Length: \xb2", LENGTH),
        (b"Content-Length: x\r\nTransfer-Encoding: chunked", LENGTH),
        (b"Transfer-Encoding: gzip", CODING),
        (b"Transfer-Encoding: gzip, chunked", CODING),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CODING),
        (b"Transfer-Encoding:", CODING),
    ],
)
def test_a_body_whose_end_nobody_can_tell(field: bytes, fault: str) -> None:
    reply, _, _ = read(OK + field + b"\r\n\r\n")
    assert reply is not None
    assert (reply.length, reply.chunked, reply.stays, reply.fault) == (None, False, False, fault)


@pytest.mark.parametrize(
    ("data", "body", "ending"),
    [
        (b"Content-Length: 4\r\n\r\nabcd", b"abcd", "ended"),
        (b"Content-Length: 0\r\n\r\n", b"", "ended"),
        (b"Content-Length: 0\r\n\r\nx", b"", "surplus"),
        (b"Content-Length: 4\r\n\r\nabcde", b"abcd", "surplus"),
        (b"Content-Length: 4\r\n\r\nabc", b"abc", "closed before the end of the body"),
        (b"\r\nabc", b"abc", "closed"),
        (b"\r\n", b"", "closed"),
        # Chunks
        (b"Transfer-Encoding: Chunked\r\n\r\n" + chunks(b"ab", b"c") + b"0\r\n\r\n", b"abc", "ended"),
        (b"Transfer-Encoding: chunked\r\n\r\n2 ;x=y\nab\n000\nA: b\nB: c\n\n", b"ab", "ended"),
        (b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a", "ended"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", b"", "surplus"),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"a", "closed before the end of the body"),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nab", b"ab", "closed before the end of the body"),
        (b"Transfer-Encoding: chunked\r\n\r\nx\r\n", b"", "a chunk without a size"),
        (b"Transfer-Encoding: chunked\r\n\r\n\r\n", b"", "a chunk without a size"),
        (b"Transfer-Encoding: chunked\r\n\r\n+1\r\n", b"", "a chunk without a size"),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n", b"", "a chunk without a size"),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", b"", "a chunk longer than its size"),
        (b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * LINE_MAX, b"", "a line too long in the body"),
        (
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * HEAD_MAX + b"\r\n",
            b"",
            "trailers too long",
        ),
    ],
)
def test_bodies(data: bytes, body: bytes, ending: str) -> None:
    assert read(OK + data)[1:] == (body, ending)
    if len(data) <= LINE_MAX:
        pieces = read(*bytewise(OK + data))
        assert pieces[1].startswith(body)
        assert pieces[2] == ending


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "closed without an answer"),
        (b"H", "closed before the end of a head"),
        (OK + b"A: b\r\n", "closed before the end of a head"),
        (b"HTTP/1.1 100 x\r\n\r\n", "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no status line"),
        (b"\r\n" + OK + b"\r\n", "no status line"),
        (b"HTTP/0.9 200 OK\r\n\r\n", "no status line"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "no status line"),
        (b"HTTP/1.10 200 OK\r\n\r\n", "no status line"),
        (b"HTTP/1.1 OK\r\n\r\n", "no status line"),
        (b"HTTP/1.1 2000\r\n\r\n", "no status line"),
        (b"HTTP/1.1 099 x\r\n\r\n", "no status line"),
        (OK + b" folded\r\n\r\n", "a line that is no field"),
        (OK + b"no colon\r\n\r\n", "a line that is no field"),
        (OK + b": b\r\n\r\n", "a line that is no field"),
        (OK + b"\r: b\r\n\r\n", "a line that is no field"),
        (OK + b"A: b\r\n" * (FIELDS_MAX + 1) + b"\r\n", "too many fields"),
        (b"HTTP/1.1 200 " + b"x" * HEAD_MAX, "head too long"),
        (b"HTTP/1.1 100 x\r\n\r\n" * HEAD_MAX, "head too long"),
    ],
)
def test_no_answer(data: bytes, why: str) -> None:
    assert read(data) == (None, b"", why)


def test_limits_hold_exactly() -> None:
    head = OK + b"A: b\r\n" * FIELDS_MAX + b"\r\n"
    assert read(head)[0] is not None
    start = OK + b"A: "
    head = start + b"x" * (HEAD_MAX - len(start) - 4) + b"\r\n\r\n"
    assert read(head)[0] is not None
    assert read(head.replace(b"x", b"xx", 1))[2] == "head too long"


ANSWERS = st.builds(
    lambda *parts: b"".join(parts),
    st.sampled_from([OK, b"HTTP/1.1 100 x\r\n\r\n" + OK, b"HTTP/1.0 404 x\n", b"HTTP/1.", b""]),
    st.lists(
        st.sampled_from(
            [
                b"Content-Length: 5\r\n",
                b"Content-Length: 7\n",
                b"Transfer-Encoding: chunked\r\n",
                b" more\r\n",
                b"Connection: close\r\n",
                b"no field\r\n",
            ]
        ),
        max_size=3,
    ).map(b"".join),
    st.sampled_from([b"\r\n", b"\n", b""]),
    st.one_of(st.binary(max_size=20), st.sampled_from([b"5\r\nabcde\r\n0\r\n\r\n", b"0\n\n", b"12345"])),
)


@given(st.one_of(st.binary(max_size=60), ANSWERS), st.data())
def test_pieces_do_not_matter(data: bytes, draw: st.DataObject) -> None:
    """Any bytes, in any pieces: the same head, the same ending, nothing else raised."""
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    pieces = [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    whole, parts = read(data), read(*pieces)
    assert parts[0] == whole[0]
    assert parts[2] == whole[2]
    if whole[2] in ("ended", "surplus", "closed"):
        assert parts[1] == whole[1]
    else:
        assert parts[1].startswith(whole[1])


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.binary(max_size=5))
def test_a_body_comes_as_it_was(pieces: list[bytes], more: bytes) -> None:
    body = b"".join(pieces)
    ending = "surplus" if more else "ended"
    announced = OK + b"Content-Length: %d\r\n\r\n" % len(body)
    assert read(announced + body + more)[1:] == (body, ending)
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(*pieces) + b"0\r\n\r\n"
    assert read(chunked + more)[1:] == (body, ending)
    assert read(OK + b"\r\n" + body)[1:] == (body, "closed")
