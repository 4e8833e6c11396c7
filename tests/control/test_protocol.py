from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.control.protocol import (
    LINE_MAX,
    Call,
    Reply,
    VerbError,
    Whose,
    decode_call,
    decode_reply,
    encode_call,
    encode_reply,
)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (Call(1, "status", {}), b'{"v":1,"id":1,"verb":"status","args":{}}\n'),
        (Call(0, "", {}), b'{"v":1,"id":0,"verb":"","args":{}}\n'),
        (Call(-7, "find", {"name": "x"}), b'{"v":1,"id":-7,"verb":"find","args":{"name":"x"}}\n'),
        (Call(2, "\u00fc\n", {}), b'{"v":1,"id":2,"verb":"\\u00fc\\n","args":{}}\n'),
        (Call(2, "a", {"b": [1, None, True]}), b'{"v":1,"id":2,"verb":"a","args":{"b":[1,null,true]}}\n'),
    ],
)
def test_call(call: Call, line: bytes) -> None:
    assert encode_call(call) == line
    assert decode_call(line) == call


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (Reply(1, {"a": 1}), b'{"id":1,"data":{"a":1}}\n'),
        (Reply(1, None), b'{"id":1,"data":null}\n'),
        (Reply(1, []), b'{"id":1,"data":[]}\n'),
        (Reply(1, end=True), b'{"id":1,"end":true}\n'),
    ],
)
def test_reply(reply: Reply, line: bytes) -> None:
    assert encode_reply(reply) == line
    assert decode_reply(line) == reply


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            VerbError(Whose.PEER, "no such verb", "verb"),
            b'{"id":3,"error":{"whose":"peer","text":"no such verb","where":"verb"}}\n',
        ),
        (VerbError(Whose.OURS, "failed"), b'{"id":3,"error":{"whose":"ours","text":"failed","where":""}}\n'),
        (
            VerbError(Whose.CONFIGURATION, "\x1b"),
            b'{"id":3,"error":{"whose":"configuration","text":"\\u001b","where":""}}\n',
        ),
    ],
)
def test_error(error: VerbError, line: bytes) -> None:
    assert encode_reply(Reply(3, error=error)) == line
    again = decode_reply(line)
    assert again.error is not None
    assert (again.id, again.data, again.end) == (3, None, False)
    assert (again.error.whose, again.error.text, again.error.where) == (error.whose, error.text, error.where)


def test_whose_fault_is_not_known() -> None:
    reply = decode_reply(b'{"id":3,"error":{"whose":"nobody","text":"x","where":""}}')
    assert reply.error is not None
    assert reply.error.whose is Whose.OURS


NO_JSON = [b"", b"\n", b"{", b"nonsense\n", b"\xff\xfe", b"\0", b"[" * 20_000, b"9" * 5_000, b'"\\ud8"']


@pytest.mark.parametrize("line", NO_JSON)
def test_no_json(line: bytes) -> None:
    for decode in (decode_call, decode_reply):
        with pytest.raises(VerbError, match="no JSON") as refused:
            decode(line)
        assert refused.value.whose is Whose.PEER


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"1",
        b"null",
        b'"status"',
        b"{}",
        b'{"v":1}',
        b'{"v":1,"id":1,"verb":"status"}',
        b'{"v":1,"id":1,"verb":"status","args":[]}',
        b'{"v":1,"id":1,"verb":"status","args":null}',
        b'{"v":1,"id":1,"verb":7,"args":{}}',
        b'{"v":1,"id":"1","verb":"status","args":{}}',
        b'{"v":1,"id":1.5,"verb":"status","args":{}}',
        b'{"v":1,"id":1,"verb":"status","args":{},"more":1}',
        b'{"id":1,"verb":"status","args":{}}',
    ],
)
def test_no_call(line: bytes) -> None:
    with pytest.raises(VerbError, match="a call is an object") as refused:
        decode_call(line)
    assert refused.value.whose is Whose.PEER


@pytest.mark.parametrize("version", ["0", "2", '"1"', "null"])
def test_another_version(version: str) -> None:
    with pytest.raises(VerbError, match="speaks version 1"):
        decode_call(f'{{"v":{version},"id":1,"verb":"status","args":{{}},"new":1}}'.encode())


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{}",
        b'{"id":1}',
        b'{"data":1}',
        b'{"id":"1","data":1}',
        b'{"id":1,"end":false}',
        b'{"id":1,"end":1}',
        b'{"id":1,"data":1,"end":true}',
        b'{"id":1,"error":"x"}',
        b'{"id":1,"error":{}}',
        b'{"id":1,"error":{"whose":"ours","text":1,"where":""}}',
        b'{"v":1,"id":1,"verb":"status","args":{}}',
    ],
)
def test_no_reply(line: bytes) -> None:
    with pytest.raises(VerbError, match="not understood") as refused:
        decode_reply(line)
    assert refused.value.whose is Whose.PEER


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=10,
)
LINES = (
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(
        st.sampled_from(["v", "id", "verb", "args", "data", "error", "end", "x"]),
        JSON | st.just(1) | st.just({}) | st.just(True),
    ).map(lambda value: json.dumps(value).encode())
)


@given(LINES)
def test_a_call_or_a_verb_error(line: bytes) -> None:
    try:
        call = decode_call(line)
    except VerbError:
        return
    assert decode_call(encode_call(call)) == call


@given(LINES)
def test_a_reply_or_a_verb_error(line: bytes) -> None:
    try:
        reply = decode_reply(line)
    except VerbError:
        return
    again = decode_reply(encode_reply(reply))
    assert (again.id, again.data, again.end) == (reply.id, reply.data, reply.end)
    assert (again.error is None) == (reply.error is None)


@given(st.integers(), st.text(), st.dictionaries(st.text(), JSON))
def test_a_call_is_read_as_written(number: int, verb: str, args: dict[str, Any]) -> None:
    line = encode_call(Call(number, verb, args))
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
    assert decode_call(line) == Call(number, verb, args)


@given(st.integers(), JSON)
def test_data_is_read_as_written(number: int, data: Any) -> None:
    line = encode_reply(Reply(number, data))
    assert line.index(b"\n") == len(line) - 1
    assert decode_reply(line) == Reply(number, data)


@dataclass(frozen=True, slots=True)
class Point:
    x_ms: float
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    points: tuple[Point, ...]
    whose: Whose


def test_dataclasses_are_objects() -> None:
    line = encode_reply(Reply(1, Line((Point(1.5, ("a", "b")), Point(0, ())), Whose.OURS)))
    assert decode_reply(line).data == {
        "points": [{"x_ms": 1.5, "tags": ["a", "b"]}, {"x_ms": 0, "tags": []}],
        "whose": "ours",
    }


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), Point])
def test_what_is_no_data(value: object) -> None:
    with pytest.raises(TypeError):
        encode_reply(Reply(1, value))


@pytest.mark.parametrize("more", [0, 1])
def test_an_answer_fits_a_line(more: int) -> None:
    data = "x" * (LINE_MAX - len(encode_reply(Reply(1, ""))) + more)
    if not more:
        assert len(encode_reply(Reply(1, data))) == LINE_MAX
        return
    with pytest.raises(VerbError, match=f"{LINE_MAX + 1} bytes") as refused:
        encode_reply(Reply(1, data))
    assert refused.value.whose is Whose.OURS


@pytest.mark.parametrize("character", ["x", "\u00fc", "\U0001f4de", "\x1b", '"'])
def test_an_error_always_fits_a_line(character: str) -> None:
    text = character * 100_000
    line = encode_reply(Reply(math.factorial(20), error=VerbError(Whose.CONFIGURATION, text, text)))
    assert len(line) <= LINE_MAX
    error = decode_reply(line).error
    assert error is not None
    assert text.startswith(error.text)
