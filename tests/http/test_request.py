from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.request import (
    EMPTY_LINES_MAX,
    FIELDS_MAX,
    HEAD_MAX,
    BadRequest,
    Request,
    RequestReader,
)

Outcome = Request | tuple[int, str] | None

PHONE = b"GET /CTLSEP2834A2823B58.tlv HTTP/1.1\r\nHost:198.51.100.0:6970\r\n\r\n"
PHONE_REQUEST = Request("GET", b"/CTLSEP2834A2823B58.tlv", "1.1", {"host": "198.51.100.0:6970"})


def read(*pieces: bytes) -> list[Outcome]:
    """What comes out until more is needed or the one error came, after all pieces."""
    reader = RequestReader()
    outcomes: list[Outcome] = []
    for piece in pieces:
        reader.feed(piece)
        try:
            while (request := reader.next()) is not None:
                outcomes.append(request)
        except BadRequest as error:
            return [*outcomes, (error.status, error.text)]
    return [*outcomes, None]


def take(*pieces: bytes) -> list[Outcome]:
    """The same by `take`."""
    reader = RequestReader()
    outcomes: list[Outcome] = []
    for piece in pieces:
        try:
            request = reader.take(piece)
            while request is not None:
                outcomes.append(request)
                request = reader.next()
        except BadRequest as error:
            return [*outcomes, (error.status, error.text)]
    return [*outcomes, None]


def write(request: Request) -> bytes:
    """A request as the bytes that mean it."""
    lines = [f"{request.method} {quote_from_bytes(request.path)} HTTP/{request.version}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def fields(count: int) -> bytes:
    return b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(count))


def padded(size: int) -> bytes:
    """A request whose head has `size` bytes."""
    start = b"GET /x HTTP/1.1\r\nX: "
    return start + b"y" * (size - len(start) - 4) + b"\r\n\r\n"


GOOD: list[tuple[bytes, str, bytes, str, Mapping[str, str]]] = [
    (PHONE, "GET", b"/CTLSEP2834A2823B58.tlv", "1.1", {"host": "198.51.100.0:6970"}),
    # Lines and their ends
    (b"GET /x HTTP/1.1\nHost: a\n\n", "GET", b"/x", "1.1", {"host": "a"}),
    (b"GET /x HTTP/1.1\r\nHost: a\n\r\n", "GET", b"/x", "1.1", {"host": "a"}),
    (b"GET /x HTTP/1.1\nHost: a\r\n\n", "GET", b"/x", "1.1", {"host": "a"}),
    (b"GET /x HTTP/1.1\n\n", "GET", b"/x", "1.1", {}),
    (b"\r\n\n\r\n\nGET /x HTTP/1.1\r\n\r\n", "GET", b"/x", "1.1", {}),
    # Methods: any token, in its own case
    (b"HEAD /x HTTP/1.1\r\n\r\n", "HEAD", b"/x", "1.1", {}),
    (b"get /x HTTP/1.1\r\n\r\n", "get", b"/x", "1.1", {}),
    (b"POST /x HTTP/1.1\r\n\r\n", "POST", b"/x", "1.1", {}),
    (b"M-SEARCH* /x HTTP/1.1\r\n\r\n", "M-SEARCH*", b"/x", "1.1", {}),
    (b"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS", b"*", "1.1", {}),
    (b"CONNECT a:443 HTTP/1.1\r\n\r\n", "CONNECT", b"a:443", "1.1", {}),
    # Versions
    (b"GET /x HTTP/1.0\r\n\r\n", "GET", b"/x", "1.0", {}),
    (b"GET /x HTTP/1.7\r\n\r\n", "GET", b"/x", "1.1", {}),
    # Targets
    (b"GET / HTTP/1.1\r\n\r\n", "GET", b"/", "1.1", {}),
    (b"GET //x HTTP/1.1\r\n\r\n", "GET", b"//x", "1.1", {}),
    (b"GET /a/../x HTTP/1.1\r\n\r\n", "GET", b"/a/../x", "1.1", {}),
    (b"GET /a\\x HTTP/1.1\r\n\r\n", "GET", b"/a\\x", "1.1", {}),
    (b"GET /x?y=/z HTTP/1.1\r\n\r\n", "GET", b"/x", "1.1", {}),
    (b"GET /x#y?z HTTP/1.1\r\n\r\n", "GET", b"/x", "1.1", {}),
    (b"GET /? HTTP/1.1\r\n\r\n", "GET", b"/", "1.1", {}),
    (b"GET /a%20b%2Fc%3fd%23e HTTP/1.1\r\n\r\n", "GET", b"/a b/c?d#e", "1.1", {}),
    (b"GET /%2e%2E/%5cx HTTP/1.1\r\n\r\n", "GET", b"/../\\x", "1.1", {}),
    (b"GET /%252e HTTP/1.1\r\n\r\n", "GET", b"/%2e", "1.1", {}),  # once
    (b"GET /%00%0d%0a%ff HTTP/1.1\r\n\r\n", "GET", b"/\0\r\n\xff", "1.1", {}),
    (b"GET /%/%4/%zz/%%41/%u0041/% HTTP/1.1\r\n\r\n", "GET", b"/%/%4/%zz/%A/%u0041/%", "1.1", {}),
    (b"GET /\xc3\xbc\xff HTTP/1.1\r\n\r\n", "GET", b"/\xc3\xbc\xff", "1.1", {}),
    (b"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET", b"/x", "1.1", {"host": "a"}),
    (b"GET HTTP://a:6970/x?y HTTP/1.1\r\n\r\n", "GET", b"/x", "1.1", {}),
    (b"GET https://[2001:db8::1]:6971/x HTTP/1.1\r\n\r\n", "GET", b"/x", "1.1", {}),
    (b"GET http://a HTTP/1.1\r\n\r\n", "GET", b"/", "1.1", {}),
    (b"GET http://a?x HTTP/1.1\r\n\r\n", "GET", b"/", "1.1", {}),
    (b"GET http://a/http://b/x HTTP/1.1\r\n\r\n", "GET", b"/http://b/x", "1.1", {}),
    # Fields
    (
        b"GET /x HTTP/1.1\r\nA:\r\nB: \t \r\nC:\t c d \r\n\r\n",
        "GET",
        b"/x",
        "1.1",
        {"a": "", "b": "", "c": "c d"},
    ),
    (
        b"GET /x HTTP/1.1\r\nvia: a\r\nHost: h\r\nVIA: b\r\n\r\n",
        "GET",
        b"/x",
        "1.1",
        {"via": "a, b", "host": "h"},
    ),
    (b'GET /x HTTP/1.1\r\nX: \xe9:\t"\r\n\r\n', "GET", b"/x", "1.1", {"x": 'é:\t"'}),
    (b"GET /x HTTP/1.1\r\nHost: \r\n\r\n", "GET", b"/x", "1.1", {"host": ""}),
    (b"GET /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "GET", b"/x", "1.1", {"content-length": "0"}),
    (b"GET /x HTTP/1.1\r\nContent-Length: 000\r\n\r\n", "GET", b"/x", "1.1", {"content-length": "000"}),
]


@pytest.mark.parametrize(("data", "method", "path", "version", "headers"), GOOD)
def test_good(data: bytes, method: str, path: bytes, version: str, headers: Mapping[str, str]) -> None:
    request = Request(method, path, version, headers)
    bytewise = [bytes([byte]) for byte in data]
    assert read(data) == [request, None]
    assert read(*bytewise) == [request, None]
    assert read(data + data) == [request, request, None]
    assert read(data[:-1]) == [None]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        # The request line
        (b"GET /x\r\n", 400),  # HTTP/0.9: no version at all
        (b"GET\r\n\r\n", 400),
        (b"GET /x HTTP/0.9\r\n\r\n", 505),
        (b"GET /x HTTP/2.0\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),  # the preface of HTTP/2
        (b"GET /x HTTP/3.0\r\n\r\n", 505),
        (b"GET /x http/1.1\r\n\r\n", 400),
        (b"GET /x HTTP/1\r\n\r\n", 400),
        (b"GET /x HTTP/1.10\r\n\r\n", 400),
        (b"GET /x HTTP/\xb9.1\r\n\r\n", 400),
        (b"GET /x HTTPS/1.1\r\n\r\n", 400),
        (b"GET  /x HTTP/1.1\r\n\r\n", 400),
        (b"GET /x  HTTP/1.1\r\n\r\n", 400),
        (b"GET\t/x HTTP/1.1\r\n\r\n", 400),
        (b" GET /x HTTP/1.1\r\n\r\n", 400),
        (b"GET /x HTTP/1.1 \r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\n\r\n", 400),
        (b"G@T /x HTTP/1.1\r\n\r\n", 400),
        (b"G\xc9T /x HTTP/1.1\r\n\r\n", 400),
        (b"\r\r\nGET /x HTTP/1.1\r\n\r\n", 400),
        (b"\n" * (EMPTY_LINES_MAX + 1), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", 400),  # TLS
        (b"\0\1SEP001122334455.cnf.xml\0octet\0\n", 400),  # TFTP
        # Targets
        (b"GET x HTTP/1.1\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\n\r\n", 400),
        (b"GET a:443 HTTP/1.1\r\n\r\n", 400),
        (b"GET ftp://a/x HTTP/1.1\r\n\r\n", 400),
        (b"GET http:///x HTTP/1.1\r\n\r\n", 400),
        (b"GET http:/x HTTP/1.1\r\n\r\n", 400),
        (b"GET ?x HTTP/1.1\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\n\r\n", 400),
        (b"GET /\x1b[31m HTTP/1.1\r\n\r\n", 400),
        (b"GET /\x7f HTTP/1.1\r\n\r\n", 400),
        (b"GET /\r HTTP/1.1\r\n\r\n", 400),
        # Fields
        (b"GET /x HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost\t: a\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),  # obs-fold
        (b"GET /x HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n \r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n: a\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHo\0st: a\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nH\xf6st: a\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: a\0\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: \x1b[2J\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: \x7f\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n", 400),
        # Bodies
        (b"POST /x HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 413),
        (b"GET /x HTTP/1.1\r\nContent-Length: 01\r\n\r\n", 413),
        (b"GET /x HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"GET /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nContent-Length: +0\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", 400),  # a digit to Python alone
        (b"GET /x HTTP/1.1\r\nContent-Length:\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
def test_bad(data: bytes, status: int) -> None:
    outcomes = read(data)
    assert isinstance(outcomes[0], tuple)
    assert outcomes[0][0] == status
    assert outcomes[0][1].isprintable()
    assert read(*(bytes([byte]) for byte in data)) == outcomes
    assert read(PHONE + data) == [PHONE_REQUEST, *outcomes]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (padded(HEAD_MAX), None),
        (padded(HEAD_MAX + 1), 431),
        (padded(HEAD_MAX)[:-1], None),
        (padded(HEAD_MAX + 1)[:HEAD_MAX], 431),
        (padded(10 * HEAD_MAX), 431),
        (b"\r\n" * EMPTY_LINES_MAX + padded(HEAD_MAX), None),
        (b"GET /" + b"x" * (HEAD_MAX - 6), None),
        (b"GET /" + b"x" * (HEAD_MAX - 5), 414),
        (b"GET /" + b"x" * HEAD_MAX + b" HTTP/1.1\r\n\r\n", 414),
        (b"\0" * HEAD_MAX, 414),
        (b"GET /x HTTP/1.1\r\n" + fields(FIELDS_MAX) + b"\r\n", None),
        (b"GET /x HTTP/1.1\r\n" + fields(FIELDS_MAX + 1) + b"\r\n", 431),
        (b"GET /x HTTP/1.1\r\n" + b"X: y\r\n" * FIELDS_MAX + b"\r\n", None),
    ],
)
def test_limits(data: bytes, status: int | None) -> None:
    last = read(data)[-1]
    assert (last[0] if isinstance(last, tuple) else None) == status
    assert read(data[:100], data[100:-1], data[-1:])[-1] == last


def test_an_error_is_for_good_and_keeps_nothing() -> None:
    reader = RequestReader()
    reader.feed(b"nonsense\r\n" + b"x" * 2 * HEAD_MAX)
    for _ in range(3):
        with pytest.raises(BadRequest) as raised:
            reader.next()
        assert raised.value.status == 400
        reader.feed(PHONE * 1000)


@pytest.mark.parametrize(
    "pieces",
    [
        [PHONE] * 3,
        [PHONE + PHONE, PHONE],
        [PHONE[:9], PHONE[9:], PHONE, PHONE],
        [PHONE, b"\r\n", PHONE],
        [PHONE, *[b"\r\n"] * EMPTY_LINES_MAX, PHONE],
        [PHONE, *[b"\r\n"] * EMPTY_LINES_MAX, b"\r\n" + PHONE],
        [b"\r\n" * EMPTY_LINES_MAX + PHONE, PHONE, b"\r\n" * EMPTY_LINES_MAX + PHONE],
        [b"nonsense\n", PHONE],
        [PHONE, PHONE + b"nonsense\n", PHONE],
        [padded(HEAD_MAX), padded(HEAD_MAX + 1), PHONE],
        [b"", PHONE],
    ],
)
def test_what_is_remembered_changes_nothing(pieces: list[bytes]) -> None:
    for _ in range(2):
        assert take(*pieces) == read(*pieces)


def test_begun() -> None:
    reader = RequestReader()
    for piece, begun in ((PHONE, False), (PHONE[:1], True), (PHONE[1:], False), (PHONE + b"G", True)):
        assert reader.take(piece) == (None if len(piece) == 1 else PHONE_REQUEST)
        assert reader.begun == begun


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", None, True),
        ("1.1", "keep-alive", True),
        ("1.1", "close", False),
        ("1.1", "CLOSE", False),
        ("1.1", "TE,\tClose , x", False),
        ("1.1", "closed", True),
        ("1.1", "", True),
        ("1.0", None, False),
        ("1.0", "Keep-Alive", True),
        ("1.0", "te, keep-alive", True),
        ("1.0", "keep-alive, close", False),
        ("1.0", "x", False),
    ],
)
def test_keep_alive(version: str, connection: str | None, kept: bool) -> None:
    headers = {} if connection is None else {"connection": connection}
    assert Request("GET", b"/x", version, headers).keep_alive is kept


tokens = st.from_regex(re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,20}", re.ASCII), fullmatch=True)
values = st.from_regex(re.compile("([!-~\x80-\xff]([\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?"), fullmatch=True)
requests = st.builds(
    Request,
    tokens.filter(lambda method: method not in ("CONNECT",)),
    st.binary(max_size=300).map(lambda path: b"/" + path),
    st.sampled_from(["1.0", "1.1"]),
    st.dictionaries(
        tokens.filter(lambda name: name not in ("content-length", "transfer-encoding")), values, max_size=9
    ),
)


@given(st.lists(requests, max_size=4))
def test_what_was_written_is_read(written: list[Request]) -> None:
    assert read(b"".join(map(write, written))) == [*written, None]


PIECES = [PHONE, b"GET ", b"HEAD ", b"/x", b"/%4", b"http://a/"]
PIECES += [b" HTTP/1.1", b" HTTP/1.0\r\n", b" HTTP/2.0", b"\r", b"\n", b"\r\n", b"\r\n\r\n"]
PIECES += [b"Host: a", b"Connection: close\r\n", b"Content-Length: 0\r\n", b"Content-Length: 7\r\n"]
PIECES += [b": ", b" ", b"\t", b"\0", b"\xff", b"x" * 1000, b"X: y\r\n" * 30]
streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=30).map(b"".join) | st.binary()


@given(streams, st.data())
def test_the_split_does_not_matter(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    outcomes = read(stream)
    assert read(*pieces) == outcomes
    assert take(*pieces) == outcomes
    assert take(*pieces) == outcomes  # now that it may be remembered
    for outcome in outcomes[:-1]:
        assert isinstance(outcome, Request)
        assert outcome.version in ("1.0", "1.1")
    assert not isinstance(outcomes[-1], Request)
