from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from appliance.cache.entry import BLOCK, HEAD, Entry
from appliance.cache.index import Index
from tests.cache.test_entry import RINGS


def entry(name: str, blocks: int = 1) -> Entry:
    return replace(RINGS, name=name, length=blocks * BLOCK - HEAD)


def names(entries: list[Entry]) -> str:
    return "".join(each.name for each in entries)


def kept(index: Index) -> str:
    return "".join(sorted(name for name in "abcdefgh" if index.find(("east", name))))


def test_the_least_recently_used_goes_first() -> None:
    index = Index(3 * BLOCK)
    assert [names(index.put(entry(name), 0.0)) for name in "abc"] == ["", "", ""]
    assert index.use(("east", "a")) is not None
    assert index.find(("east", "b")) is not None  # a look is no use
    assert names(index.put(entry("d"), 0.0)) == "b"
    assert names(index.put(entry("e", 2), 0.0)) == "ca"
    assert (kept(index), index.size) == ("de", 3 * BLOCK)


def test_in_the_place_of_the_old_one() -> None:
    index = Index(3 * BLOCK)
    index.put(entry("a", 3), 0.0)
    assert index.put(entry("a", 2), 5.0) == []
    place = index.find(("east", "a"))
    assert place is not None
    assert (place.entry.footprint, place.confirmed, index.size) == (2 * BLOCK, 5.0, 2 * BLOCK)


def test_room() -> None:
    index = Index(3 * BLOCK)
    for name in "abc":
        index.put(entry(name), 0.0)
    assert index.room(4 * BLOCK) is None
    assert kept(index) == "abc"
    assert names(index.room(2 * BLOCK) or []) == "ab"
    assert index.room(2 * BLOCK) == []


def test_a_bound_in_number() -> None:
    index = Index(100 * BLOCK, count_max=2)
    assert [names(index.put(entry(name), 0.0)) for name in "abc"] == ["", "", "a"]
    assert names(index.room(BLOCK) or []) == "b"


def test_what_is_found_takes_nobodys_place() -> None:
    index = Index(3 * BLOCK)
    index.put(entry("a"), 9.0)
    assert not index.put_last(entry("a"), 0.0)
    assert index.put_last(entry("b"), 0.0)
    assert index.put_last(entry("c"), 0.0)
    assert not index.put_last(entry("d"), 0.0)
    assert names(index.put(entry("e"), 0.0)) == "c"


def test_another_limit() -> None:
    index = Index(4 * BLOCK)
    for name in "abcd":
        index.put(entry(name), 0.0)
    assert names(index.set_limit(2 * BLOCK)) == "ab"
    assert names(index.set_limit(-5)) == "cd"
    assert (index.limit, index.size) == (0, 0)
    assert index.set_limit(4 * BLOCK) == []
    assert index.put(entry("a"), 0.0) == []


def test_drop() -> None:
    index = Index(4 * BLOCK)
    for name in "abc":
        index.put(entry(name), 0.0)
    assert index.drop(("east", "b")) == entry("b")
    assert index.drop(("east", "b")) is None
    assert index.drop_all(lambda each: each.name == "c") == [entry("c")]
    assert (kept(index), index.size) == ("a", BLOCK)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "last", "use", "drop", "limit"]),
            st.sampled_from("abcdef"),
            st.integers(1, 5),
        )
    )
)
def test_the_size_is_that_of_what_is_there(steps: list[tuple[str, str, int]]) -> None:
    index = Index(8 * BLOCK, count_max=4)
    for what, name, blocks in steps:
        match what:
            case "put":
                index.put(entry(name, blocks), 0.0)
            case "last":
                index.put_last(entry(name, blocks), 0.0)
            case "use":
                index.use(("east", name))
            case "drop":
                index.drop(("east", name))
            case _:
                index.set_limit(2 * blocks * BLOCK)
        places = [index.find(("east", name)) for name in "abcdef"]
        assert index.size == sum(place.entry.footprint for place in places if place)
        assert index.size <= index.limit
        assert len(index) == len([place for place in places if place]) <= 4
