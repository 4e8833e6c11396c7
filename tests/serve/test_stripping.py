"""Where the file begins inside of a signed one: told by its first bytes, whatever they are."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.serve.stripping import NoEnvelope, content_start
from appliance.trust import envelope
from tests.netns.cucm_files import envelope as signed
from tests.trust.vectors import FILES, data

HEADER_MAX = 0xFFFF  # bytes


class Source:
    """A file that comes in pieces; `asked` is the end of what was asked for."""

    def __init__(self, content: bytes, pieces: list[int]) -> None:
        self.content = content
        self.asked = 0
        self._pieces = pieces

    def read(self, offset: int, length: int) -> bytes:
        assert length > 0
        self.asked = max(self.asked, offset + length)
        piece = self._pieces.pop() if self._pieces else length
        return self.content[offset : offset + min(piece, length)]


PIECES = st.lists(st.integers(1, 700), max_size=20)


@given(st.binary(max_size=3000), PIECES)
def test_what_was_put_in_comes_out(content: bytes, pieces: list[int]) -> None:
    source = Source(signed("nobody", "RingList.xml.sgn", content), pieces)
    start = content_start(source.read)
    assert source.content[start:] == content
    assert source.asked == start  # no byte of the file was waited for


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"\1\0\2\1\0\2\0\2" + rest), PIECES)
def test_any_bytes(content: bytes, pieces: list[int]) -> None:
    source = Source(content, pieces)
    with contextlib.suppress(NoEnvelope):
        start = content_start(source.read)
        assert content[start:] == envelope.strip(content)
    assert source.asked <= HEADER_MAX


@given(st.integers(0, 280), st.integers(0, 255))
def test_a_damaged_head(place: int, byte: int) -> None:
    """Nothing, or the file as it is there: never another part of it."""
    whole = bytearray(signed("nobody", "RingList.xml.sgn", b"the file"))
    whole[place % len(whole)] = byte
    try:
        start = content_start(Source(bytes(whole), []).read)
    except NoEnvelope:
        return
    assert bytes(whole[start:]) == envelope.strip(bytes(whole))


@pytest.mark.parametrize("name", FILES)
def test_vectors(name: str) -> None:
    source = Source(data(name), [])
    if name.endswith((".tlv", ".enc.sgn")):
        with pytest.raises(NoEnvelope):
            content_start(source.read)
    else:
        assert source.content[content_start(source.read) :] == envelope.strip(source.content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no signed file"),
        (b"<?xml", "no signed file"),
        (signed("nobody", "x.sgn", b"")[:60], "HEADERLENGTH is"),
        (signed("nobody", "x.tlv", b""), "a trust list"),
    ],
)
def test_no_envelope(content: bytes, why: str) -> None:
    with pytest.raises(NoEnvelope, match=why):
        content_start(Source(content, []).read)
