"""PKCS #12 of openssl and of ours; and files that would have us reckon for hours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust.certificate import BadCertificate
from appliance.trust.pkcs12 import ROUNDS_MAX, encode, looks_like, read
from tests.trust.openssl import openssl
from tests.trust.vectors import CLUSTER, CURVE, FOLDER, data, needs_openssl

PLAIN = encode([("one", CLUSTER), ("two", CURVE)], None)
LOCKED = encode([("one", CLUSTER)], b"secret")


def test_ours() -> None:
    assert looks_like(PLAIN)
    assert looks_like(LOCKED)
    assert read(PLAIN, None) == [CLUSTER, CURVE]
    assert read(LOCKED, b"secret") == [CLUSTER]


@pytest.mark.parametrize("password", [None, b"", b"Secret"])
def test_a_wrong_password(password: bytes | None) -> None:
    with pytest.raises(BadCertificate, match=r"^no PKCS #12 file that opens with this password$"):
        read(LOCKED, password)


@needs_openssl
@pytest.mark.parametrize(
    "options",
    [
        ("-passout", "pass:"),
        ("-passout", "pass:secret"),
        ("-passout", "pass:secret", "-iter", "600000"),
        ("-passout", "pass:secret", "-legacy"),
        ("-passout", "pass:secret", "-certpbe", "NONE", "-nomac"),
    ],
)
@pytest.mark.parametrize("key", [True, False])
def test_of_openssl(options: tuple[str, ...], key: bool) -> None:
    """With a key, which is passed over, and without."""
    whose = ("-inkey", FOLDER / "cluster.key") if key else ("-nokeys",)
    made = openssl("pkcs12", "-export", "-in", FOLDER / "cluster.pem", *whose, *options)
    assert looks_like(made)
    assert read(made, options[1].removeprefix("pass:").encode() or None) == [CLUSTER]


@needs_openssl
@pytest.mark.parametrize(("made", "password"), [(PLAIN, ""), (LOCKED, "secret")])
def test_openssl_reads_ours(made: bytes, password: str) -> None:
    found = openssl("pkcs12", "-nokeys", "-passin", f"pass:{password}", given=made)
    assert CLUSTER.pem in found


def nested(iterations: bytes) -> bytes:
    """The form of a file, with a count behind a salt in an OCTET STRING."""
    salted = sequence(b"\4\2ab" + b"\2" + bytes([len(iterations)]) + iterations)
    return sequence(b"\2\1\3" + b"\x04" + bytes([len(salted)]) + salted)


def sequence(content: bytes) -> bytes:
    assert len(content) < 0x80
    return b"\x30" + bytes([len(content)]) + content


WEARY = "^a PKCS #12 file whose password would take too long to try$"


@pytest.mark.parametrize("count", [ROUNDS_MAX + 1, 2**31 - 1, 2**63, 2**800])
def test_counts_of_rounds(count: int) -> None:
    made = nested(count.to_bytes((count.bit_length() + 8) // 8, "big"))
    assert looks_like(made)
    with pytest.raises(BadCertificate, match=WEARY):
        read(made, b"x")


def test_many_counts_add_up() -> None:
    one = nested((ROUNDS_MAX // 3).to_bytes(3, "big"))
    with pytest.raises(BadCertificate, match=WEARY):
        read(sequence(one * 4), b"x")
    with pytest.raises(BadCertificate, match="opens with this password"):
        read(sequence(one * 3), b"x")


def test_scrypt() -> None:
    with pytest.raises(BadCertificate, match=WEARY):
        read(sequence(b"\2\1\3\6\x09" + bytes.fromhex("2b06010401da47040b")), b"x")


def test_many_elements() -> None:
    content = b"\5\0" * 30_000
    with pytest.raises(BadCertificate, match=WEARY):
        read(b"\x30\x82" + len(content).to_bytes(2, "big") + content, b"x")


@pytest.mark.parametrize("data", [b"", b"0", b"0\0", b"0\x80", CLUSTER.der, data("cluster.pem"), PLAIN[:-1]])
def test_what_looks_otherwise(data: bytes) -> None:
    assert not looks_like(data)
    with pytest.raises(BadCertificate):
        read(data, None)


@given(st.binary(max_size=100), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4))
def test_any_bytes(rest: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(PLAIN)
    for at, value in changes:
        changed[at % len(changed)] = value
    for candidate in (rest, b"\x30\x80" + rest, bytes(changed)):
        looks_like(candidate)
        try:
            found = read(candidate, None)
        except BadCertificate:
            continue
        assert len(found) <= 2
