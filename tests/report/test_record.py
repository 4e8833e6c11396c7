from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.report.counters import Counters
from appliance.report.record import KEPT, STEPS_MAX, Record, Records, Result, Step, Trail, stamp

WALL = 1795471094.595  # 2026-11-23T21:58:14.595Z


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (WALL, "2026-11-23T21:58:14.595Z"),
        (WALL + 0.0004, "2026-11-23T21:58:14.595Z"),
        (1e9, "2001-09-09T01:46:40.000Z"),
    ],
)
def test_stamp(seconds: float, text: str) -> None:
    assert stamp(seconds) == text


def trail(asked: bytes = b"RingList.xml", now: float = 100.0) -> Trail:
    return Trail("10.9.0.17", "tftp", asked, WALL, now)


def test_a_record() -> None:
    way = trail()
    way.kind, way.source, way.address = "common", "east", "10.1.0.10"
    way.add(100.0006, "local: does not have it")
    way.add(100.0045, "east: has it")
    record = way.record(100.00571, Result.SERVED, "", 949, 1, {"blksize": "1428"})
    assert record == Record(
        time="2026-11-23T21:58:14.595Z",
        client="10.9.0.17",
        transport="tftp",
        name="RingList.xml",
        kind="common",
        device=None,
        steps=(Step(0.6, "local: does not have it"), Step(4.5, "east: has it")),
        source="east",
        address="10.1.0.10",
        stale_s=None,
        bytes=949,
        duration_ms=5.7,
        retransmits=1,
        options={"blksize": "1428"},
        result=Result.SERVED,
        detail="",
    )


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [
        (0, 0.0),
        (0.00004, 0.0),
        (0.00006, 0.1),
        (0.00014, 0.1),
        (0.0123456, 12.3),
        (7.5, 7500.0),
        (-0.5, -500.0),
    ],
)
def test_times_are_told_to_a_tenth_of_a_millisecond(seconds: float, milliseconds: float) -> None:
    way = trail(now=0.0)
    way.add(seconds, "asked")
    record = way.record(seconds, Result.SERVED, "")
    assert (record.steps[0].at_ms, record.duration_ms) == (milliseconds, milliseconds)


def test_the_record_of_a_refusal() -> None:
    record = trail(b"../x").record(100, Result.REFUSED, "name that leads out of the store")
    assert (record.kind, record.device, record.source, record.address) == (None, None, None, None)
    assert (record.steps, record.bytes, record.retransmits, record.options) == ((), 0, 0, {})


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (b"Communicator\\x", r"Communicator\\x"),
        (b"\x1b[2J\n", r"\x1b[2J\n"),
        ("Gr\u00fc\u00dfe".encode(), "Gr\u00fc\u00dfe"),
        (b"\xff", r"\udcff"),
        (b"\\xff", r"\\xff"),
        (b"x" * 400, "x" * 300 + "\u2026"),
    ],
)
def test_texts_of_strangers_are_escaped(asked: bytes, name: str) -> None:
    way = trail(asked)
    text = asked.decode("utf-8", "surrogateescape")
    way.add(100, text)
    record = way.record(100, Result.PEER_GONE, text)
    assert record.name == record.steps[0].text == record.detail == name


@given(st.binary(max_size=300) | st.text(max_size=70).map(str.encode))
def test_no_two_names_look_alike(asked: bytes) -> None:
    name = trail(asked).record(100, Result.REFUSED, "").name
    assert name.isprintable()
    escaped = name.encode("ascii", "backslashreplace").decode("unicode_escape")
    assert escaped.encode("utf-8", "surrogateescape") == asked


def test_steps_are_bounded() -> None:
    way = trail()
    for number in range(STEPS_MAX + 5):
        way.add(100, str(number))
    assert [step.text for step in way.steps] == [str(number) for number in range(STEPS_MAX)]


def record(client: str = "10.9.0.17", name: bytes = b"x", device: str | None = None) -> Record:
    way = Trail(client, "tftp", name, WALL, 100)
    way.device = device
    return way.record(100, Result.SERVED, "")


BOOT = [
    record("10.9.0.17", b"CTLSEP2834A2823B58.tlv", "SEP2834A2823B58"),
    record("10.9.0.18", b"RingList.xml"),
    record("10.9.0.17", b"sep2834a2823b58.cnf.xml", "SEP2834A2823B58"),
    record("10.9.0.17", b"RingList.xml"),
]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"count": 10}, [0, 1, 2, 3]),
        ({"count": 4}, [0, 1, 2, 3]),
        ({"count": 2}, [2, 3]),
        ({"count": 1}, [3]),
        ({"count": 10, "client": "10.9.0.18"}, [1]),
        ({"count": 1, "client": "10.9.0.18"}, [1]),
        ({"count": 10, "client": "10.9.0.19"}, []),
        ({"count": 10, "wanted": "RingList.xml"}, [1, 3]),
        ({"count": 10, "wanted": "ringlist.XML"}, [1, 3]),
        ({"count": 10, "wanted": "SEP2834A2823B58"}, [0, 2]),
        ({"count": 10, "wanted": "sep2834a2823b58"}, [0, 2]),
        ({"count": 1, "wanted": "SEP2834A2823B58"}, [2]),
        ({"count": 10, "wanted": "SEP2834A2823B58.cnf.xml"}, [2]),
        ({"count": 10, "client": "10.9.0.17", "wanted": "RingList.xml"}, [3]),
        ({"count": 10, "wanted": "nonsense"}, []),
    ],
)
def test_last(arguments: dict[str, Any], found: list[int]) -> None:
    records = Records()
    for each in BOOT:
        records.add(each)
    assert list(records.last(**arguments)) == [BOOT[number] for number in found]


def test_only_so_many_are_kept() -> None:
    records = Records()
    for number in range(KEPT + 3):
        records.add(record(name=str(number).encode()))
    names = [each.name for each in records.last(2 * KEPT)]
    assert names == [str(number) for number in range(3, KEPT + 3)]


def test_records_that_come_while_one_reads() -> None:
    records = Records()
    records.add(BOOT[0])
    reading = records.last(10)
    records.add(BOOT[1])
    assert list(reading) == [BOOT[0]]


@pytest.mark.parametrize(
    ("count", "counted"),
    [
        (lambda counters: counters.ended(Result.SERVED), {"results": {"served": 2}}),
        (lambda counters: counters.drop("no request"), {"dropped": {"no request": 2}}),
    ],
)
def test_counters(count: Callable[[Counters], None], counted: dict[str, dict[str, int]]) -> None:
    counters, other = Counters(), Counters()
    count(counters)
    count(counters)
    assert counters == Counters(**counted)  # type: ignore[arg-type]
    assert other == Counters()
