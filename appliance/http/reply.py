"""Answers out of a stream of bytes, as one who sends GET reads them: RFC 9112 sections 2 and 4 to 7.

A bare LF ends a line as well (section 2.2). Answers of 1xx are skipped (RFC 9110 section 15.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

HEAD_MAX = 64 * 1024  # bytes before the body, of all answers of 1xx and of the last one; and of trailers
FIELDS_MAX = 100
LINE_MAX = 4096  # bytes of a line in a chunked body
LENGTH_MAX = 10**18  # a body that is announced with more is as good as this large

_START = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9][0-9])(?:[ \t][^\n]*)?")
_END = re.compile(rb"\n\r?\n")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?")
_SWITCHING = 101
_WITHOUT_BODY = (204, 304)
_BLANK = " \t\r"


class BadReply(Exception):
    """The peer does not speak HTTP as it should. The text is ours and holds nothing of the peer's."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of an answer.

    `fields`: lower-case name to value, lines of one name joined by ", ". The body has `length` bytes; or it
    is `chunked`; or else the connection's end is its end. `stays`: the connection is of use after it.
    `fault`: why nobody can tell where the body ends, empty where one can.
    """

    status: int
    fields: Mapping[str, str]
    length: int | None
    chunked: bool
    stays: bool
    fault: str


class ReplyReader:
    """One answer, in any pieces in which its bytes arrive.

    `ended`: the body has come to its end. `surplus`: more has come than that.
    """

    __slots__ = ("_buffer", "_chunks", "_left", "_looked", "_skipped", "ended", "reply", "surplus")

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.ended = False
        self.surplus = False
        self._buffer = b""  # what no head has come of yet; then what came of the body with it
        self._looked = 0  # bytes of it in which a head does not end
        self._skipped = 0  # bytes of answers of 1xx
        self._left: int | None = None  # bytes of the body that are still to come, where that is known
        self._chunks: _Chunks | None = None

    def take(self, data: bytes) -> Reply | None:
        """The head, once it is there; then `body` has what has come of the body. `BadReply`."""
        self._buffer = buffer = self._buffer + data if self._buffer else data
        while True:
            if not buffer.startswith(_START[: len(buffer)]):
                raise BadReply("no status line")
            end = _END.search(buffer, max(0, self._looked - 2))
            size = self._skipped + (len(buffer) if end is None else end.end())
            if size > HEAD_MAX:
                raise BadReply("head too long")
            if end is None:
                self._looked = len(buffer)
                return None
            reply = parse(buffer[: end.start()])
            self._buffer = buffer = buffer[end.end() :]
            if 100 <= reply.status < 200 and reply.status != _SWITCHING:
                self._skipped, self._looked = size, 0
                if not buffer:
                    return None
                continue
            self._begin(reply)
            return reply

    def body(self, data: bytes = b"") -> bytes:
        """The bytes of the body in what has come: with the head at first, `data` from then on. `BadReply`."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        if self._chunks is not None:
            data = self._chunks.take(data)
            self.ended, self.surplus = self._chunks.ended, self._chunks.surplus
        elif self._left is not None:
            if len(data) > self._left:
                data, self.surplus = data[: self._left], True
            self._left -= len(data)
            self.ended = not self._left
        return data

    def end(self) -> None:
        """The peer has closed the connection: `BadReply` where that is not the end of the body."""
        if self.reply is None:
            raise BadReply("closed before the end of a head" if self._buffer else "closed without an answer")
        if self.reply.length is not None or self.reply.chunked:
            raise BadReply("closed before the end of the body")
        self.ended = True

    def _begin(self, reply: Reply) -> None:
        self.reply = reply
        if reply.chunked:
            self._chunks = _Chunks()
        self._left = reply.length
        self.ended = reply.length == 0


class _Chunks:
    """A chunked body (section 7.1). Trailers are skipped."""

    __slots__ = ("_after_chunk", "_begun", "_left", "_trailers", "ended", "surplus")

    def __init__(self) -> None:
        self.ended = False
        self.surplus = False
        self._begun = b""  # a line whose end has not come yet
        self._left = 0  # bytes of a chunk that are still to come
        self._after_chunk = False  # the next line is the empty one behind a chunk
        self._trailers: int | None = None  # bytes of these so far; None before the last chunk

    def take(self, data: bytes) -> bytes:
        """What there is of the body in `data`; `BadReply`."""
        if self._begun:
            data, self._begun = self._begun + data, b""
        pieces = []
        at = 0
        while at < len(data) and not self.ended:
            if self._left:
                pieces.append(data[at : at + self._left])
                self._left -= len(pieces[-1])
                at += len(pieces[-1])
                continue
            end = data.find(b"\n", at, at + LINE_MAX)
            if end < 0:
                self._begun = data[at:]
                if len(self._begun) >= LINE_MAX:
                    raise BadReply("a line too long in the body")
                break
            self._line(data[at:end].removesuffix(b"\r"))
            at = end + 1
        self.surplus = self.surplus or (self.ended and at < len(data))
        return b"".join(pieces)

    def _line(self, line: bytes) -> None:
        if self._trailers is not None:
            self.ended = not line
            self._trailers += len(line) + 1
            if self._trailers > HEAD_MAX:
                raise BadReply("trailers too long")
        elif self._after_chunk:
            if line:
                raise BadReply("a chunk longer than its size")
            self._after_chunk = False
        else:
            size = _CHUNK_LINE.fullmatch(line)
            if size is None:
                raise BadReply("a chunk without a size")
            self._left = int(size[1], 16)
            self._after_chunk = bool(self._left)
            if not self._left:
                self._trailers = 0


def parse(head: bytes) -> Reply:
    """The head of an answer, without the end of its last line; `BadReply`."""
    first, *lines = head.split(b"\n")
    line = _STATUS_LINE.fullmatch(first.removesuffix(b"\r"))
    if line is None:
        raise BadReply("no status line")
    status, fields = int(line[2]), _fields(lines)
    options = fields.get("connection", "").lower()
    stays = "close" not in options and (line[1] != b"0" or "keep-alive" in options)
    length, chunked, fault = _framing(status, fields)
    framed = chunked or length is not None
    return Reply(status, fields, length, chunked, stays and framed, fault)


def _fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > FIELDS_MAX:
        raise BadReply("too many fields")
    fields: dict[str, str] = {}
    key = ""
    for line in lines:
        text = line.decode("latin-1")
        if text[0] in " \t" and key:
            # Section 5.2: who meets a field that goes on in the next line reads a space there.
            fields[key] = f"{fields[key]} {text.strip(_BLANK)}".strip(_BLANK)
            continue
        name, colon, value = text.partition(":")
        key = name.rstrip(_BLANK).lower()
        if not colon or not key or key[0] in _BLANK:
            raise BadReply("a line that is no field")
        value = value.strip(_BLANK)
        fields[key] = f"{fields[key]}, {value}" if key in fields else value
    return fields


def _framing(status: int, fields: Mapping[str, str]) -> tuple[int | None, bool, str]:
    """Length, whether it is chunked, and why neither is clear (section 6.3)."""
    if status < 200 or status in _WITHOUT_BODY:
        return 0, False, ""
    lengths = {length.strip(_BLANK) for length in fields.get("content-length", "0").split(",")}
    if len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
        return None, False, "a Content-Length that is no one number"
    coding = fields.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            return None, False, "a Transfer-Encoding that nobody asked for"
        return None, True, ""
    if "content-length" not in fields:
        return None, False, ""
    digits = lengths.pop().lstrip("0")
    return (LENGTH_MAX if len(digits) > 18 else int(digits or "0")), False, ""
