"""Whatever the text: a configuration or the one error, and soon."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import schema
from appliance.config.faults import ConfigurationError
from appliance.config.lines import BLANKS_MAX, SIZE_MAX
from appliance.config.load import parse
from appliance.config.model import Configuration


def verdict(text: bytes) -> Configuration | ConfigurationError:
    try:
        return parse(text, "test.conf")
    except ConfigurationError as error:
        return error


def is_sound(made: Configuration | ConfigurationError) -> bool:
    if isinstance(made, Configuration):
        return made.version == 1
    return bool(made.faults) and str(made).replace("\n", "").isprintable()


@given(st.binary(max_size=2000))
def test_bytes(text: bytes) -> None:
    assert is_sound(verdict(text))


SECTIONS = st.sampled_from(
    [
        "version",
        "system",
        "paths",
        "network",
        "eth0.10",
        "tftp",
        "local",
        "clusters",
        "east",
        "networks",
        "ssh",
        "DEFAULT",
    ]
)
KEYS = st.sampled_from(
    [
        "version",
        "hostname",
        "ntp",
        "syslog",
        "ipv4",
        "address",
        "gateway",
        "gateway6",
        "routes",
        "until",
        "data",
        "listen",
        "port",
        "allow",
        "dscp",
        "name",
        "addresses",
        "::/0",
        "__many__",
    ]
)
GOOD = st.sampled_from(
    [
        "0",
        "1",
        "1.5",
        "1M",
        "10.1.0.10",
        "10.1.1.5/24",
        "10.0.0.0/8",
        "10.0.0.0/8 via 10.1.1.1",
        "::",
        "fe80::1",
        "static",
        "/x",
        "yes",
        "cs3",
        "2027-01-31T18:00:00Z",
    ]
)
ODD = st.sampled_from(
    ["'a, b'", '"', "'", "'''", '"""', "", ",", "#", "%(port)s", "$port", "None", "-1", "1e9", "inf"]
)
VALUES = GOOD | ODD
HEADERS = st.tuples(st.integers(1, 4), SECTIONS | KEYS).map(
    lambda header: "[" * header[0] + header[1] + "]" * header[0]
)
SETTINGS = st.tuples(KEYS, st.lists(VALUES, max_size=4).map(", ".join)).map(" = ".join)
LINES = HEADERS | SETTINGS | SETTINGS | st.text("[]=,#'\"\\ \t\r\ufeffa1", max_size=12) | st.text(max_size=8)


@given(st.lists(LINES, max_size=30).map("\n".join))
def test_lines(text: str) -> None:
    assert is_sound(verdict(b"version = 1\n" + text.encode("utf-8", "replace")))


def filled(line: str) -> bytes:
    """A file as full as it may be of one line, in which {} is the line's number."""
    lines = (line.replace("{}", str(number)) for number in range(SIZE_MAX // (len(line) + 1)))
    text = "version = 1\n[tftp]\n" + "\n".join(lines)
    return text.encode()[:SIZE_MAX]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "[",
        "[" * 1990,
        "[x" + " ]" * 900 + "x",  # configobj #281
        "[x" + " " * 90 + "{}]",
        "[[x{}]]",
        "[clusters]\n[[x{}]]",
        " " * 1990 + "x",
        "x" + " " * 1900 + "y",
        "x" + " " * 1900 + "= 1",
        "{} = " + "'a'," * 400 + "'",
        '{} = "' + '","' * 400 + '" x',
        '{} = "a" # ' + '"b",' * 400 + '"',
        "{} = " + "a," * 900 + ",",
        "{} = " + "a, " * 600,
        "{} = " + ("a" + " " * BLANKS_MAX) * 35,
        "{} = " + ("a" + " " * BLANKS_MAX + ",") * 35,
        "port_max_{} = 1",  # many suggestions
        "{}=",
        "[network]\n[[x{}.1]]",
        "[network]\n[[x{}]]\nipv4 = static\naddress = 10.0.0.1/8\ngateway = 10.0.0.2",
        "[networks]\n{} = x",
        "[networks]\n::{} = local",
    ],
)
def test_soon(line: str) -> None:
    """Lines that take ConfigObj's expressions alone from seconds to for ever."""
    text = filled(line)
    began = time.process_time()
    assert is_sound(verdict(text))
    assert time.process_time() - began < 5


def names(section: schema.Section) -> set[str]:
    inner = [names(value) for value in section.values() if isinstance(value, dict)]
    return set(section).union(*inner)


@pytest.mark.parametrize(
    "above",
    [
        "",
        "[tftp]\n",
        "[local]\n",
        "[network]\n",
        "[network]\n[[eth0]]\n",
        "[clusters]\n",
        "[clusters]\n[[east]]\n",
        "[networks]\n",
    ],
)
@pytest.mark.parametrize("name", sorted(names(schema.schema()) | {"DEFAULT", "___many___"}))
def test_every_name_everywhere(above: str, name: str) -> None:
    """As a key, as a list, and as a section, where it belongs and where it does not."""
    depth = above.count("\n") + 1
    for line in (f"{name} = 1", f"{name} = 1, 2", "[" * depth + name + "]" * depth):
        assert is_sound(verdict(f"version = 1\n{above}{line}".encode()))
