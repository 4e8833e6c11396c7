from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import values
from appliance.config.faults import Refused
from appliance.config.model import Protocol

Check = Callable[[str], Any]


def integer(text: str) -> int:
    return values.integer(text, min="8", max="65464")


def port_or_off(text: str) -> int:
    return values.port(text, off="yes")


def seconds(text: str) -> float:
    return values.seconds(text, min="0.1", max="30")


def size(text: str) -> int:
    return values.size(text, min="1M", max="1024G")


def protocol(text: str) -> Protocol:
    return values.choice(text, Protocol)


def short_folder(text: str) -> Path:
    return values.folder(text, max="10")


GOOD: list[tuple[Check, str, object]] = [
    (integer, "8", 8),
    (integer, "65464", 65464),
    (integer, "0512", 512),
    (values.port, "1", 1),
    (values.port, "65535", 65535),
    (port_or_off, "0", 0),
    (seconds, "0.1", 0.1),
    (seconds, "30", 30.0),
    (seconds, "2.50", 2.5),
    (size, "1048576", 1024**2),
    (size, "1024K", 1024**2),
    (size, "256m", 256 * 1024**2),
    (size, "1024G", 1024**4),
    (values.boolean, "Yes", True),
    (values.boolean, "true", True),
    (values.boolean, "ON", True),
    (values.boolean, "1", True),
    (values.boolean, "no", False),
    (values.boolean, "False", False),
    (values.boolean, "off", False),
    (values.boolean, "0", False),
    (values.dscp, "cs0", 0),
    (values.dscp, "CS3", 24),
    (values.dscp, "cs7", 56),
    (values.dscp, "af11", 10),
    (values.dscp, "af43", 38),
    (values.dscp, "EF", 46),
    (values.dscp, "63", 63),
    (protocol, "auto", Protocol.AUTO),
    (protocol, "HTTP", Protocol.HTTP),
    (values.name, "east-1.example_A", "east-1.example_A"),
    (values.name, "x" * 50, "x" * 50),
    (values.description, "", ""),
    (values.description, "Zürich, #2", "Zürich, #2"),
    (values.description, "x" * 128, "x" * 128),
    (values.folder, "/data/tftp", Path("/data/tftp")),
    (values.folder, "/data/tftp/", Path("/data/tftp")),
    (values.folder, "/data/..tftp", Path("/data/..tftp")),
    (short_folder, "/345678910", Path("/345678910")),
    (values.hostname, "appliance", "appliance"),
    (values.hostname, "phones-1.example.com", "phones-1.example.com"),
    (values.hostname, "3com", "3com"),
    (values.hostname, "x" * 63, "x" * 63),
    (values.timezone, "UTC", "UTC"),
    (values.timezone, "Etc/GMT+5", "Etc/GMT+5"),
    (values.timezone, "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    (values.syslog, "", ""),
    (values.syslog, "udp://10.1.0.9:514", "udp://10.1.0.9:514"),
    (values.syslog, "tcp://[2001:db8::9]:601", "tcp://[2001:db8::9]:601"),
    (values.syslog, "tls://log.example.com:6514", "tls://log.example.com:6514"),
    (values.serial_speed, "9600", 9600),
    (values.serial_speed, "115200", 115200),
    (values.timestamp, "", None),
    (values.timestamp, "2027-01-31T18:00:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
    (values.timestamp, "2027-01-31t18:00:00z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
    (values.timestamp, "2027-01-31 18:00:00.5-02:00", datetime(2027, 1, 31, 20, 0, 0, 500000, tzinfo=UTC)),
]

BAD: list[tuple[Check, list[str]]] = [
    (integer, ["", "7", "65465", "-8", "1_000", "+8", "8.0", "0x10", " 8", "٨", "8" * 5000]),
    (values.port, ["", "0", "-1", "65536", "http", "69/udp"]),
    (port_or_off, ["-1", "65536", "off"]),
    (seconds, ["", "0.09", "30.1", "-1", "1s", "1e1", "inf", "nan", ".5", "1,5", "9" * 5000]),
    (size, ["", "1023K", "1025G", "1 M", "1MB", "1MiB", "1T", "1.5G", "-1M", "M", "1\N{KELVIN SIGN}"]),
    (values.boolean, ["", "y", "enabled", "2"]),
    (values.dscp, ["", "cs8", "af14", "af51", "64", "-1", "0x18", "be"]),
    (protocol, ["", "https", "AUTO "]),
    (values.name, ["", "x" * 51, ".", "..", "-x", "_x", "a b", "a/b", "Zürich", "a\n"]),
    (values.description, ["x" * 129, "a\nb", "a\tb", "\x1b[2J", "a\N{RIGHT-TO-LEFT OVERRIDE}b"]),
    (values.folder, ["", "data", "/", "//", "./x", "/a/../b", "/a/./b", "~/x", "/a\0b", "/" + "x" * 4095]),
    (
        values.hostname,
        ["", "x" * 64, "-x", "x-", "a_b", "a..b", "a.", "10.1.1.1", "1", "Zürich", "a" * 60 + ".abcd"],
    ),
    (
        values.timezone,
        ["", "+1", "../etc/passwd", "/etc/passwd", "Europe/", "Europe/Berlin ", "a/b/c/d", "x" * 33],
    ),
    (
        values.syslog,
        [
            "loghost",
            "udp://",
            "udp://x",
            "udp://x:0",
            "udp://x:65536",
            "udp://2001:db8::9:514",
            "http://x:80",
        ],
    ),
    (
        values.syslog,
        ["udp://[10.1.1.1]:514", "udp://x:514/", "udp://a_b:514", "udp://10.1.0.256:514", "UDP://x:514"],
    ),
    (values.serial_speed, ["", "1200", "9600 ", "0009600", "115200n8", "٩600"]),
    (values.timestamp, ["2027-01-31", "2027-01-31T18:00:00", "2027-02-30T18:00:00Z", "2027-01-31T24:01:00Z"]),
    (values.timestamp, ["0001-01-01T00:00:00+01:00", "2027-W05-7T18:00:00Z", "20270131T180000Z", "tomorrow"]),
    (short_folder, ["/3456789abc", "/34567891\N{LATIN SMALL LETTER U WITH DIAERESIS}"]),
]


@pytest.mark.parametrize(("check", "text", "value"), GOOD)
def test_good(check: Check, text: str, value: object) -> None:
    assert check(text) == value


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in BAD for text in texts])
def test_bad(check: Check, text: str) -> None:
    ((found, allowed),) = reasons(check, text) or (("", ""),)
    assert found == text
    assert allowed


def reasons(check: Check, text: str) -> tuple[tuple[str, str], ...] | None:
    try:
        check(text)
    except Refused as refused:
        return refused.reasons
    return None


@pytest.mark.parametrize("check", [check for check, _ in BAD])
@given(text=st.text() | st.from_regex(r"-?[0-9]+[.]?[0-9]*[A-Za-z]*"))
def test_value_or_refused(check: Check, text: str) -> None:
    assert reasons(check, text) != ()


@given(st.integers(8, 65464))
def test_integer_again(value: int) -> None:
    assert integer(str(value)) == value


@given(st.integers(1024**2, 1024**4 - 1))
def test_size_again(value: int) -> None:
    assert size(str(value)) == value
    assert size(f"{value // 1024}K") == value // 1024 * 1024


def test_version_has_one_value() -> None:
    assert reasons(lambda text: values.integer(text, min="1", max="1"), "2") == (("2", "1"),)
