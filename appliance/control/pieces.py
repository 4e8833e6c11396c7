"""Long answers in pieces, each of which fits a line of the socket. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

TEXT = 5 * 1024
"""characters of one text: escaped as JSON they are up to twelve times as many"""

ROOM = 60 * 1024  # bytes of JSON of one piece


def texts(text: str) -> Iterator[str]:
    """A text in pieces."""
    for start in range(0, len(text), TEXT):
        yield text[start : start + TEXT]


def lists(entries: Sequence[Any]) -> Iterator[list[Any]]:
    """Entries in lists; one that is too long for a piece is cut."""
    piece: list[Any] = []
    taken = 0
    for entry in map(_fitting, entries):
        size = len(json.dumps(entry)) + 2
        if piece and taken + size > ROOM:
            yield piece
            piece, taken = [], 0
        piece.append(entry)
        taken += size
    if piece:
        yield piece


def _fitting(entry: Any) -> Any:
    if len(json.dumps(entry)) < ROOM // 2:
        return entry
    if isinstance(entry, dict):
        return {key: _cut(value) for key, value in entry.items()}
    return _cut(entry)


def _cut(value: Any) -> Any:
    room = TEXT // 4  # four of them are an entry
    return value[:room] + "..." if isinstance(value, str) and len(value) > room else value
