"""Heads of responses, and whole ones for errors (RFC 9112 sections 4 and 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What we send; the standard library's phrases differ between versions of Python.
REASONS = {
    200: "OK",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def head(status: int, fields: Sequence[tuple[str, str]]) -> bytes:
    """Status line, fields in the given order, and the empty line.

    `ValueError` for what would not arrive as it was meant, line ends in a value before all: that
    would be our fault, as nothing of the peer's may come here unchecked.
    """
    if status not in REASONS:
        raise ValueError(f"no reason phrase for status {status}")
    lines = [f"HTTP/1.1 {status} {REASONS[status]}\r\n"]
    for name, value in fields:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!a} is no field name")
        if not _VALUE.fullmatch(value) or value != value.strip(" \t"):
            raise ValueError(f"{value!a} is no value for {name}")
        lines.append(f"{name}: {value}\r\n")
    return "".join([*lines, "\r\n"]).encode("latin-1")


def error(
    status: int,
    text: str,
    *,
    keep_alive: bool = False,
    retry_after: int = 1,
    fields: Sequence[tuple[str, str]] = (),
) -> tuple[bytes, bytes]:
    """Head and body of a refusal, to be sent one after the other, or the head alone to HEAD.

    `retry_after` (s) goes out with 503 only; `fields` are further ones. After a `BadRequest` the connection
    cannot be kept.
    """
    body = f"{text}\n".encode("utf-8", "backslashreplace")
    fields = [
        *fields,
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
    ]
    if status == 405:
        fields.append(("Allow", "GET, HEAD"))  # RFC 9110 section 15.5.6
    if status == 503:
        fields.append(("Retry-After", str(retry_after)))
    if not keep_alive:
        fields.append(("Connection", "close"))
    return head(status, fields), body
