"""Elements both ways, and everything that is none."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust.tlv import (
    DEPTH_MAX,
    ELEMENTS_MAX,
    VALUE_MAX,
    Element,
    Form,
    Kind,
    Kinds,
    Malformed,
    decode,
    encode,
    find,
    flat,
    number,
    text,
    text_value,
)

KINDS: Kinds = {
    1: Kind("NUMBER", Form.NUMBER, (2,)),
    2: Kind("TEXT", Form.TEXT),
    3: Kind("BOX", Form.CONTAINER, repeats=True),
    4: Kind("EITHER", Form.BYTES, (4, 16), repeats=True),
    13: Kind("PADDING", Form.PADDING, repeats=True),
}
PAD = Element(13)

BOTH_WAYS: list[tuple[bytes, tuple[Element, ...]]] = [
    (b"", ()),
    (b"\x01\0\2\xff\xfe", (Element(1, b"\xff\xfe"),)),
    (b"\x02\0\1\0", (Element(2, b"\0"),)),
    (b"\x02\0\3ab\0", (Element(2, b"ab\0"),)),
    (b"\x02\0\3\xff\xfe\0", (Element(2, b"\xff\xfe\0"),)),  # not UTF-8, but kept
    (b"\x03\0\0", (Element(3),)),
    (b"\x03\0\5\x01\0\2\0\0", (Element(3, inside=(Element(1, b"\0\0"),)),)),
    (b"\x03\0\x04\x03\0\0\x0d", (Element(3, inside=(Element(3), PAD)),)),
    (b"\x0d", (PAD,)),
    (b"\x0d\x63\0\0\x0d\x0d", (PAD, Element(99), PAD, PAD)),
    (b"\x63\0\2\x0d\x0d", (Element(99, b"\x0d\x0d"),)),  # padding is a tag, not a byte of a value
    (b"\x63\0\1a\x63\0\1b", (Element(99, b"a"), Element(99, b"b"))),  # unknown, so whatever it is
    (b"\x04\0\4abcd\x04\0\x10" + bytes(16), (Element(4, b"abcd"), Element(4, bytes(16)))),
    (b"\0\0\0", (Element(0),)),
    (b"\xff\xff\xff" + bytes(VALUE_MAX), (Element(255, bytes(VALUE_MAX)),)),
]


@pytest.mark.parametrize(("data", "elements"), BOTH_WAYS)
def test_both_ways(data: bytes, elements: tuple[Element, ...]) -> None:
    assert decode(data, 0, len(data), KINDS, "x") == elements
    assert encode(elements, KINDS) == data


@pytest.mark.parametrize(("data", "elements"), BOTH_WAYS)
def test_within_its_bounds_alone(data: bytes, elements: tuple[Element, ...]) -> None:
    assert decode(b"\xff" + data + b"\x0d\xff", 1, 1 + len(data), KINDS, "x") == elements


MALFORMED: list[tuple[bytes, str]] = [
    (b"\x01", "x, byte 0, NUMBER: cut off before its value"),
    (b"\x01\0", "x, byte 0, NUMBER: cut off before its value"),
    (b"\x01\0\2", "x, byte 0, NUMBER: 2 bytes long, but 0 are left"),
    (b"\x01\0\2\0", "x, byte 0, NUMBER: 2 bytes long, but 1 are left"),
    (b"\x0d\x63\xff\xff", "x, byte 1, tag 99: 65535 bytes long, but 0 are left"),
    (b"\x01\0\1\0", "x, byte 0, NUMBER: 1 bytes long, and not 2"),
    (b"\x04\0\5abcde", "x, byte 0, EITHER: 5 bytes long, and not 4 or 16"),
    (b"\x02\0\0", "x, byte 0, TEXT: not a string with one NUL, at its end"),
    (b"\x02\0\1a", "x, byte 0, TEXT: not a string with one NUL, at its end"),
    (b"\x02\0\3a\0b", "x, byte 0, TEXT: not a string with one NUL, at its end"),
    (b"\x02\0\4a\0b\0", "x, byte 0, TEXT: not a string with one NUL, at its end"),
    (b"\x03\0\4\x01\0\2\0\0", "x, byte 3, NUMBER: 2 bytes long, but 1 are left"),  # out of its container
    (b"\x03\0\6\x01\0\2\0\0\x01", "x, byte 8, NUMBER: cut off before its value"),
    (b"\x01\0\2\0\0\x01\0\2\0\0", "x: NUMBER more than once"),
    (b"\x01\0\2\0\0\x03\0\5\x01\0\2\0\0", "x: NUMBER more than once"),  # nor hidden in a container
    (b"\x0d" * (ELEMENTS_MAX + 1), f"x, byte {ELEMENTS_MAX}: more than {ELEMENTS_MAX} elements"),
    (b"\x03\0\x09\x03\0\6\x03\0\3\x03\0\0", f"x, byte 9, BOX: in more than {DEPTH_MAX} containers"),
]


@pytest.mark.parametrize(("data", "fault"), MALFORMED)
def test_malformed(data: bytes, fault: str) -> None:
    with pytest.raises(Malformed) as raised:
        decode(data, 0, len(data), KINDS, "x")
    assert str(raised.value) == fault
    assert f"{raised.value.where}: {raised.value.text}" == fault


def test_what_is_required() -> None:
    kinds = {1: Kind("NUMBER", Form.NUMBER, (2,), required=True)}
    with pytest.raises(Malformed, match=r"^x: no NUMBER$"):
        decode(b"\x02\0\0", 0, 3, kinds, "x")
    assert decode(b"\x01\0\2\0\0", 0, 5, kinds, "x") == (Element(1, b"\0\0"),)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Elements that are written as they were read, or `Malformed`."""
    try:
        elements = decode(data, 0, len(data), KINDS, "x")
    except Malformed:
        return
    assert encode(elements, KINDS) == data


TAGS = st.integers(0, 255).filter(lambda tag: tag not in KINDS)
LEAVES = st.one_of(
    st.builds(Element, TAGS, st.binary(max_size=40)),
    st.builds(Element, st.just(4), st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)),
    st.just(PAD),
)


def boxes(inside: st.SearchStrategy[Element]) -> st.SearchStrategy[Element]:
    return st.builds(Element, st.just(3), st.just(b""), st.lists(inside, max_size=4).map(tuple))


ANY = st.one_of(LEAVES, boxes(LEAVES), boxes(boxes(LEAVES)), boxes(boxes(boxes(LEAVES))))


@given(st.lists(ANY, max_size=ELEMENTS_MAX).map(tuple))
def test_any_elements(elements: tuple[Element, ...]) -> None:
    data = encode(elements, KINDS)
    assert decode(data, 0, len(data), KINDS, "x") == elements


@given(st.lists(ANY, max_size=8).map(tuple), st.data())
def test_cut_off_anywhere(elements: tuple[Element, ...], draw: st.DataObject) -> None:
    """What is cut off between two elements is shorter, and everywhere else malformed."""
    data = encode(elements, KINDS)
    size = draw.draw(st.integers(0, len(data)))
    ends = {len(encode(elements[:count], KINDS)): count for count in range(len(elements) + 1)}
    if size in ends:
        assert decode(data, 0, size, KINDS, "x") == elements[: ends[size]]
    else:
        with pytest.raises(Malformed):
            decode(data, 0, size, KINDS, "x")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text(string: str) -> None:
    assert text(text_value(string)) == string


@given(st.binary().filter(lambda value: b"\0" not in value))
def test_text_that_is_not_utf_8(value: bytes) -> None:
    assert text_value(text(value + b"\0")) == value + b"\0"


@pytest.mark.parametrize("string", ["a\0b", "\0", "\ud800"])
def test_text_that_cannot_be(string: str) -> None:
    with pytest.raises(ValueError):
        text_value(string)


def test_too_long() -> None:
    with pytest.raises(ValueError, match="65536 bytes do not fit"):
        encode([Element(99, bytes(VALUE_MAX + 1))], KINDS)
    with pytest.raises(ValueError, match="65538 bytes do not fit"):
        encode([Element(3, inside=(Element(99, bytes(VALUE_MAX)),))], KINDS)


def test_finding() -> None:
    elements = (
        Element(3, inside=(Element(1, b"\0\7"), Element(3, inside=(Element(99, b"a"),)))),
        Element(99, b"b"),
    )
    assert [each.tag for each in flat(elements)] == [3, 1, 3, 99, 99]
    assert find(elements, 1) == b"\0\7"
    assert find(elements, 99) == b"a"
    assert find(elements, 3) == b""
    assert find(elements, 98) is None
    assert number(b"\0\7") == 7


@pytest.mark.parametrize(
    "data",
    [
        b"\x63\xff\xff" * 20_000,  # lengths that promise much
        b"\x0d" * 60_000,
        b"\x03\xff\xff" * 20_000,  # a container in a container in a container
        b"\x63\0\0" * 20_000,
        b"\x63\xff\xfc" + bytes(65_532),
    ],
)
def test_memory(data: bytes) -> None:
    """What is held never goes beyond the size of the input and a little."""
    tracemalloc.start()
    try:
        kept: object = decode(data, 0, len(data), KINDS, "x")
    except Malformed as error:
        kept = error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept is not None
    assert peak < len(data) + 32 * 1024
