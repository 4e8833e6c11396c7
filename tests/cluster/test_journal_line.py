from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.cluster.homes import DEVICE_MAX, Entry, Home, Known
from appliance.cluster.journal_line import ADDRESS_MAX, LINE_MAX, TIME_MAX, contents, decode, encode
from appliance.cluster.neighbours import Named

A, B = "SEP00000000000A", "SEP00000000000B"

VECTORS: list[tuple[Entry, bytes]] = [
    (
        Known(A, Home("east", 1700000000.25, 0.0)),
        b'{"device":"SEP00000000000A","place":"east","seen":1700000000.25,"compared":0.0}',
    ),
    (
        Known(A, Home("east", 1.0, 2.0, ("west",), ("a", "b"), True, "north")),
        b'{"device":"SEP00000000000A","place":"east","seen":1.0,"compared":2.0,"missed":["west"],'
        b'"duplicates":["a","b"],"by_hand":true,"following":"north"}',
    ),
    (Known(A, None), b'{"device":"SEP00000000000A","forgotten":true}'),
    (Named("2001:db8::1", A, 3.5), b'{"address":"2001:db8::1","device":"SEP00000000000A","time":3.5}'),
    (Known("ZO\u00eb\n", None), b'{"device":"ZO\\u00eb\\n","forgotten":true}'),
]


def line(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


@pytest.mark.parametrize(("entry", "text"), VECTORS)
def test_vectors(entry: Entry, text: bytes) -> None:
    assert encode(entry) == line(text)
    assert decode(line(text)) == entry
    assert decode(line(text)[:-1]) == entry  # all but the end of line has arrived


@pytest.mark.parametrize(("entry", "_"), VECTORS)
def test_a_line_that_is_torn_or_altered_is_none(entry: Entry, _: bytes) -> None:
    whole = encode(entry)
    for cut in range(len(whole) - 1):
        assert decode(whole[:cut]) is None
        assert decode(whole[cut + 1 :]) is None
        assert decode(whole[:cut] + b"\0" * (len(whole) - cut)) is None
        assert decode(whole[:cut] + bytes([whole[cut] ^ 1]) + whole[cut + 1 :]) is None


HOME = {"device": A, "place": "east", "seen": 1.0, "compared": 1.0}


@pytest.mark.parametrize(
    "found",
    [
        [],
        None,
        5,
        {},
        {"device": A},
        {"device": 5, "forgotten": True},
        {"device": "", "forgotten": True},
        {"device": "D" * (DEVICE_MAX + 1), "forgotten": True},
        {"device": A, "forgotten": 1},
        {"device": A, "forgotten": True, "more": 1},
        HOME | {"more": 1},
        HOME | {"place": ""},
        HOME | {"place": None},
        HOME | {"seen": "1"},
        HOME | {"seen": True},
        HOME | {"seen": float("nan")},
        HOME | {"seen": float("inf")},
        HOME | {"seen": 10**400},
        HOME | {"compared": TIME_MAX * 2},
        HOME | {"missed": "west"},
        HOME | {"missed": [1]},
        HOME | {"duplicates": {"a": 1}},
        HOME | {"following": None},
        HOME | {"following": 1},
        {"address": "10.1.1.1", "device": A},
        {"address": 5, "device": A, "time": 1.0},
        {"address": "1" * (ADDRESS_MAX + 1), "device": A, "time": 1.0},
        {"address": "10.1.1.1", "device": A, "time": 1.0, "place": "east"},
    ],
)
def test_what_we_never_wrote_is_none(found: object) -> None:
    assert decode(line(json.dumps(found).encode())) is None


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[" * 30_000, b"\xff", b'{"seen":' + b"9" * 5_000 + b"}", b" " * LINE_MAX + VECTORS[0][1]],
)
def test_nor_is_what_is_no_object(text: bytes) -> None:
    assert decode(line(text)) is None


TEXT = st.text(min_size=1, max_size=12)
TIME = st.floats(-TIME_MAX, TIME_MAX)
HOMES = st.builds(
    Home,
    TEXT,
    TIME,
    TIME,
    st.lists(TEXT, max_size=2).map(tuple),
    st.lists(TEXT, max_size=2).map(tuple),
    st.booleans(),
    st.none() | TEXT,
)
ENTRIES = st.builds(Known, TEXT, st.none() | HOMES) | st.builds(Named, TEXT, TEXT, TIME)


@given(ENTRIES)
def test_there_and_back(entry: Entry) -> None:
    whole = encode(entry)
    assert whole.index(b"\n") == len(whole) - 1
    assert decode(whole) == entry


@given(st.binary() | st.binary().map(line) | st.text().map(str.encode).map(line))
@example(b"00000000 ")
def test_any_line_is_an_entry_or_none(raw: bytes) -> None:
    found = decode(raw)
    assert found is None or decode(encode(found)) == found


def test_what_is_said_later_counts() -> None:
    east, west = Home("east", 1.0, 1.0), Home("west", 2.0, 2.0)
    entries: list[Entry] = [
        *(Known(A, east), Known(B, east), Named("x", A, 1.0), Named("x", B, 2.0), Named("y", A, 3.0)),
        *(Known(A, west), Named("x", A, 4.0), Known("gone", east), Known("gone", None)),
    ]
    found = contents([*map(encode, entries), b"\n", b"torn", encode(Known(B, None))[:-5], b"\0" * 9])
    assert list(found.homes.items()) == [(B, east), (A, west)]
    assert [(address, list(times.items())) for address, times in found.addresses.items()] == [
        ("y", [(A, 3.0)]),
        ("x", [(B, 2.0), (A, 4.0)]),
    ]
    assert (found.lines, found.skipped) == (12, 3)


WRITTEN = [encode(entry) for entry, _ in VECTORS[:4] for _ in range(3)]


def test_a_journal_cut_at_any_byte_keeps_every_line_before() -> None:
    whole = b"".join(WRITTEN)
    ends = [sum(map(len, WRITTEN[: count + 1])) for count in range(len(WRITTEN))]
    for cut in range(len(whole) + 1):
        found = contents(whole[:cut].splitlines(keepends=True))
        kept = sum(end - 1 <= cut for end in ends)  # a line is all there without its end
        assert found.lines - found.skipped == kept
        assert found.skipped == (cut not in (0, *ends, *(end - 1 for end in ends)))
