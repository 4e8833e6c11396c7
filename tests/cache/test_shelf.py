from __future__ import annotations

from appliance.cache.shelf import Shelf


def test_the_least_recently_used_goes_first() -> None:
    shelf: Shelf[str, int] = Shelf(10)
    for key in "abc":
        shelf.put(key, 1, 3)
    assert shelf.get("a") == 1
    shelf.put("d", 2, 4)
    assert [shelf.get(key) for key in "abcd"] == [1, None, 1, 2]
    assert (len(shelf), shelf.size) == (3, 10)


def test_what_does_not_fit_is_not_kept_nor_is_the_old_one() -> None:
    shelf: Shelf[str, int] = Shelf(10)
    shelf.put("a", 1, 3)
    shelf.put("a", 2, 11)
    assert shelf.get("a") is None
    assert (len(shelf), shelf.size) == (0, 0)


def test_drop() -> None:
    shelf: Shelf[str, int] = Shelf(10)
    shelf.put("a", 1, 3)
    shelf.drop("a")
    shelf.drop("b")
    assert (len(shelf), shelf.size) == (0, 0)
