from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tftp.netascii import Decoder, Encoder

BOTH_WAYS = [
    # local, netascii
    (b"", b""),
    (b"ring\n", b"ring\r\n"),
    (b"\n\n", b"\r\n\r\n"),
    (b"a\rb", b"a\r\0b"),
    (b"\r", b"\r\0"),
    (b"\r\n", b"\r\0\r\n"),
    (b"\n\r", b"\r\n\r\0"),
    (b"\r\r", b"\r\0\r\0"),
    (b"\0", b"\0"),
    (b"\r\0", b"\r\0\0"),
    (bytes(range(14, 256)), bytes(range(14, 256))),
]

LENIENT = [
    # netascii that no encoder of ours writes, local
    (b"\n", b"\n"),
    (b"a\rb", b"a\rb"),
    (b"\r", b"\r"),
    (b"\r\r", b"\r\r"),
    (b"\r\r\n", b"\r\n"),
    (b"\r\r\0", b"\r\r"),
    (b"\r\0\n", b"\r\n"),
    (b"\r\r\n\0", b"\r\n\0"),
]


def encoded(*pieces: bytes) -> bytes:
    encoder = Encoder()
    return b"".join(encoder.feed(piece) for piece in pieces)


def decoded(*pieces: bytes) -> bytes:
    decoder = Decoder()
    return b"".join(decoder.feed(piece) for piece in pieces) + decoder.finish()


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(("local", "netascii"), BOTH_WAYS)
def test_both_ways(local: bytes, netascii: bytes) -> None:
    assert encoded(local) == encoded(*bytewise(local)) == netascii
    assert decoded(netascii) == decoded(*bytewise(netascii)) == local


@pytest.mark.parametrize(("netascii", "local"), LENIENT)
def test_lenient(netascii: bytes, local: bytes) -> None:
    assert decoded(netascii) == decoded(*bytewise(netascii)) == local


def test_a_carriage_return_at_the_edge_of_a_block() -> None:
    decoder = Decoder()
    assert decoder.feed(b"1234567\r") == b"1234567"
    assert decoder.feed(b"\n234567\r") == b"\n234567"
    assert decoder.feed(b"\x00234567\r") == b"\r234567"
    assert decoder.feed(b"x") == b"\rx"
    assert decoder.feed(b"\r") == b""
    assert decoder.feed(b"") == b""
    assert decoder.finish() == b"\r"
    assert decoder.finish() == b""


# Nearly every byte stands for itself: draw the others often.
BYTES = (
    st.lists(st.sampled_from([b"\r", b"\n", b"\0", b"a", b"\xff"]), max_size=40).map(b"".join) | st.binary()
)
PIECES = st.lists(BYTES, max_size=8)


@given(PIECES)
def test_encoding_does_not_depend_on_the_cuts(pieces: list[bytes]) -> None:
    assert encoded(*pieces) == encoded(b"".join(pieces))


@given(PIECES)
def test_decoding_does_not_depend_on_the_cuts(pieces: list[bytes]) -> None:
    assert decoded(*pieces) == decoded(b"".join(pieces))


@given(BYTES, st.integers(1, 16))
def test_decode_undoes_encode_in_blocks_of_any_size(local: bytes, blksize: int) -> None:
    netascii = encoded(local)
    blocks = [netascii[at : at + blksize] for at in range(0, len(netascii), blksize)]
    assert decoded(*blocks) == local
    assert b"\r" not in netascii.replace(b"\r\n", b"").replace(b"\r\0", b"")
