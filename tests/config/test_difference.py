from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.difference import Setting, difference
from appliance.config.faults import ConfigurationError

OLD = b"""version = 1
[tftp]
port = 69  # the usual one
[clusters]
[[east]]
addresses = 10.1.0.10, 10.1.0.11
[[west]]
addresses = 10.2.0.10
"""


def settings(old: bytes, new: bytes) -> list[Setting]:
    return list(difference(old, new, "a", "b").settings)


def test_nothing() -> None:
    found = difference(OLD, OLD, "a", "b")
    assert (found.lines, found.settings) == ((), ())


def test_lines() -> None:
    found = difference(OLD, OLD.replace(b"69", b"70"), "revision 1", "revision 2")
    assert found.lines == (
        "--- revision 1",
        "+++ revision 2",
        "@@ -1,6 +1,6 @@",
        " version = 1",
        " [tftp]",
        "-port = 69  # the usual one",
        "+port = 70  # the usual one",
        " [clusters]",
        " [[east]]",
        " addresses = 10.1.0.10, 10.1.0.11",
    )
    assert list(map(str, found.settings)) == ['[tftp] port: "69" -> "70"']


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (b"69  # the usual one", b'"69"', []),
        (b"10.1.0.10, 10.1.0.11", b"10.1.0.10,10.1.0.11", []),
        (b"\n", b"\r\n", []),
        (b"version = 1", b"version = 2", [Setting("", "version", "1", "2")]),
        (
            b"10.1.0.11",
            b"10.1.0.12",
            [Setting("clusters / east", "addresses", "10.1.0.10, 10.1.0.11", "10.1.0.10, 10.1.0.12")],
        ),
        (b"port = 69", b"", [Setting("tftp", "port", "69", None)]),
        (
            b"port = 69",
            b"port = 69\nretries = 3",
            [Setting("tftp", "retries", None, "3")],
        ),
        (
            b"[[west]]\naddresses = 10.2.0.10\n",
            b"",
            [
                Setting("clusters", "", "east, west", "east"),
                Setting("clusters / west", "addresses", "10.2.0.10", None),
            ],
        ),
        (b"port = 69", b"nonsense", [Setting("tftp", "port", "69", None)]),
    ],
)
def test_settings(old: bytes, new: bytes, found: list[Setting]) -> None:
    assert OLD.count(old) >= 1
    assert settings(OLD, OLD.replace(old, new)) == found


def test_another_order_of_clusters() -> None:
    head, east, west = OLD.partition(b"[[east]]")[0], *OLD.split(b"[[")[1:]
    other = head + b"[[" + west + b"[[" + east
    assert settings(OLD, other) == [Setting("clusters", "", "east, west", "west, east")]


def test_lines_are_printable() -> None:
    found = difference(b"", b"a\x1b[2J\n\tb\n\xe2\x80\xae", "a", "b\x1b")
    assert found.lines == ("--- a", r"+++ b\x1b", "@@ -0,0 +1,3 @@", r"+a\x1b[2J", "+        b", r"+\u202e")


@pytest.mark.parametrize("text", [b"\xff", b"#" * (256 * 1024 + 1)])
def test_no_text(text: bytes) -> None:
    with pytest.raises(ConfigurationError):
        difference(OLD, text, "a", "b")
    with pytest.raises(ConfigurationError):
        difference(text, OLD, "a", "b")


TEXTS = st.text("ab=[]\n ,'\"\t#", max_size=60) | st.text(max_size=60)


@given(TEXTS, TEXTS)
def test_any_texts(old: str, new: str) -> None:
    found = difference(old.encode("utf-8", "replace"), new.encode("utf-8", "replace"), old, new)
    assert all(line.isprintable() for line in found.lines)
    assert all(str(setting).isprintable() for setting in found.settings)
    assert all(setting.before != setting.after for setting in found.settings)
