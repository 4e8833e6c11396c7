"""The messages between processes: each comes back as it was, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.report.counters import Counters
from appliance.report.record import STEPS_MAX, Record, Result, Step, Trail
from appliance.serve.framing import MESSAGE_MAX, TEXT_MAX, Malformed, batches, decode, encode
from appliance.serve.messages import (
    PIECE,
    VERDICTS,
    Answer,
    Ask,
    Configure,
    Ended,
    GiveUp,
    Handed,
    Message,
    Piece,
    Report,
    Tell,
)

TEXT = st.text(max_size=20)
NUMBER = st.integers(0, (1 << 63) - 1)
MOMENT = st.floats(0, 1e9)
COUNTS = st.dictionaries(TEXT, NUMBER, max_size=3)
COUNTERS = st.builds(
    Counters,
    **{name: NUMBER for name, value in asdict(Counters()).items() if isinstance(value, int)},
    pump=TEXT,
    results=COUNTS,
    dropped=COUNTS,
)
STEPS = st.lists(st.builds(Step, MOMENT, TEXT), max_size=3).map(tuple)
RECORDS = st.builds(
    Record,
    steps=STEPS,
    duration_ms=MOMENT,
    bytes=NUMBER,
    retransmits=NUMBER,
    stale_s=st.none() | NUMBER,
    options=st.dictionaries(TEXT, TEXT, max_size=3),
    result=st.sampled_from(Result),
)
FIELDS: dict[type[Any], dict[str, Any]] = {
    Answer: {
        "verdict": st.sampled_from(VERDICTS),
        "notes": st.lists(st.tuples(MOMENT, TEXT), max_size=3).map(tuple),
    },
    Ended: {"records": st.lists(RECORDS, max_size=3).map(tuple)},
    Report: {"counted": COUNTERS},
}
INTEGERS = {int: NUMBER, int | None: st.none() | NUMBER}


def builds(kind: type[Any]) -> st.SearchStrategy[Any]:
    """A message of this kind with whatever may stand in it."""
    own = FIELDS.get(kind, {})
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in own}
    return st.builds(
        kind, **own, **{name: INTEGERS[hint] for name, hint in hints.items() if hint in INTEGERS}
    )


MESSAGES = st.one_of([builds(kind) for kind in get_args(Message)])


@given(MESSAGES)
def test_there_and_back(message: Message) -> None:
    assert decode(encode(message)) == message


@given(MESSAGES, st.data())
def test_damaged(message: Message, given_data: st.DataObject) -> None:
    """A message or `Malformed`, whatever becomes of its bytes."""
    data = bytearray(encode(message))
    for _ in range(given_data.draw(st.integers(1, 3))):
        place = given_data.draw(st.integers(0, len(data) - 1))
        data[place : place + given_data.draw(st.integers(0, 2))] = given_data.draw(st.binary(max_size=2))
        if not data:
            break
    try:
        read = decode(bytes(data))
    except Malformed:
        return
    assert decode(encode(read)) == read


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(
    st.sampled_from([each.__name__ for each in get_args(Message)]), st.lists(JSON, max_size=20), st.binary()
)
def test_any_fields(name: str, values: list[Any], tail: bytes) -> None:
    for data in (json.dumps([name, *values]).encode(), json.dumps([name, *values]).encode() + b"\n" + tail):
        try:
            assert decode(data) is not None
        except Malformed:
            pass


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON"),
        (b"{}", "no array with a name"),
        (b"[]", "no array with a name"),
        (b"[1]", "no array with a name"),
        (b'["Nothing"]', "an unknown name"),
        (b'["GiveUp"]', "GiveUp with 0 fields"),
        (b'["GiveUp",1,2]', "GiveUp with 2 fields"),
        (b'["GiveUp","1"]', "a field of a wrong type"),
        (b'["GiveUp",true]', "a field of a wrong type"),
        (b'["Configure",1]\n', "a field of a wrong type"),
        (b'["GiveUp",1e400]', "a field of a wrong type"),
        (b'["GiveUp",NaN]', "no JSON"),
        (b'["GiveUp",9223372036854775808]', "a number that is too large"),
        (b'["GiveUp",1]\nx', "GiveUp with or without bytes"),
        (b'["Piece",1]', "Piece with or without bytes"),
        (b'["Answer",1,"yes","","","",0,0,null,null,null,[]]', "an unknown verdict"),
        (b'["Answer",1,"local","","","",0,0,null,null,null,[[1]]]', "no step"),
        (b'["Report",1,1,{"nothing":1}]', "no counters"),
        (b'["Report",1,1,{"dropped":{"x":"y"}}]', "a field of a wrong type"),
        (b'["Ended",[[]]]', "no record"),
        (b"[" * 100_000, "no JSON"),
        (b" " * (MESSAGE_MAX + 1), f"{MESSAGE_MAX + 1} bytes"),
    ],
)
def test_malformed(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        decode(data)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (Tell(), b'["Tell"]'),
        (GiveUp(7), b'["GiveUp",7]'),
        (Ask(1, "a", "::1", "", "tftp"), b'["Ask",1,"a","::1","","tftp"]'),
        (Piece(3, b"\n\xff"), b'["Piece",3]\n\n\xff'),
        (Configure(True, b""), b'["Configure",true]\n'),
        (Handed(1, 4096, 10), b'["Handed",1,4096,10]'),
        (Report(1, 2, Counters(strays=3)), b'["Report",1,2,{"strays":3}]'),
    ],
)
def test_bytes(message: Message, data: bytes) -> None:
    assert encode(message) == data
    assert decode(data) == message


WIDEST = "\N{GRINNING FACE}"  # twelve bytes in JSON


def record(steps: int, length: int) -> Record:
    step = Step(1.0, WIDEST * length)
    unknown = (None, None, None)
    return Record(
        "t",
        "c",
        "tftp",
        "n" * 300,
        "device",
        "d",
        (step,) * steps,
        *unknown,
        1,
        1.0,
        0,
        {},
        Result.SERVED,
        "",
    )


def test_the_largest_fit() -> None:
    """What a stranger has a part in is cut before; with that, every message is within its bound."""
    encode(Piece(1 << 62, bytes(PIECE)))
    encode(Answer(1 << 62, "unknown", WIDEST * TEXT_MAX, notes=((1e9 / 3, WIDEST * TEXT_MAX),) * STEPS_MAX))
    for text in (WIDEST * 1000, "\0" * 1000, "\U000e0001" * 1000):
        trail = Trail("::1", "tftp", text.encode()[:1000], 0, 0)
        for _ in range(STEPS_MAX):
            trail.add(1e9 / 3, text[:TEXT_MAX])
        (batch,) = batches([trail.record(1e9, Result.UNAVAILABLE, text)])
        encode(batch)
    with pytest.raises(ValueError, match="a message of"):
        encode(Piece(1, bytes(MESSAGE_MAX)))


@given(st.lists(st.builds(record, st.integers(0, 40), st.integers(0, 150)), max_size=60))
def test_batches(records: list[Record]) -> None:
    """All of them, in order, and none too large."""
    found = batches(records)
    assert [each for batch in found for each in batch.records] == records
    for batch in found:
        assert batch.records
        assert len(encode(batch)) <= MESSAGE_MAX


def test_many_records_take_few_messages() -> None:
    assert len(batches([record(2, 10)] * 1000)) < 100


def test_counts_are_handed_over_once() -> None:
    here, there = Counters(strays=1, dropped={"old": 1}, pump="C"), Counters(strays=5, dropped={"old": 2})
    here.drop("new")
    there.add(here.take())
    there.add(here.take())
    assert there == Counters(strays=6, dropped={"old": 3, "new": 1}, pump="C")
    assert here == Counters(pump="C")
