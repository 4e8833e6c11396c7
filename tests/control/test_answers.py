"""Arguments of verbs, and answers in pieces that fit a line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.control import pieces
from appliance.control.arguments import arguments, commitment
from appliance.control.protocol import LINE_MAX, Reply, VerbError, Whose, encode_reply
from appliance.control.selftests import SHOWN_MAX, Finding, by_name, compared, shown

LONG_TEXT = "\U0001f4de" * 30_000  # each is twelve bytes of JSON


@pytest.mark.parametrize(
    ("args", "found"),
    [({}, (0, "")), ({"number": 3}, (3, "")), ({"text": "x", "number": -1}, (-1, "x"))],
)
def test_arguments(args: dict[str, Any], found: tuple[int, str]) -> None:
    assert arguments(args, number=int, text=str) == found


@pytest.mark.parametrize(
    "args", [{"number": True}, {"number": 1.0}, {"text": None}, {"text": []}, {"other": 1}]
)
def test_other_arguments(args: dict[str, Any]) -> None:
    with pytest.raises(VerbError) as refused:
        arguments(args, number=int, text=str)
    assert refused.value.whose is Whose.PEER


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({}, ("", None)),
        ({"confirm_s": None}, ("", None)),
        ({"comment": "x", "confirm_s": 0}, ("x", 0.0)),
        ({"confirm_s": 3600}, ("", 3600.0)),
    ],
)
def test_commitment(args: dict[str, Any], found: tuple[str, float | None]) -> None:
    assert commitment(args) == found


@pytest.mark.parametrize("window", [-1, 3600.1, float("inf"), float("nan"), "60", True, []])
def test_other_windows(window: object) -> None:
    with pytest.raises(VerbError, match="seconds"):
        commitment({"confirm_s": window})


@given(st.text())
def test_texts(text: str) -> None:
    assert "".join(pieces.texts(text)) == text


def test_long_texts() -> None:
    assert "".join(pieces.texts(LONG_TEXT)) == LONG_TEXT
    assert all(len(encode_reply(Reply(1, each))) <= LINE_MAX for each in pieces.texts(LONG_TEXT))


@given(st.lists(st.text(max_size=20) | st.dictionaries(st.text(max_size=5), st.text(max_size=9))))
def test_lists(entries: list[Any]) -> None:
    assert [entry for piece in pieces.lists(entries) for entry in piece] == entries


def test_long_lists() -> None:
    setting = {"section": LONG_TEXT, "key": LONG_TEXT, "before": LONG_TEXT, "after": LONG_TEXT}
    entries = [*map(str, range(30_000)), LONG_TEXT, setting, LONG_TEXT]
    found = list(pieces.lists(entries))
    assert sum(map(len, found)) == len(entries)
    assert all(len(encode_reply(Reply(1, {"settings": each}))) <= LINE_MAX for each in found)


def test_selftests_side_by_side() -> None:
    before = by_name([Finding("a", True, ""), Finding("b", True, ""), Finding("gone", True, "")])
    after = by_name([Finding("b", False, "silent"), Finding("a", True, ""), Finding("new", None, "")])
    found = compared(before, after)
    assert [(each.name, each.before, each.after) for each in found] == [
        ("b", True, False),
        ("a", True, True),
        ("new", None, None),
        ("gone", True, None),
    ]


def test_many_selftests() -> None:
    """What got worse is among those that are told, and they fit a line."""
    before = by_name(Finding(f"cluster {number}", True, "") for number in range(5000))
    after = by_name(Finding(f"cluster {number}", number != 4999, "x" * 50) for number in range(5000))
    found = shown(compared(before, after))
    assert (found[0].name, found[-1].name) == ("cluster 4999", f"{5000 - SHOWN_MAX} more")
    assert len(json.dumps([str(each) for each in found])) < LINE_MAX
