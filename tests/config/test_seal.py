from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.seal import PASSPHRASE_MAX, Unsealable, seal, unseal

PASSPHRASE = "correct horse"
SEALED = seal(b"a secret", PASSPHRASE)


def test_again() -> None:
    assert unseal(SEALED, PASSPHRASE) == b"a secret"
    assert b"secret" not in SEALED
    assert unseal(seal(b"", "pässword \N{GRINNING FACE}"), "pässword \N{GRINNING FACE}") == b""


def test_no_two_are_alike() -> None:
    assert seal(b"a secret", PASSPHRASE) != SEALED


@pytest.mark.parametrize(
    "passphrase", ["Correct horse", "correct horse ", "", "short", "x" * (PASSPHRASE_MAX + 1)]
)
def test_another_passphrase(passphrase: str) -> None:
    with pytest.raises(Unsealable):
        unseal(SEALED, passphrase)


@pytest.mark.parametrize("passphrase", ["", "1234567", "x" * (PASSPHRASE_MAX + 1)])
def test_poor_passphrase(passphrase: str) -> None:
    with pytest.raises(ValueError, match="a passphrase has 8 to 1024 characters"):
        seal(b"", passphrase)


@settings(max_examples=15)
@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_one_byte_is_enough(place: int, flip: int) -> None:
    data = bytearray(SEALED)
    data[place] ^= flip
    with pytest.raises(Unsealable):
        unseal(bytes(data), PASSPHRASE)


@pytest.mark.parametrize("length", [0, 1, 25, 53, 68, len(SEALED) - 1])
def test_torn(length: int) -> None:
    with pytest.raises(Unsealable):
        unseal(SEALED[:length], PASSPHRASE)
