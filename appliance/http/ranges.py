"""Byte ranges: the Range field of a request and the Content-Range of its answer (RFC 9110 section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# 19 digits hold every size below 2**63; more are no position in any file.
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Bytes in the span, at least one."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """A range outside the file: to be answered with 416."""


def parse(header: str | None, size: int) -> Span | Unsatisfiable | None:
    """What a GET with this Range field (None: without one) is to be given of `size` bytes.

    None is the whole file. Several ranges, other units and malformed ones are answered so, too: a
    server may ignore Range (section 14.2), and no phone asks for more than one.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if first:
        if last and int(last) < int(first):
            return None  # section 14.1.1: invalid
        if int(first) >= size:
            return Unsatisfiable()
        return Span(int(first), min(int(last), size - 1) if last else size - 1)
    if not last:
        return None
    if int(last) == 0:
        return Unsatisfiable()
    if size == 0:
        return None  # satisfiable, but no Content-Range can say "no bytes of none"
    return Span(max(0, size - int(last)), size - 1)


def content_range(span: Span | Unsatisfiable, size: int) -> str:
    """The Content-Range of a 206 or 416 answer (section 14.4)."""
    if isinstance(span, Unsatisfiable):
        return f"bytes */{size}"
    return f"bytes {span.first}-{span.last}/{size}"
