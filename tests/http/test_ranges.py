from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.http.ranges import Span, Unsatisfiable, content_range, parse

OUTSIDE = Unsatisfiable()
SIZES = st.integers(0, 2**63)


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        (None, 100, None),
        ("bytes=0-0", 100, Span(0, 0)),
        ("bytes=0-99", 100, Span(0, 99)),
        ("bytes=10-19", 100, Span(10, 19)),
        ("bytes=90-200", 100, Span(90, 99)),
        ("bytes=99-", 100, Span(99, 99)),
        ("bytes=0-", 100, Span(0, 99)),
        ("bytes=-1", 100, Span(99, 99)),
        ("bytes=-100", 100, Span(0, 99)),
        ("bytes=-101", 100, Span(0, 99)),
        ("bytes=007-008", 100, Span(7, 8)),
        ("BYTES=0-1", 100, Span(0, 1)),
        ("bytes= 0-1\t", 100, Span(0, 1)),
        ("bytes=0-9223372036854775807", 2**63, Span(0, 2**63 - 1)),
        ("bytes=9223372036854775807-", 2**63, Span(2**63 - 1, 2**63 - 1)),
        ("bytes=-9223372036854775808", 2**63, Span(0, 2**63 - 1)),
        # Outside
        ("bytes=100-", 100, OUTSIDE),
        ("bytes=100-200", 100, OUTSIDE),
        ("bytes=9999999999999999999-", 100, OUTSIDE),
        ("bytes=-0", 100, OUTSIDE),
        ("bytes=0-", 0, OUTSIDE),
        ("bytes=0-0", 0, OUTSIDE),
        ("bytes=-0", 0, OUTSIDE),
        ("bytes=-5", 0, None),
        # Several, other units, malformed
        ("bytes=0-1,5-6", 100, None),
        ("bytes=0-1, 5-6", 100, None),
        ("bytes=0-1,", 100, None),
        ("lines=0-1", 100, None),
        ("byte\u017f=0-1", 100, None),
        ("bytes=5-4", 100, None),
        ("bytes=200-100", 100, None),
        ("bytes=-", 100, None),
        ("bytes=", 100, None),
        ("bytes", 100, None),
        ("", 100, None),
        ("0-1", 100, None),
        ("bytes=1", 100, None),
        ("bytes=+1-2", 100, None),
        ("bytes=--1", 100, None),
        ("bytes=1_0-20", 100, None),
        ("bytes=0x1-2", 100, None),
        ("bytes=1 -2", 100, None),
        ("bytes =1-2", 100, None),
        ("bytes=\u0661-\u0662", 100, None),  # digits, but not ASCII
        ("bytes=\u00b2-", 100, None),
        ("bytes=0-1\n", 100, None),
        ("bytes=" + "0" * 20 + "-", 100, None),
        ("bytes=0-" + "9" * 5000, 100, None),
    ],
)
def test_parse(header: str | None, size: int, span: Span | Unsatisfiable | None) -> None:
    assert parse(header, size) == span


@given(st.text() | st.from_regex(re.compile(r"bytes=[0-9]*-[0-9]*"), fullmatch=True), SIZES)
def test_a_span_lies_inside(header: str, size: int) -> None:
    span = parse(header, size)
    if isinstance(span, Span):
        assert 0 <= span.first <= span.last < size
        assert span.length == span.last - span.first + 1


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), SIZES)
def test_written_and_read(first: int, last: int, size: int) -> None:
    span = parse(f"bytes={first}-{last}", size)
    if first > last:
        assert span is None
    elif first >= size:
        assert span == OUTSIDE
    else:
        assert span == Span(first, min(last, size - 1))


@pytest.mark.parametrize(
    ("span", "size", "text"),
    [
        (Span(0, 499), 1234, "bytes 0-499/1234"),
        (Span(734, 1233), 1234, "bytes 734-1233/1234"),
        (OUTSIDE, 1234, "bytes */1234"),
        (OUTSIDE, 0, "bytes */0"),
    ],
)
def test_content_range(span: Span | Unsatisfiable, size: int, text: str) -> None:
    assert content_range(span, size) == text
