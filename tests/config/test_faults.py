"""Files that are refused, and the exact lines that say why: most of them stand in refused.txt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.faults import FAULTS_MAX, ConfigurationError, Fault
from appliance.config.load import parse

NO_NAMES = "an IPv4 or IPv6 address; names are not looked up, for phones need files when DNS is down too"


def refusals(text: bytes) -> list[str]:
    try:
        parse(text, "test.conf")
    except ConfigurationError as error:
        return [str(fault) for fault in error.faults]
    return []


def cases() -> list[tuple[str, list[str]]]:
    written = Path(__file__).with_name("refused.txt").read_text(encoding="utf-8")
    _, *several = written.split("=" * 20 + "\n")
    pairs = [case.split("\n" + "-" * 20 + "\n") for case in several]
    return [(text, lines.splitlines()) for text, lines in pairs]


@pytest.mark.parametrize(("text", "lines"), cases())
def test_refused(text: str, lines: list[str]) -> None:
    assert refusals(text.encode()) == lines


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        (b"# \xe9t\xe9", 'line 2: found "the byte 0xe9"; allowed: text in UTF-8'),
        (b"# \x1b[2J", r'line 2: found "\x1b"; allowed: text without control characters'),
        (b"[tftp]\r[cache]", r'line 2: found "\r"; allowed: text without control characters'),
        (b"[tftp]\0\nport = x", r'line 2: found "\x00"; allowed: text without control characters'),
        (b"#" * 2001, 'line 2: found "2001 characters"; allowed: at most 2000 characters in a line'),
        (
            b"x = a" + b" " * 51 + b"b",
            f'line 2: x: found "a{" " * 51}b"; allowed: at most 50 blanks in a row',
        ),
        (
            b"[" + b"x" * 101 + b"]",
            f'line 2: found "[{"x" * 79}…"; allowed: [name] or [[name]],'
            " the name without quotes, brackets and slashes",
        ),
        (
            "[cache]\nsize = \\x1b\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
            r'line 3: [cache] size: found "\\x1b\u202e"; '
            "allowed: a size from 1M to 1024G: bytes, or a number with K, M or G",
        ),
    ],
)
def test_what_no_text_file_shows(rest: bytes, line: str) -> None:
    assert refusals(b"version = 1\n" + rest) == [line]


@pytest.mark.parametrize("text", [b"\xff\xfev\0", b"\xef\xbb\xbf\xff"])
def test_other_encodings(text: bytes) -> None:
    assert refusals(text) == ['line 1: found "the byte 0xff"; allowed: text in UTF-8']


@pytest.mark.parametrize("text", [b"", b"\n", b"# version = 1"])
def test_nothing(text: bytes) -> None:
    assert refusals(text) == ["version: found nothing; allowed: 1"]


def test_all_at_once() -> None:
    text = b"""
[paths]
data = here
[tftp]
retries = 0
windowsize
[clusters]
[[east]]
addresses = cucm
[lookup]
budget = 31
[cahce]
size = 1
"""
    assert refusals(text) == [
        "version: found nothing; allowed: 1",
        'line 3: [paths] data: found "here"; '
        "allowed: an absolute path, such as /data/tftp, below / and without . and ..",
        'line 5: [tftp] retries: found "0"; allowed: a whole number from 1 to 20',
        'line 6: [tftp]: found "windowsize"; '
        "allowed: key = value, or key = one, two; quotes around what holds , or #",
        f'line 9: [clusters / east] addresses: found "cucm"; allowed: {NO_NAMES}',
        'line 11: [lookup] budget: found "31"; allowed: a number of seconds from 0.5 to 30, without a unit',
        'line 12: [cahce]: found "[cahce]"; allowed: a known section; did you mean "cache"?',
    ]


def test_fields() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(b"version = 1\n[clusters]\n[[east]]\naddresses = 10.1.0.10\nnat = x", "a\nb")
    fault = Fault(section="clusters / east", key="nat", found="x", allowed="yes or no", line=5)
    assert caught.value.faults == (fault,)
    assert str(caught.value) == 'a\\nb: line 5: [clusters / east] nat: found "x"; allowed: yes or no'


@pytest.mark.parametrize(("bad", "listed"), [(1000, 1000), (1001, 1001), (1005, 1001)])
def test_too_many(bad: int, listed: int) -> None:
    lines = refusals(b"version = 1\n" + b"x\n" * bad)
    assert len(lines) == listed
    assert ("more faults" in lines[-1]) == (bad > FAULTS_MAX)


@given(st.builds(Fault, st.text(), st.text(), st.text(), st.text(), st.none() | st.integers(1, 9)))
def test_one_printable_line(fault: Fault) -> None:
    assert str(fault).isprintable()
    assert str(ConfigurationError("\x1b[2J", [fault])).isprintable()
