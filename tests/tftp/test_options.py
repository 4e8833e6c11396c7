from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tftp.options import (
    BLKSIZE_MAX,
    BLKSIZE_MIN,
    TIMEOUT_MAX,
    WINDOW_BYTES_MAX,
    WINDOWSIZE_MAX,
    Accepted,
    Limits,
    Unacceptable,
    accept,
    agree,
    digits,
    mtu_blksize,
)
from appliance.tftp.packet import Options

SIZE = 12952


def options(text: str) -> Options:
    """`blksize=512 tsize=0` as options."""
    pairs = [each.partition("=") for each in text.split()]
    return tuple((name, value) for name, _, value in pairs)


ACCEPT = [
    # offer, OACK
    ("", ""),
    ("blksize=1428", "blksize=1428"),
    ("BlkSize=1428 TSIZE=0", "BlkSize=1428 TSIZE=12952"),
    ("tsize=0 blksize=512 timeout=6", "tsize=12952 blksize=512 timeout=6"),
    ("timeout=6 blksize=512 tsize=0", "timeout=6 blksize=512 tsize=12952"),
    ("multicast= blksize=512 unknown=1", "blksize=512"),
    ("unknown=1", ""),
    # blksize: 8 to 65464 (RFC 2348)
    ("blksize=0", ""),
    ("blksize=7", ""),
    ("blksize=8", "blksize=8"),
    ("blksize=65464", "blksize=65464"),
    ("blksize=65465", "blksize=65464"),
    ("blksize=65536", "blksize=65464"),
    ("blksize=999999999", "blksize=65464"),
    ("blksize=9999999999", ""),
    (f"blksize={'9' * 90}", ""),
    # numbers are ASCII digits, and echoed as numbers
    ("blksize=abc", ""),
    ("blksize=", ""),
    ("blksize=-1", ""),
    ("blksize=+512", ""),
    ("blksize=5_12", ""),
    ("blksize=0x200", ""),
    ("blksize=512.0", ""),
    ("blksize=1e3", ""),
    ("blksize=\uff15\uff11\uff12", ""),
    ("blksize=\u00b2\u00b2", ""),
    ("blksize=000000512", "blksize=512"),
    # twice: the first counts
    ("blksize=512 blksize=1024", "blksize=512"),
    ("blksize=512 BLKSIZE=1024", "blksize=512"),
    ("blksize=abc blksize=1024", ""),
    ("blksize=7 blksize=1024", ""),
    # timeout: 1 to 255 (RFC 2349), of which the longest are not taken
    ("timeout=0", ""),
    ("timeout=1", "timeout=1"),
    ("timeout=30", "timeout=30"),
    ("timeout=31", ""),
    ("timeout=255", ""),
    ("timeout=256", ""),
    ("timeout=x", ""),
    # tsize
    ("tsize=0", "tsize=12952"),
    ("tsize=4711", "tsize=12952"),
    ("tsize=x", ""),
    # windowsize: 1 to 65535 (RFC 7440)
    ("windowsize=0", ""),
    ("windowsize=1", "windowsize=1"),
    ("windowsize=16", "windowsize=16"),
    ("windowsize=65535", "windowsize=64"),
    ("windowsize=65536", "windowsize=64"),
    ("windowsize=65535 blksize=65464", "windowsize=8 blksize=65464"),
    ("windowsize=64 blksize=8192", "windowsize=64 blksize=8192"),
    ("windowsize=64 blksize=8193", "windowsize=63 blksize=8193"),
]


@pytest.mark.parametrize(("offer", "oack"), ACCEPT)
def test_accept(offer: str, oack: str) -> None:
    accepted = accept(options(offer), Limits(), SIZE)
    assert accepted.oack == options(oack)
    taken = {name.lower(): int(value) for name, value in accepted.oack}
    assert accepted == Accepted(
        taken.get("blksize", 512),
        taken.get("windowsize", 1),
        taken.get("timeout"),
        taken.get("tsize"),
        accepted.oack,
    )


@pytest.mark.parametrize(
    ("offer", "limits", "size", "oack"),
    [
        ("blksize=1428", Limits(blksize=1200), SIZE, "blksize=1200"),
        ("blksize=1024", Limits(blksize=1200), SIZE, "blksize=1024"),
        ("windowsize=16", Limits(windowsize=4), SIZE, "windowsize=4"),
        ("windowsize=16", Limits(windowsize=1), SIZE, "windowsize=1"),
        ("blksize=1428 windowsize=16", Limits(512, 8), SIZE, "blksize=512 windowsize=8"),
        ("tsize=0 blksize=512", Limits(), None, "blksize=512"),
        ("tsize=0", Limits(), None, ""),
        ("tsize=0", Limits(), 1, "tsize=1"),
        ("tsize=0", Limits(), 5_000_000_000, "tsize=5000000000"),
        # curl ends a transfer whose OACK says tsize=0
        ("tsize=0", Limits(), 0, ""),
        ("tsize=0 blksize=512", Limits(), 0, "blksize=512"),
    ],
)
def test_accept_within_limits(offer: str, limits: Limits, size: int | None, oack: str) -> None:
    assert accept(options(offer), limits, size).oack == options(oack)


OFFER = "blksize=1428 tsize=0 windowsize=8 timeout=3"

AGREE = [
    # OACK, what is in force
    ("blksize=1428", Accepted(blksize=1428)),
    ("blksize=8", Accepted(blksize=8)),
    ("BLKSIZE=1024 WindowSize=4", Accepted(blksize=1024, windowsize=4)),
    ("windowsize=8", Accepted(windowsize=8)),
    ("windowsize=1", Accepted(windowsize=1)),
    ("timeout=3", Accepted(timeout=3)),
    ("tsize=0", Accepted(tsize=0)),
    ("tsize=5000000000", Accepted(tsize=5_000_000_000)),
    ("blksize=1024 blksize=512", Accepted(blksize=1024)),  # tftp-hpa 5.2, asked twice
    ("", Accepted()),
]


@pytest.mark.parametrize(("oack", "accepted"), AGREE)
def test_agree(oack: str, accepted: Accepted) -> None:
    agreed = agree(options(OFFER), options(oack))
    assert agreed.oack == options(oack)
    assert (agreed.blksize, agreed.windowsize) == (accepted.blksize, accepted.windowsize)
    assert (agreed.timeout, agreed.tsize) == (accepted.timeout, accepted.tsize)


UNASKED = "an option that was not asked for, or no number"


@pytest.mark.parametrize(
    ("offer", "oack", "why"),
    [
        ("", "blksize=512", UNASKED),  # tftpy adds it unasked
        ("tsize=0", "tsize=10 blksize=512", UNASKED),
        (OFFER, "rollover=0", UNASKED),
        (OFFER, "blksize=", UNASKED),
        (OFFER, "blksize=-1", UNASKED),
        (OFFER, "blksize=abc", UNASKED),
        (OFFER, "tsize=-1", UNASKED),
        (OFFER, f"tsize={'9' * 19}", UNASKED),
        (OFFER, "blksize=1429", "blksize out of bounds"),
        (OFFER, "blksize=65464", "blksize out of bounds"),
        (OFFER, "blksize=7", "blksize out of bounds"),
        (OFFER, "blksize=0", "blksize out of bounds"),
        (OFFER, "windowsize=9", "windowsize out of bounds"),
        (OFFER, "windowsize=0", "windowsize out of bounds"),
        (OFFER, "timeout=2", "another timeout than was asked for"),
        (OFFER, "timeout=4", "another timeout than was asked for"),
    ],
)
def test_unacceptable(offer: str, oack: str, why: str) -> None:
    with pytest.raises(Unacceptable, match=f"^{why}$"):
        agree(options(offer), options(oack))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("000000007", 7),
        ("123456789", 123456789),
        ("1234567890", None),
        ("", None),
        (" 1", None),
        ("1\n", None),
        ("-0", None),
        ("\u0661", None),  # a digit in Arabic
    ],
)
def test_digits(value: str, number: int | None) -> None:
    assert digits(value) == number


@pytest.mark.parametrize(
    ("mtu", "ipv6", "blksize"),
    [
        (1500, False, 1468),
        (1500, True, 1448),
        (1280, True, 1228),
        (576, False, 544),
        (576, True, 524),
        (68, False, 512),
    ],
)
def test_mtu_blksize(mtu: int, ipv6: bool, blksize: int) -> None:
    assert mtu_blksize(mtu, ipv6) == blksize


NAME = st.sampled_from(
    ["blksize", "BLKSIZE", "windowsize", "timeout", "tsize", "tSize", "rollover", "blksize2"]
)
NUMBER = st.one_of(
    st.integers(0, 300),
    st.sampled_from([511, 512, 1428, 8192, 8193, 65464, 65465, 65535, 65536, 10**9, 10**18]),
).map(str)
VALUE = NUMBER | st.text(max_size=8)
OFFERS: st.SearchStrategy[Options] = st.lists(st.tuples(NAME | st.text(max_size=5), VALUE), max_size=16).map(
    tuple
)
LIMITS = st.builds(Limits, st.integers(BLKSIZE_MIN, BLKSIZE_MAX), st.integers(1, WINDOWSIZE_MAX))
SIZES = st.none() | st.integers(0, 10**10)


@given(OFFERS, LIMITS, SIZES)
def test_an_oack_holds_only_what_was_offered_within_the_limits(
    offer: Options, limits: Limits, size: int | None
) -> None:
    accepted = accept(offer, limits, size)
    offered: dict[str, tuple[str, str]] = {}
    for name, value in offer:
        offered.setdefault(name.lower(), (name, value))
    taken = dict(accepted.oack)
    assert list(accepted.oack) == [(name, taken[name]) for name, _ in offered.values() if name in taken]
    for name, value in accepted.oack:
        asked = int(offered[name.lower()][1])
        match name.lower():
            case "blksize":
                assert BLKSIZE_MIN <= int(value) <= min(asked, limits.blksize)
            case "windowsize":
                assert 1 <= int(value) <= min(asked, limits.windowsize)
            case "timeout":
                assert 1 <= int(value) == asked <= TIMEOUT_MAX
            case "tsize":
                assert int(value) == size
            case other:
                pytest.fail(f"{other!r} is no option of ours")


@given(OFFERS, LIMITS, SIZES)
def test_a_window_is_bounded_in_bytes(offer: Options, limits: Limits, size: int | None) -> None:
    accepted = accept(offer, limits, size)
    assert accepted.windowsize * accepted.blksize <= WINDOW_BYTES_MAX


@given(OFFERS, LIMITS, SIZES)
def test_a_client_agrees_with_every_oack(offer: Options, limits: Limits, size: int | None) -> None:
    accepted = accept(offer, limits, size)
    assert agree(offer, accepted.oack) == accepted


NUMBERS = {"blksize": st.integers(8, 2000), "windowsize": st.integers(1, 16), "timeout": st.integers(1, 3)}
OUR_OFFERS = st.fixed_dictionaries({}, optional={**NUMBERS, "tsize": st.just(0)})
OACKS = st.fixed_dictionaries(
    {}, optional={**NUMBERS, "tsize": st.integers(0, 10**18 - 1), "rollover": st.just(0)}
)


@given(OUR_OFFERS, OACKS)
def test_a_client_takes_no_more_than_it_offered(offer: dict[str, int], oack: dict[str, int]) -> None:
    beyond = (
        not set(oack) <= set(offer)
        or any(oack[name] > offer[name] for name in ("blksize", "windowsize") if name in oack)
        or ("timeout" in oack and oack["timeout"] != offer["timeout"])
    )
    if beyond:
        with pytest.raises(Unacceptable):
            agree(written(offer), written(oack))
        return
    accepted = agree(written(offer), written(oack))
    assert (accepted.blksize, accepted.windowsize) == (oack.get("blksize", 512), oack.get("windowsize", 1))
    assert (accepted.timeout, accepted.tsize) == (oack.get("timeout"), oack.get("tsize"))


def written(numbers: dict[str, int]) -> Options:
    return tuple((name, str(number)) for name, number in numbers.items())
