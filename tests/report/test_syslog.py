from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.report.syslog import MESSAGE_MAX, Destination, destination, framed, message

NOON = 1_800_000_000.25


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("", None),
        ("udp://10.1.0.9:514", Destination("udp", "10.1.0.9", 514)),
        ("tcp://log.example.com:601", Destination("tcp", "log.example.com", 601)),
        ("tls://[2001:db8::9]:6514", Destination("tls", "2001:db8::9", 6514)),
    ],
)
def test_destination(url: str, found: Destination | None) -> None:
    assert destination(url) == found
    assert url == ("" if found is None else str(found))


@pytest.mark.parametrize(
    ("line", "made"),
    [
        (
            '{"event": "request", "client": "::1"}',
            '<30>1 2027-01-15T08:00:00.250Z box appliance 7 request - {"event": "request", "client": "::1"}',
        ),
        (
            '{"event": "fault", "error": "x"}',
            '<27>1 2027-01-15T08:00:00.250Z box appliance 7 fault - {"event": "fault", "error": "x"}',
        ),
        (
            '{"event": "worker ended"}',
            '<29>1 2027-01-15T08:00:00.250Z box appliance 7 worker-ended - {"event": "worker ended"}',
        ),
        ("a sentence", "<29>1 2027-01-15T08:00:00.250Z box appliance 7 - - a sentence"),
        ("Zoë", "<29>1 2027-01-15T08:00:00.250Z box appliance 7 - - \ufeffZoë"),
        ("", "<29>1 2027-01-15T08:00:00.250Z box appliance 7 - - "),
    ],
)
def test_message(line: str, made: str) -> None:
    assert message(line, NOON, "box", 7) == made.encode()


def test_without_a_name() -> None:
    assert b"Z - appliance 7 " in message("x", NOON, "", 7)


@pytest.mark.parametrize("text", ["x" * 20_000, "\N{GRINNING FACE}" * 5000, "ab\N{GRINNING FACE}" * 5000])
def test_a_long_line_is_cut_between_characters(text: str) -> None:
    made = message(text, NOON, "box", 7)
    assert MESSAGE_MAX - 4 < len(made) <= MESSAGE_MAX
    assert made.decode().partition(" - - ")[2].removeprefix("\ufeff") in text


# RFC 5424 section 6.
FORM = re.compile(
    rb"<[0-9]{1,3}>1 [0-9T:.-]{23}Z [!-~]{1,255} appliance [0-9]{1,10} [!-~]{1,32} - (?:\xef\xbb\xbf)?.*",
    re.S,
)


@given(st.text() | st.text().map(lambda event: f'{{"event": "{event}"}}'))
def test_whatever_the_line(line: str) -> None:
    made = message(line, NOON, "box", 7)
    assert FORM.fullmatch(made)
    length, _, rest = framed(made).partition(b" ")
    assert (int(length), rest) == (len(made), made)
