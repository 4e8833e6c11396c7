"""Requests out of a stream of bytes: RFC 9112 sections 2, 3, 5, 6 and 9, as far as GET and HEAD go.

    GET /CTLSEP2834A2823B58.tlv HTTP/1.1 CR LF
    Host:198.51.100.0:6970 CR LF
    CR LF

That is all a phone sends. A bare LF ends a line as well (section 2.2). Requests with a body are
refused, so that the next request always begins where the head of this one ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

HEAD_MAX = 8192  # bytes from the request line to the empty line after the fields
FIELDS_MAX = 64
EMPTY_LINES_MAX = 4  # before a request line; section 2.2 asks for at least one
REPEATED_MAX = 512  # bytes of a head that is remembered: a phone's has some 60

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 section 5.5
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")  # wider than RFC 3986: names may come in any encoding
_VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)
_END = re.compile(rb"\n\r?\n")


class BadRequest(Exception):
    """The peer sent what cannot be answered but by `status`; the connection is of no more use.

    The text is ours and holds nothing of the peer's.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request.

    `method` is as sent: which ones are served is the caller's to say. `path` is percent-decoded
    once, without query and fragment. `version` is "1.0" or "1.1". `headers`: lower-case name to
    value, lines of one name joined by ", ".
    """

    method: str
    path: bytes
    version: str
    headers: Mapping[str, str]

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after the response (section 9.3)."""
        field = self.headers.get("connection")
        if field is None:
            return self.version == "1.1"
        options = {option.strip(" \t").lower() for option in field.split(",")}
        return "close" not in options and (self.version == "1.1" or "keep-alive" in options)


class RequestReader:
    """The requests of one connection, in any pieces in which their bytes arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._empty_lines = 0
        self._refused: tuple[int, str] | None = None

    def feed(self, data: bytes) -> None:
        """Take what arrived. After an error it is thrown away."""
        if self._refused is None:
            self._buffer += data

    @property
    def begun(self) -> bool:
        """Whether there are bytes that no request has come of yet."""
        return bool(self._buffer)

    def take(self, data: bytes) -> Request | None:
        """`feed`, and then `next`; without a second look at a head that has just been read, as
        thousands of phones send the same one.
        """
        if not self._buffer and not self._empty_lines and self._refused is None and len(data) <= REPEATED_MAX:
            request = _repeated(data)
            if request is not None:
                return request
        self.feed(data)
        return self.next()

    def next(self) -> Request | None:
        """The next request; None when more is needed for it. `BadRequest` once means always."""
        if self._refused is None:
            try:
                return self._next()
            except BadRequest as error:
                self._refused = error.status, error.text
                self._buffer.clear()
        raise BadRequest(*self._refused)

    def _next(self) -> Request | None:
        # What is decided here rests on the bytes before the point of decision alone, so that it
        # does not matter in which pieces they come.
        self._skip_empty_lines()
        line_end = self._buffer.find(b"\n", 0, HEAD_MAX)
        if line_end < 0:
            if len(self._buffer) >= HEAD_MAX:
                raise BadRequest(414, "request line too long")
            return None
        method, path, version = _request_line(_line(self._buffer[:line_end]))
        end = _END.search(self._buffer, 0, HEAD_MAX)
        if end is None:
            if len(self._buffer) >= HEAD_MAX:
                raise BadRequest(431, "head too long")
            return None
        *lines, _ = self._buffer[line_end + 1 : end.start() + 1].split(b"\n")
        headers = _fields([_line(line) for line in lines])
        _refuse_body(headers)
        del self._buffer[: end.end()]
        self._empty_lines = 0
        return Request(method, path, version, headers)

    def _skip_empty_lines(self) -> None:
        while self._buffer.startswith((b"\n", b"\r\n")):
            del self._buffer[: self._buffer.index(b"\n") + 1]
            self._empty_lines += 1
            if self._empty_lines > EMPTY_LINES_MAX:
                raise BadRequest(400, "empty lines instead of a request")


@lru_cache(maxsize=1024)
def _repeated(data: bytes) -> Request | None:
    """The request that these bytes are, all of them and nothing else; None for anything else."""
    reader = RequestReader()
    reader.feed(data)
    try:
        request = reader.next()
    except BadRequest:
        return None
    return None if reader.begun else request


def _line(raw: bytearray) -> bytes:
    """A line without its end, of which the LF is gone already."""
    return bytes(raw.removesuffix(b"\r"))


def _request_line(line: bytes) -> tuple[str, bytes, str]:
    words = line.split(b" ")
    if len(words) != 3:
        raise BadRequest(400, "request line is not method, target and version")
    method, target, version = words
    if not _TOKEN.fullmatch(method):
        raise BadRequest(400, "method is no token")
    number = _VERSION.fullmatch(version)
    if number is None:
        raise BadRequest(400, "no version of HTTP")
    if number[1] != b"1":
        raise BadRequest(505, "only HTTP/1.0 and HTTP/1.1 are spoken")
    # RFC 9110 section 2.5: a higher minor version is taken as the highest that we speak.
    return method.decode(), _path(method, target), "1.0" if number[2] == b"0" else "1.1"


def _path(method: bytes, target: bytes) -> bytes:
    """The path of a request target (section 3.2), with %-escapes decoded; broken ones stay."""
    if not _TARGET.fullmatch(target):
        raise BadRequest(400, "target with control characters")
    if method == b"CONNECT" or (method, target) == (b"OPTIONS", b"*"):
        return target  # not a path, but no fault: the caller refuses the method
    if not target.startswith(b"/"):
        origin = _ABSOLUTE.match(target)
        if origin is None:
            raise BadRequest(400, "target is neither a path nor a URL of HTTP")
        target = target[origin.end() :]
    path = re.split(rb"[?#]", target, maxsplit=1)[0]
    return unquote_to_bytes(path) or b"/"


def _fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > FIELDS_MAX:
        raise BadRequest(431, "too many fields")
    headers: dict[str, str] = {}
    for line in lines:
        # No token ends in whitespace, which refuses it before the colon (section 5.1), and a line
        # that begins with it, once the continuation of the line before (sections 2.2, 5.2).
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name):
            raise BadRequest(400, "field line without a name")
        if not _VALUE.fullmatch(value):
            raise BadRequest(400, "field value with control characters")
        key, text = name.decode().lower(), value.strip(b" \t").decode("latin-1")
        if key == "host" and key in headers:
            raise BadRequest(400, "more than one Host")  # section 3.2
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _refuse_body(headers: Mapping[str, str]) -> None:
    if "transfer-encoding" in headers:
        raise BadRequest(400, "a request with a body")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "Content-Length is no number")
    if length.strip("0"):
        raise BadRequest(413, "a request with a body")
