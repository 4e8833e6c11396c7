from __future__ import annotations

import pytest

from appliance.config.faults import ConfigurationError
from appliance.config.lines import LINE_MAX, SIZE_MAX, scan


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("", ""),
        ("   # x = 1", ""),
        ("a=1", "a = 1"),
        ("\ta  =\t1  ", "a = 1"),
        ("a b = c d", "a b = c d"),
        ("a =", "a = "),
        ("a = ,", "a = ,"),
        ("a = 1, # one", "a = 1,"),
        ("a = 1 # 'one', \"two\"", "a = 1"),
        ("a = 'x#y' # z", "a = 'x#y'"),
        ("a = x#y", "a = x"),
        ("a = \"x, y\" , 'z'", "a = \"x, y\" , 'z'"),
        ("a = Bob's and Al's", "a = Bob's and Al's"),
        ("a = b = c", "a = b = c"),
        ("10.9.0.0/16 = east", "10.9.0.0/16 = east"),
        ("2001:db8::/32 = east", "2001:db8::/32 = east"),
        ("[a] # b", "[a]"),
        ("  [ a b ]", "[a b]"),
    ],
)
def test_what_configobj_sees(line: str, seen: str) -> None:
    lines = scan(line.encode(), "test.conf")
    assert lines.text == [seen]
    assert lines.faults == []


def test_places() -> None:
    lines = scan(b"a = 1\n[b]\n\na = 2\n[[c]]\na = 3\n[[d]]\na = 4\n[e]\na = 5", "test.conf")
    assert lines.faults == []
    assert lines.places == {
        ("a",): 1,
        ("b",): 2,
        ("b", "a"): 4,
        ("b", "c"): 5,
        ("b", "c", "a"): 6,
        ("b", "d"): 7,
        ("b", "d", "a"): 8,
        ("e",): 9,
        ("e", "a"): 10,
    }


@pytest.mark.parametrize(
    ("section", "key", "line"),
    [
        ("", "a", 1),
        ("b", "", 2),
        ("b", "a", 3),
        ("b / c", "a", 5),
        ("b", "x", 2),
        ("", "x", None),
        ("x", "", None),
    ],
)
def test_number(section: str, key: str, line: int | None) -> None:
    lines = scan(b"a = 1\n[b]\na = 2\n[[c]]\na = 3", "test.conf")
    assert lines.number(section, key) == line


def test_one_entry_a_line() -> None:
    lines = scan(b"a = 1\r\nnonsense\r\n\xe2\x80\xa8b = 2\n", "test.conf")
    assert lines.text == ["a = 1", "", "b = 2", ""]  # U+2028 ends no line
    assert [fault.line for fault in lines.faults] == [2]


def test_bounds() -> None:
    line = b"a = " + b"x" * (LINE_MAX - 4)
    assert scan(line, "test.conf").faults == []
    assert len(scan(line + b"x", "test.conf").faults) == 1
    assert scan(b"\n" * SIZE_MAX, "test.conf").faults == []
    with pytest.raises(ConfigurationError, match="at most 262144 bytes"):
        scan(b"\n" * (SIZE_MAX + 1), "test.conf")
