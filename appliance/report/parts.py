"""A report that may be too long for one line of the Unix sockets, in several: pure.

The first part is the report itself with as much of its long lists as fits; each further part is what comes
next of such a list. Joined, they are the report again. Whoever reads the first part alone has everything but
the ends of the lists.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ROOM = 60 * 1024
"""Bytes of JSON of one part; a line of the sockets has 64 KiB, for more than the part."""


def split(report: object, *keys: str, room: int = ROOM) -> Iterator[dict[str, Any]]:
    """The parts of a report, which is a dataclass; `keys` name its long lists. An entry is never cut."""
    whole: dict[str, Any] = dataclasses.asdict(report)  # type: ignore[call-overload]
    part: dict[str, Any] = {**whole, **{key: [] for key in keys}}
    taken = _size(part)
    for key in keys:
        for entry in whole[key]:
            size = _size(entry) + 1
            if taken and taken + size > room:
                yield part
                part, taken = {}, 0
            part.setdefault(key, []).append(entry)
            taken += size
    yield part


def join(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The report of which these are all parts, in their order."""
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            whole[key] = [*whole[key], *value] if key in whole else value
    return whole


def _size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")))
