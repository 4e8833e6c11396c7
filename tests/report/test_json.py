"""What `--json` prints: one example each, held against the dataclasses that programs rely on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.report.printed import SHAPES
from tests.report.shape import leaves, unlike

VECTORS = {
    path.stem: json.loads(path.read_text()) for path in Path(__file__).parents[1].glob("vectors/json/*")
}


def test_there_is_an_example_of_each() -> None:
    assert set(VECTORS) == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_shape(name: str) -> None:
    assert list(unlike(VECTORS[name], SHAPES[name])) == []


COUNTS = {
    *("transfers", "transfers_max", "http_connections", "fetches", "negative_entries"),
    *("requests_tftp", "requests_http", "repetitions", "retransmits", "duplicates", "duplicate_acks"),
    *(
        "strays",
        "peers_gone",
        "looping",
        "faults",
        "records_dropped",
        "syslog_dropped",
        "answers",
        "failures",
    ),
    *("port", "line", "homes", "entries", "copies", "written", "damaged", "stale"),
    *("duplicates_count", "inventory_devices", "requests_overflowed"),
    *("metric", "number", "pid", "requests", "restarts"),
}
"""Numbers without a unit."""

FREE = {"results", "dropped", "options"}
"""Objects whose keys are data."""


def numbers(value: Any) -> set[str]:
    return {
        key
        for key, item in leaves(value)
        if isinstance(item, int | float) and not isinstance(item, bool) and key not in inner(value)
    }


def inner(value: Any) -> set[str]:
    return {name for key, item in leaves(value) if key in FREE for name in item}


def test_units() -> None:
    """Each number is a count or a port, or tells its unit."""
    found = set().union(*map(numbers, VECTORS.values()))
    assert {name for name in found if not {"ms", "s", "bytes"} & set(name.split("_"))} == COUNTS


@pytest.mark.parametrize("name", VECTORS)
def test_names(name: str) -> None:
    keys = {key for key, _ in leaves(VECTORS[name])} - inner(VECTORS[name])
    assert [key for key in keys if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", key)] == []


@pytest.mark.parametrize("name", VECTORS)
def test_times(name: str) -> None:
    for key, text in leaves(VECTORS[name]):
        if key == "time":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
            assert datetime.fromisoformat(text).tzname() == "UTC"


@dataclass
class Inner:
    size_bytes: int | None
    tags: tuple[str, ...]


@dataclass
class Outer:
    took_ms: float
    inner: tuple[Inner, ...]
    more: dict[str, int]


GOOD = {"took_ms": 1.5, "inner": [{"size_bytes": 1, "tags": ["a"]}], "more": {"x": 1}}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, []),
        ({"took_ms": 1}, []),
        ({"inner": []}, []),
        ({"took_ms": "1"}, ["$.took_ms: '1' is no <class 'float'>"]),
        ({"took_ms": True}, ["$.took_ms: True is no <class 'float'>"]),
        ({"took_ms": None}, ["$.took_ms: None is no <class 'float'>"]),
        ({"new": 1}, ["$: unknown new"]),
        ({"inner": {}}, ["$.inner: {} is no list"]),
        ({"inner": [1]}, [f"$.inner[0]: 1 is no {Inner}"]),
        ({"inner": [{"size_bytes": None, "tags": []}]}, []),
        ({"inner": [{"tags": []}]}, ["$.inner[0]: no size_bytes"]),
        ({"inner": [{"size_bytes": 1.5, "tags": []}]}, ["$.inner[0].size_bytes: 1.5 is no int | None"]),
        ({"inner": [{"size_bytes": 1, "tags": [1]}]}, ["$.inner[0].tags[0]: 1 is no <class 'str'>"]),
        ({"more": {"x": "y"}}, ["$.more.x: 'y' is no <class 'int'>"]),
        ({"more": []}, ["$.more: [] is no dict"]),
    ],
)
def test_the_look_at_a_shape(change: dict[str, Any], fault: list[str]) -> None:
    assert list(unlike({**GOOD, **change}, Outer)) == fault
