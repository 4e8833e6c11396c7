from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cache.entry import BLOCK, HEAD, Entry, NotAnEntry, decode, encode, file_name, fits

RINGS = Entry("east", "RingList.xml", "common", 1234, "ab" * 32, 'etag:"1"', "10.1.0.10", 1_700_000_000.25)

ENTRIES = st.builds(
    Entry,
    *(st.text(max_size=100) for _ in range(3)),
    st.integers(0, 2**63),
    *(st.text(max_size=100) for _ in range(3)),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(ENTRIES)
def test_there_and_back(entry: Entry) -> None:
    if fits(entry):
        head = encode(entry)
        assert len(head) == HEAD
        assert head.count(b"\n") == 1
        assert decode(head) == entry


@given(
    st.binary(max_size=HEAD)
    | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_anything_else_is_no_entry(head: bytes) -> None:
    with pytest.raises(NotAnEntry):
        decode(head)


@given(st.integers(0, HEAD - 1), st.integers(1, 255))
def test_an_altered_byte_is_seen(place: int, change: int) -> None:
    head = bytearray(encode(RINGS))
    head[place] ^= change
    with pytest.raises(NotAnEntry):
        decode(bytes(head))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        bytes(HEAD),
        encode(RINGS)[:-1],
        encode(RINGS) + b" ",
        b"[" * HEAD,
        encode(RINGS).replace(b"1234,", b"true,").ljust(HEAD),
        encode(RINGS).replace(b"1700000000.25", b"NaN"),
        encode(RINGS).replace(b"1700000000.25", b"1e999"),
        encode(RINGS).replace(b'"version":1', b'"version":2'),
        encode(RINGS).decode().encode("utf-16"),
    ],
)
def test_no_entries(head: bytes) -> None:
    with pytest.raises(NotAnEntry):
        decode(head)


@pytest.mark.parametrize(
    ("entry", "does"),
    [
        (RINGS, True),
        (replace(RINGS, name='"' * 255), True),
        (replace(RINGS, name="\u00e4" * 127), True),
        (replace(RINGS, name="x" * HEAD), False),
        (replace(RINGS, name="\ud800"), False),
        (replace(RINGS, validator="x" * 256), True),
        (replace(RINGS, validator="x" * 257), False),
    ],
)
def test_what_fits(entry: Entry, does: bool) -> None:
    assert fits(entry) is does


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "", "\n", "x" * 255])
def test_a_name_makes_no_path(name: str) -> None:
    made = file_name(("east", name))
    assert len(made) == 40
    assert set(made) <= set("0123456789abcdef")


def test_other_keys_are_other_files() -> None:
    keys = [("east", "x"), ("east", "X"), ("west", "x"), ("eas", "tx")]
    assert len({file_name(key) for key in keys}) == len(keys)


@pytest.mark.parametrize(
    ("length", "bytes_on_disk"),
    [(0, BLOCK), (BLOCK - HEAD, BLOCK), (BLOCK - HEAD + 1, 2 * BLOCK), (10 * BLOCK, 11 * BLOCK)],
)
def test_footprint(length: int, bytes_on_disk: int) -> None:
    assert replace(RINGS, length=length).footprint == bytes_on_disk


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (replace(RINGS, digest="", fetched=0.0, address="10.1.0.11"), True),
        (replace(RINGS, length=1), False),
        (replace(RINGS, validator=""), False),
        (replace(RINGS, kind="image"), False),
        (replace(RINGS, name="x"), False),
    ],
)
def test_alike(other: Entry, alike: bool) -> None:
    assert RINGS.alike(other) is alike
