from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import revision
from appliance.config.atomic import PREFIX
from appliance.config.history import KEPT, History, NoRevision
from appliance.config.lines import SIZE_MAX
from appliance.config.revision import DamagedRevision

NOON = 1_800_000_000.0
GOOD = b"version = 1\n"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history")


def numbers(history: History) -> list[int]:
    return [each.number for each in history.entries()]


def test_nothing_yet(history: History) -> None:
    assert (history.entries(), history.damaged()) == ([], [])
    assert history.newest_good() is None
    with pytest.raises(NoRevision, match="revision 1: there is none of this number"):
        history.read(1)
    assert not history.folder.exists()


def test_added_and_read(history: History) -> None:
    first = history.add(GOOD, "root", "first", NOON)
    second = history.add(b"any bytes\xff\n\n", "admin", "two\nlines\x1b", NOON + 1.5)
    assert (first.number, first.time, first.author, first.comment) == (
        1,
        "2027-01-15T08:00:00.000Z",
        "root",
        "first",
    )
    assert (second.number, second.time, second.comment) == (2, "2027-01-15T08:00:01.500Z", r"two\nlines\x1b")
    again = History(history.folder)
    assert again.entries() == [second, first]
    assert (again.read(1), again.read(2)) == (GOOD, b"any bytes\xff\n\n")
    assert again.newest_good() == (first, GOOD)


def test_long_words_are_cut(history: History) -> None:
    made = history.add(GOOD, "a" * 1000, "\x00" * 1000, NOON)
    assert len(made.author) == revision.AUTHOR_MAX + 1  # and an ellipsis
    assert history.entries() == [made]


def test_only_the_newest_are_kept_and_numbers_go_on(history: History) -> None:
    for number in range(1, KEPT + 6):
        assert history.add(GOOD, "root", "", NOON).number == number
    assert numbers(history) == list(range(KEPT + 5, 5, -1))
    assert len(os.listdir(history.folder)) == KEPT
    with pytest.raises(NoRevision):
        history.read(5)


def test_a_full_text(history: History) -> None:
    text = b"#" * SIZE_MAX
    history.add(text, "\N{GRINNING FACE}" * 64, "\U000e0001" * 200, NOON)
    assert history.read(1) == text
    with pytest.raises(ValueError, match="more than"):
        history.add(text + b"#", "root", "", NOON)
    assert numbers(history) == [1]


def break_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#")


def far_longer(path: Path) -> None:
    path.write_bytes(b"#" * (revision.FILE_MAX + 1))


def of_another(path: Path) -> None:
    path.write_bytes((path.parent / "000001.revision").read_bytes())


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (break_off, "torn or damaged"),
        (zeros, "torn or damaged"),
        (empty, "torn or damaged"),
        (longer, "torn or damaged"),
        (far_longer, "more than"),
        (of_another, "the file of revision 1"),
        (a_folder, "Is a directory"),
    ],
)
def test_what_is_not_whole_is_told_and_not_served(history: History, spoil: object, why: str) -> None:
    for _ in range(3):
        history.add(GOOD, "root", "", NOON)
    assert callable(spoil)
    spoil(history.folder / "000003.revision")
    assert numbers(history) == [2, 1]
    (told,) = history.damaged()
    assert told.number == 3
    assert why in str(told)
    with pytest.raises(NoRevision, match=why):
        history.read(3)
    good = history.newest_good()
    assert good is not None
    assert good[0].number == 2
    assert history.add(GOOD, "root", "", NOON).number == 4


def test_the_newest_good_one_is_one_that_parses(history: History) -> None:
    history.add(GOOD, "root", "", NOON)
    history.add(b"version = 99\n", "root", "", NOON)
    history.add(b"nonsense", "root", "", NOON)
    found = history.newest_good()
    assert found is not None
    assert (found[0].number, found[1]) == (1, GOOD)
    assert history.newest_good(but=2) == found
    assert history.newest_good(but=1) is None


def test_a_full_disk_leaves_the_history_as_it_was(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.add(GOOD, "root", "", NOON)

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            history.add(GOOD, "root", "", NOON)
    assert os.listdir(history.folder) == ["000001.revision"]
    assert history.add(GOOD, "root", "", NOON).number == 2


def test_what_a_loss_of_power_left_is_cleared(history: History) -> None:
    history.folder.mkdir()
    (history.folder / f"{PREFIX}00").write_bytes(b"half")
    (history.folder / "notes.txt").write_bytes(b"somebody's")
    history.add(GOOD, "root", "", NOON)
    assert sorted(os.listdir(history.folder)) == ["000001.revision", "notes.txt"]


REVISION = revision.make(7, "2027-01-15T08:00:00.000Z", "root", "why", GOOD)
WHOLE = revision.encode(REVISION, GOOD)


@given(st.integers(1, revision.NUMBER_MAX), st.text(), st.text(), st.text(), st.binary())
def test_decoded_again(number: int, time: str, author: str, comment: str, text: bytes) -> None:
    made = revision.make(number, time, author, comment, text)
    assert revision.decode(revision.encode(made, text), number) == (made, text)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_byte_is_enough(place: int, flip: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= flip
    with pytest.raises(DamagedRevision):
        revision.decode(bytes(data), 7)


def signed(rest: bytes) -> bytes:
    """With the digest of a file of ours."""
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda x: repr(x).encode()))
def test_whatever_the_head(head: bytes) -> None:
    with pytest.raises(DamagedRevision):
        revision.decode(signed(head + b"\n" + GOOD), 7)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"number": 7', b'"number": 7.0'),
        (b'"number": 7', b'"number": true'),
        (b'"number": 7', b'"number": "7"'),
        (b'"root"', b"null"),
        (b'"author"', b'"writer"'),
        (b"{", b'{"more": 1, '),
        (REVISION.sha256.encode(), b"0" * 64),
    ],
)
def test_a_head_that_is_none(old: bytes, new: bytes) -> None:
    rest = WHOLE.partition(b"\n")[2]
    assert rest.count(old) == 1
    with pytest.raises(DamagedRevision):
        revision.decode(signed(rest.replace(old, new)), 7)
