from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.faults import ConfigurationError
from appliance.config.lines import scan
from appliance.config.load import parse
from appliance.config.peer import IDENTITY, SECTION, with_identity, without_identity
from tests.config.test_load import EXAMPLE

FIRST = b"""version = 1

[system]
hostname = first
dns = 10.1.0.53

# How the box is reached.
[network]
# The cable to the left.
[[eth0]]
ipv4 = static
address = 10.1.1.5/24

# The lookup.
[tftp]
listen = 10.1.1.5
retries = 7
"""

SHARED = b"""version = 1

[system]
dns = 10.1.0.53

# How the box is reached.

# The lookup.
[tftp]
retries = 7
"""

SECOND = b"""version = 1
[network]
[[eth1]]
ipv4 = off
[tftp]
interfaces = eth1
retries = 1
[system]
hostname = second   # the other one
dns = 10.9.9.9
"""


def test_without() -> None:
    assert without_identity(FIRST, "test.conf") == SHARED
    assert without_identity(SHARED, "test.conf") == SHARED


def test_with() -> None:
    both = with_identity(FIRST, SECOND, "test.conf")
    assert both == with_identity(SHARED, SECOND, "test.conf")
    assert both.decode() == (
        SHARED.decode()
        .replace("[system]\n", "[system]\nhostname = second   # the other one\n")
        .replace("[tftp]\n", "[tftp]\ninterfaces = eth1\n")
        + "\n[network]\n[[eth1]]\nipv4 = off\n"
    )


def test_what_each_brings() -> None:
    first, second = parse(FIRST, "first"), parse(SECOND, "second")
    both = parse(with_identity(FIRST, SECOND, "both"), "both")
    assert (both.system.hostname, both.interfaces) == ("second", second.interfaces)
    assert (both.tftp.listen, both.tftp.interfaces) == (second.tftp.listen, second.tftp.interfaces)
    assert (both.system.dns, both.tftp.retries) == (first.system.dns, first.tftp.retries)


def test_its_own_again() -> None:
    text = EXAMPLE.read_bytes()
    assert parse(with_identity(text, text, "a"), "a") == parse(text, "a")


@pytest.mark.parametrize(
    ("text", "own", "both"),
    [
        (b"version = 1", b"version = 1", b"version = 1"),
        (b"version = 1", b"version = 1\n[system]\nhostname = a", b"version = 1\n[system]\nhostname = a\n"),
        (b"version = 1\n[network]\n[[eth0]]", b"version = 1", b"version = 1"),
        (b"version = 1", b"version = 1\n[network]\n[[eth0]]", b"version = 1\n[network]\n[[eth0]]\n"),
    ],
)
def test_small_ones(text: bytes, own: bytes, both: bytes) -> None:
    assert with_identity(text, own, "test.conf") == both


def identity(text: bytes) -> set[tuple[str, ...]]:
    return {path for path in scan(text, "test.conf").places if path in IDENTITY or path[0] == SECTION}


TEXTS = st.lists(
    st.sampled_from(
        [
            "[system]",
            "[tftp]",
            "[network]",
            "[[eth0]]",
            "hostname = a",
            "listen = ::",
            "address = x",
            "",
            "#",
            "]",
        ]
    ),
    max_size=12,
).map("\n".join)


@given(TEXTS | st.text(), TEXTS | st.text())
def test_any_texts(text: str, own: str) -> None:
    there, here = text.encode("utf-8", "replace"), own.encode("utf-8", "replace")
    try:
        shared = without_identity(there, "test.conf")
        both = with_identity(shared, here, "test.conf")
        faults = scan(there, "test.conf").faults + scan(here, "test.conf").faults
    except ConfigurationError:
        return
    if not faults:
        assert identity(shared) == set()
        assert identity(both) == identity(here)
