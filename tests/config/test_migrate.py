from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import schema
from appliance.config.faults import ConfigurationError, Fault
from appliance.config.migrate import STEPS, migrate


def rename(text: bytes) -> bytes:
    return text.replace(b"one", b"two")


def append(text: bytes) -> bytes:
    return text + b"three\n"


def test_today() -> None:
    newest = 1 + len(STEPS)
    assert schema.schema()["version"] == f"integer(min={newest}, max={newest})"


@pytest.mark.parametrize(
    ("text", "migrated"),
    [
        (b"version = 1\none = 1\n", b"version = 3\ntwo = 1\nthree\n"),
        (b"version = 2\none = 1\n", b"version = 3\none = 1\nthree\n"),
        (b"version = 3\none = 1\n", b"version = 3\none = 1\n"),
        (b"# a\n\nx = 1\n  version='1' # b\r\n[c]\n", b"# a\n\nx = 1\n  version='3' # b\r\n[c]\nthree\n"),
        (b"\xef\xbb\xbfversion = 1\n", b"\xef\xbb\xbfversion = 3\nthree\n"),
        (b"#version = 9\nversion = 02\n", b"#version = 9\nversion = 3\nthree\n"),
        # Without a version, the check says what is wrong.
        (b"", b""),
        (b"version = 0\n", b"version = 0\n"),
        (b"version = one\n", b"version = one\n"),
        (b"version = 1, 1\n", b"version = 1, 1\n"),
        (b"[a]\nversion = 9\n", b"[a]\nversion = 9\n"),
        (b"versions = 9\n", b"versions = 9\n"),
        (b"\xff\xfe\0version", b"\xff\xfe\0version"),
    ],
)
def test_steps(text: bytes, migrated: bytes) -> None:
    assert migrate(text, "test.conf", (rename, append)) == migrated


@pytest.mark.parametrize(
    ("steps", "allowed"),
    [((), "1; this file is for newer software"), ((rename,), "1 to 2; this file is for newer software")],
)
def test_newer(steps: tuple[()], allowed: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        migrate(b"# of next year\nversion = 7\nnew = 1\n", "test.conf", steps)
    assert caught.value.faults == (Fault("", "version", "7", allowed, 2),)
    assert caught.value.base == "test.conf"


@given(st.binary() | st.text("version =1\n\r[]#x", max_size=200).map(str.encode))
def test_any_text(text: bytes) -> None:
    try:
        assert migrate(text, "test.conf") == text
    except ConfigurationError as error:
        (fault,) = error.faults
        assert fault.key == "version"


@pytest.mark.parametrize(
    "line", [b"\n", b" \n", b"x\n", b"version\n", b"version = \n", b"#\r\n", b" " * 2000 + b"x\n"]
)
def test_soon(line: bytes) -> None:
    """A text of one line, again and again, needs time that grows with its length alone."""
    text = line * (256 * 1024 // len(line))
    assert migrate(text, "test.conf") == text
