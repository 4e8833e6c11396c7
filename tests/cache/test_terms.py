from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.cache.terms import Terms, age, by_length, fresh, may_keep, rule, stale_allowed, worth_keeping
from appliance.cluster.names import Kind
from tests.cache.test_entry import RINGS

HOUR = 3600.0
NONE, DAY = Terms({"east": 0}), Terms({"east": 24 * HOUR})
CONFIGS, CONFIGS_WITHOUT_STALE = Terms({"east": 24 * HOUR}, True), Terms({"east": 0}, True)
NOBODY = Terms({"west": 24 * HOUR}, True)


def test_every_kind_of_name_has_its_rule() -> None:
    guarded = {kind.value: rule(kind.value).guarded for kind in Kind}
    assert guarded == {
        "device": True,
        "default": False,
        "common": False,
        "image": False,
        "generic trust list": True,
    }
    assert rule("a kind that nobody knows").guarded


@pytest.mark.parametrize(
    ("kind", "seconds", "is_fresh"),
    [
        ("common", 0.0, True),
        ("common", 59.9, True),
        ("common", 60.0, False),
        ("common", -1.0, False),  # the clock was set back
        ("image", 23.9 * HOUR, True),
        ("image", 24 * HOUR, False),
        ("device", 0.0, False),
        ("default", 0.0, False),
        ("generic trust list", 0.0, False),
        ("a kind that nobody knows", 0.0, False),
    ],
)
def test_fresh(kind: str, seconds: float, is_fresh: bool) -> None:
    assert fresh(kind, 1000.0, 1000.0 + seconds) is is_fresh


@pytest.mark.parametrize(("now", "seconds"), [(1005.0, 5.0), (1000.0, 0.0), (10.0, 0.0)])
def test_age(now: float, seconds: float) -> None:
    assert age(1000.0, now) == seconds


@pytest.mark.parametrize(
    ("kind", "validator", "compared"),
    [("image", "", True), ("image", "etag:x", False), ("common", "", False), ("device", "", False)],
)
def test_by_length(kind: str, validator: str, compared: bool) -> None:
    assert by_length(replace(RINGS, kind=kind, validator=validator)) is compared


@pytest.mark.parametrize(
    ("terms", "kind", "seconds", "allowed"),
    [
        (NONE, "common", 1.0, False),
        (NONE, "common", 0.0, False),
        (DAY, "common", 24 * HOUR, True),
        (DAY, "common", 24 * HOUR + 1, False),
        (DAY, "common", -5.0, True),
        (DAY, "image", 1.0, True),
        (DAY, "default", 1.0, True),
        (DAY, "device", 1.0, False),
        (DAY, "generic trust list", 1.0, False),
        (CONFIGS, "device", 1.0, True),
        (CONFIGS, "generic trust list", 1.0, True),
        (CONFIGS, "device", 25 * HOUR, False),
        (CONFIGS_WITHOUT_STALE, "device", 0.0, False),
        (NOBODY, "common", 1.0, False),
    ],
)
def test_stale_allowed(terms: Terms, kind: str, seconds: float, allowed: bool) -> None:
    assert stale_allowed(replace(RINGS, kind=kind), 1e6, 1e6 + seconds, terms) is allowed


@pytest.mark.parametrize(
    ("terms", "kind", "validator", "worth"),
    [
        (NONE, "common", "", True),
        (NONE, "image", "", True),
        (NONE, "default", "", False),
        (NONE, "default", "etag:x", True),
        (DAY, "default", "", True),
        (NONE, "device", "etag:x", False),
        (DAY, "device", "etag:x", False),
        (CONFIGS, "device", "", True),
        (CONFIGS, "generic trust list", "", True),
        (CONFIGS_WITHOUT_STALE, "device", "", False),
        (DAY, "a kind that nobody knows", "", False),
        (NOBODY, "common", "", False),
    ],
)
def test_worth_keeping(terms: Terms, kind: str, validator: str, worth: bool) -> None:
    assert worth_keeping(replace(RINGS, kind=kind, validator=validator), terms) is worth


@pytest.mark.parametrize(
    ("terms", "kind", "may"),
    [
        (NONE, "common", True),
        (NONE, "default", True),  # where it has a validator
        (DAY, "device", False),
        (CONFIGS, "device", True),
        (CONFIGS_WITHOUT_STALE, "device", False),
        (DAY, "a kind that nobody knows", False),
        (NOBODY, "common", False),
    ],
)
def test_may_keep(terms: Terms, kind: str, may: bool) -> None:
    assert may_keep(RINGS.cluster, kind, terms) is may
