"""Whether a phone takes what another cluster signs: by its lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.serve.acceptance import Acceptance, judge
from tests.netns.cucm_files import envelope
from tests.netns.cucm_lists import CAPF, SAST, TFTP, TVS, record, trust_list

FILE = envelope("b", "SEP001122334455.cnf.xml.sgn", b"<device/>")
OWN = record(TFTP, "CN=a")
THEIRS = record(TFTP, "CN=b")


def itl(*records: bytes) -> bytes:
    return trust_list("a", "ITLSEP001122334455.tlv", *records)


@pytest.mark.parametrize(
    ("lists", "accepted"),
    [
        ([b"", itl(OWN, THEIRS)], True),
        ([itl(THEIRS), itl(OWN)], True),
        ([None, itl(THEIRS)], True),
        ([b"", itl(OWN)], False),
        ([b"", itl(record(SAST, "CN=b"), OWN)], False),  # signs lists, and no files
        ([b"", itl(record(TVS, "CN=b"), OWN)], False),
        ([b"", itl(record(TFTP, "CN=b", b"\x01"), OWN)], False),
        ([b"", itl(record(2, "CN=b"), OWN)], True),
        ([None, itl(OWN)], None),  # the other list may name it
        ([b"", None], None),
        ([b"", b"no list at all"], None),
        ([b"", itl(OWN)[:-1]], None),
        ([b"", b""], True),  # a phone without any list takes what anybody signs
        ([b"", itl(record(CAPF, "CN=a"))], True),  # one that is prepared for a rollback, too
    ],
)
def test_by_the_lists(lists: list[bytes | None], accepted: bool | None) -> None:
    assert judge(FILE, lists) == Acceptance("CN=b", accepted)


@pytest.mark.parametrize("signed", [None, b"", b"<device/>", FILE[:20]])
def test_nobody_has_signed(signed: bytes | None) -> None:
    assert judge(signed, [b"", itl(THEIRS)]) == Acceptance()


def test_either_way_of_writing_a_name() -> None:
    """CUCM writes semicolons, certutils commas and in another order."""
    file = envelope("b;OU=IT;O=Example", "x.sgn", b"")
    assert judge(file, [itl(record(TFTP, "O=Example,OU=IT,CN=b"), OWN)]).accepted is True
    assert judge(file, [itl(record(TFTP, "O=Example,OU=HR,CN=b"), OWN)]).accepted is False


@given(st.none() | st.binary(max_size=300), st.lists(st.none() | st.binary(max_size=300), max_size=3))
def test_whatever_comes(signed: bytes | None, lists: list[bytes | None]) -> None:
    assert judge(signed, lists).accepted in (True, False, None)
    assert judge(FILE, lists).signer == "CN=b"


@given(st.data())
def test_whatever_stands_in_a_list(data: st.DataObject) -> None:
    whole = itl(OWN, THEIRS)
    at = data.draw(st.integers(0, len(whole) - 1))
    spoilt = whole[:at] + data.draw(st.binary(min_size=1, max_size=1)) + whole[at + 1 :]
    assert judge(FILE, [spoilt]).accepted in (True, False, None)
