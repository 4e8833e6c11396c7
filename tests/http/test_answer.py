from __future__ import annotations

import pytest

from appliance.http.answer import Answer, of_file, refusal
from appliance.http.request import Request


def request(method: str = "GET", version: str = "1.1", **fields: str) -> Request:
    return Request(method, b"/x", version, {name.replace("_", "-"): value for name, value in fields.items()})


def fields(answer: Answer) -> dict[str, str]:
    _, *lines = answer.head.decode().removesuffix("\r\n\r\n").split("\r\n")
    return dict(line.split(": ", 1) for line in lines)


def test_a_whole_file_byte_for_byte() -> None:
    assert of_file(request(), 8003) == Answer(
        200,
        b"HTTP/1.1 200 OK\r\nContent-Length: 8003\r\nContent-Type: application/octet-stream\r\n"
        b"Accept-Ranges: bytes\r\nCache-Control: no-store\r\n\r\n",
        stays=True,
        span=range(8003),
    )


@pytest.mark.parametrize(
    ("asked", "size", "status", "span", "length", "content_range"),
    [
        (request(), 0, 200, range(0), "0", None),
        (request("HEAD"), 100, 200, None, "100", None),
        (request("HEAD", range="bytes=1-2"), 100, 200, None, "100", None),
        (request(range="bytes=0-0"), 100, 206, range(1), "1", "bytes 0-0/100"),
        (request(range="bytes=10-"), 100, 206, range(10, 100), "90", "bytes 10-99/100"),
        (request(range="bytes=-5"), 100, 206, range(95, 100), "5", "bytes 95-99/100"),
        (request(range="bytes=0-99"), 100, 206, range(100), "100", "bytes 0-99/100"),
        (request(range="bytes=100-"), 100, 416, None, "0", "bytes */100"),
        (request(range="bytes=0-0"), 0, 416, None, "0", "bytes */0"),
        (request(range="bytes=-5"), 0, 200, range(0), "0", None),
        (request(range="lines=1-2"), 100, 200, range(100), "100", None),
        (request(range="bytes=1-2", if_range='"x"'), 100, 200, range(100), "100", None),
    ],
)
def test_of_file(
    asked: Request, size: int, status: int, span: range | None, length: str, content_range: str | None
) -> None:
    answer = of_file(asked, size)
    assert (answer.status, answer.span, answer.text) == (status, span, b"")
    assert answer.head.startswith(b"HTTP/1.1 %d " % status)
    assert fields(answer)["Content-Length"] == length
    assert fields(answer).get("Content-Range") == content_range


@pytest.mark.parametrize(
    ("asked", "stays"),
    [
        (request(), True),
        (request(connection="close"), False),
        (request(version="1.0"), False),
        (request(version="1.0", connection="keep-alive"), True),
    ],
)
def test_who_closes_is_told(asked: Request, stays: bool) -> None:
    for answer in (
        of_file(asked, 100),
        of_file(request("HEAD", asked.version, **asked.headers), 100),
        of_file(request("GET", asked.version, range="bytes=1-2", **asked.headers), 100),
        of_file(request("GET", asked.version, range="bytes=100-", **asked.headers), 100),
        refusal(asked, 404, "file not found"),
    ):
        assert answer.stays == stays
        assert fields(answer).get("Connection") == (None if stays else "close")


@pytest.mark.parametrize("via", ["", "1.1 appliance-0123456789abcdef"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_via(method: str, via: str) -> None:
    """On every answer, or on none; one that has it is not taken for another's that has not."""
    asked = request(method)
    for answer in (
        of_file(asked, 100, via),
        of_file(request(method, range="bytes=1-2"), 100, via),
        of_file(request(method, range="bytes=100-"), 100, via),
        refusal(asked, 404, "file not found", via),
        refusal(asked, 405, "no", via),
    ):
        assert fields(answer).get("Via", "") == via


@pytest.mark.parametrize(
    ("asked", "status", "text", "stays"),
    [
        (request(), 404, b"no\n", True),
        (request("HEAD"), 404, b"", True),
        (request(), 503, b"no\n", True),
        (request("POST"), 405, b"no\n", False),
        (request("HEAD", connection="close"), 404, b"", False),
    ],
)
def test_refusal(asked: Request, status: int, text: bytes, stays: bool) -> None:
    """HEAD has the same head as GET would have, and nothing behind it."""
    answer = refusal(asked, status, "no")
    assert (answer.status, answer.text, answer.span, answer.stays) == (status, text, None, stays)
    assert fields(answer)["Content-Length"] == "3"
