"""Which answer a request gets: a head, and what follows it (RFC 9110 sections 14 and 15)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from appliance.http import ranges, response
from appliance.http.ranges import Unsatisfiable
from appliance.http.request import Request


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and its head.

    After the head come the bytes of `text`, or, where `span` is not None, those of the file at these
    offsets. `stays`: the connection is of use for another request.
    """

    status: int
    head: bytes
    stays: bool
    text: bytes = b""
    span: range | None = None


def of_file(request: Request, size: int, via: str = "") -> Answer:
    """What a GET or HEAD is answered that asks for a file of `size` bytes. `via` is the value of that field
    (RFC 9110 section 7.6.3), which is left out where it is empty.
    """
    wanted = _range(request)
    if wanted is None:
        return _whole(size, request.method == "HEAD", request.keep_alive, via)
    span = ranges.parse(wanted, size)
    if span is None:
        return _whole(size, False, request.keep_alive, via)
    fields = [("Content-Range", ranges.content_range(span, size)), *_via(via)]
    if isinstance(span, Unsatisfiable):
        return Answer(416, _head(416, 0, request.keep_alive, fields), request.keep_alive)
    head = _head(206, span.length, request.keep_alive, fields)
    return Answer(206, head, request.keep_alive, span=range(span.first, span.last + 1))


def refusal(request: Request, status: int, text: str, via: str = "") -> Answer:
    """What a request is answered that gets no file; `via` as in `of_file`."""
    # RFC 9112 section 9.3: what follows a method that we do not know may be no request.
    stays = request.keep_alive and status != 405
    return _refusal(status, text, request.method == "HEAD", stays, via)


def _range(request: Request) -> str | None:
    """The Range that counts: of a GET (RFC 9110 section 14.2), and not on a condition (13.1.5), as
    there is no validator that it could name.
    """
    if request.method != "GET" or "if-range" in request.headers:
        return None
    return request.headers.get("range")


@lru_cache(maxsize=4096)  # a site has some hundred files, each asked for by thousands of phones
def _whole(size: int, head_only: bool, stays: bool, via: str) -> Answer:
    return Answer(200, _head(200, size, stays, _via(via)), stays, span=None if head_only else range(size))


@lru_cache(maxsize=64)
def _refusal(status: int, text: str, head_only: bool, stays: bool, via: str) -> Answer:
    head, body = response.error(status, text, keep_alive=stays, fields=_via(via))
    return Answer(status, head, stays, text=b"" if head_only else body)


def _via(via: str) -> list[tuple[str, str]]:
    return [("Via", via)] if via else []


def _head(status: int, length: int, stays: bool, fields: list[tuple[str, str]]) -> bytes:
    fields = [
        *fields,
        ("Content-Length", str(length)),
        ("Content-Type", "application/octet-stream"),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", "no-store"),
    ]
    if not stays:
        fields.append(("Connection", "close"))
    return response.head(status, fields)
