from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.report.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("SEP2834A2823B58.cnf.xml", "SEP2834A2823B58.cnf.xml"),
        ("a b", "a b"),
        ("Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe"),
        ("\u96fb\u8a71 \U0001f4de", "\u96fb\u8a71 \U0001f4de"),
        # C0, DEL and C1
        ("\0", r"\x00"),
        ("\a\b", r"\x07\x08"),
        ("a\tb\r\n", r"a\tb\r\n"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x7f", r"\x7f"),
        ("\x80\x9b\x9f", r"\x80\x9b\x9f"),
        # Line ends and blanks that are none of ASCII
        ("\x0b\x0c\x85\u2028\u2029", r"\x0b\x0c\x85\u2028\u2029"),
        ("\xa0\u200b\ufeff", r"\xa0\u200b\ufeff"),
        # Bidirectional marks: text that shows as other text
        ("\u202egnp.exe\u202c", r"\u202egnp.exe\u202c"),
        ("\u200e\u200f\u061c\u2066\u2069", r"\u200e\u200f\u061c\u2066\u2069"),
        # Surrogates, as from bytes that are no UTF-8; what is not assigned or private
        ("\udcff", r"\udcff"),
        ("\ud800", r"\ud800"),
        ("\ue000\uffff", r"\ue000\uffff"),
        ("\U000e0001", r"\U000e0001"),
        # A backslash, so that no text is mistaken for an escape
        ("\\", r"\\"),
        ("Communicator\\x1b", r"Communicator\\x1b"),
        ("\\\x1b", r"\\\x1b"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("length", "most", "shown"),
    [
        (3, 3, "aaa"),
        (4, 3, "aaa\u2026"),
        (0, 0, ""),
        (1, 0, "\u2026"),
        (4, None, "aaaa"),
        (10_000, None, "a" * 10_000),
    ],
)
def test_bound(length: int, most: int | None, shown: str) -> None:
    assert printable("a" * length, most) == shown


@given(st.text(st.characters(codec=None)), st.integers(0, 50))
def test_always_one_harmless_line(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= 10 * most + 1
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(st.text(st.characters(codec=None), max_size=20))
def test_no_two_texts_look_alike(text: str) -> None:
    escaped = printable(text).encode("ascii", "backslashreplace").decode("ascii")
    assert escaped.encode("ascii").decode("unicode_escape") == text
