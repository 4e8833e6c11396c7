"""Keys on disk: who may read them, and what a crash in the middle leaves."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from appliance.config import atomic
from appliance.trust import certificate as certificates
from appliance.trust import identity as identities
from appliance.trust import keystore as keystores
from appliance.trust.identity import Identity, Purpose, Subject
from appliance.trust.keystore import Keystore, KeysUnusable

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@cache
def made(purpose: Purpose, number: int) -> Identity:
    return identities.make(purpose, Subject("box"), "box", NOW + timedelta(days=number))


def maker() -> Callable[[Purpose], Identity]:
    """Keys one after the other, the same ones in each test."""
    numbers: Iterator[int] = iter(range(100))
    return lambda purpose: made(purpose, next(numbers))


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "data")


def all_of(store: Keystore) -> list[Identity | None]:
    return [store.read(purpose) for purpose in Purpose]


def test_made_when_missing(store: Keystore) -> None:
    make = maker()
    assert all_of(store) == [None] * 4
    assert store.make_missing(make) == list(Purpose)
    first = all_of(store)
    assert None not in first
    assert store.make_missing(make) == []
    assert all_of(store) == first


def test_who_may_read_what(store: Keystore, tmp_path: Path) -> None:
    (tmp_path / "data" / "keys").mkdir(parents=True, mode=0o777)
    store.make_missing(maker())
    assert stat.S_IMODE((tmp_path / "data" / "keys").stat().st_mode) == 0o700
    for purpose in Purpose:
        key = tmp_path / "data" / "keys" / f"{purpose}.pem"
        own = tmp_path / "data" / "trust" / "own" / f"{purpose}.pem"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(own.stat().st_mode) == 0o644
        assert b"PRIVATE" in key.read_bytes()
        assert b"PRIVATE" not in own.read_bytes()
        identity = store.read(purpose)
        assert identity is not None
        assert certificates.read(own.read_bytes()) == [identity.certificate]
        key.unlink()
        assert store.certificate(purpose) == identity.certificate


def test_renewing_the_signer_brings_the_standby(store: Keystore) -> None:
    make = maker()
    store.make_missing(make)
    signing, standby, https, tvs = all_of(store)
    assert store.renew(Purpose.SIGNING, make) == [Purpose.SIGNING, Purpose.STANDBY]
    after = all_of(store)
    assert after[0] == standby
    assert after[1] not in (signing, standby, None)
    assert after[2:] == [https, tvs]


@pytest.mark.parametrize("purpose", [Purpose.STANDBY, Purpose.HTTPS, Purpose.TVS])
def test_renewing_another(store: Keystore, purpose: Purpose) -> None:
    make = maker()
    store.make_missing(make)
    before = all_of(store)
    assert store.renew(purpose, make) == [purpose]
    changed = [one != other for one, other in zip(before, all_of(store), strict=True)]
    assert changed == [each is purpose for each in Purpose]


def test_renewing_before_there_is_any(store: Keystore) -> None:
    assert store.renew(Purpose.SIGNING, maker()) == [Purpose.SIGNING]
    assert store.read(Purpose.STANDBY) is None


@pytest.mark.parametrize("after", range(5))
def test_a_crash_while_the_signer_is_renewed(
    store: Keystore, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file was the last to be written: the signer is a known one, and the rest is mended."""
    make = maker()
    store.make_missing(make)
    signing, standby, *_ = all_of(store)
    left = iter(range(after))

    def replace_file(path: Path, data: bytes, mode: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        atomic.replace_file(path, data, mode)

    with monkeypatch.context() as patch:
        patch.setattr(keystores, "replace_file", replace_file)
        if after < 4:
            with pytest.raises(KeysUnusable, match="No space left on device"):
                store.renew(Purpose.SIGNING, make)
        else:
            store.renew(Purpose.SIGNING, make)
    store.make_missing(make)
    found = all_of(store)
    assert found[0] == (signing if after == 0 else standby)
    assert found[1] not in (found[0], None)
    for purpose, identity in zip(Purpose, found, strict=True):
        assert identity is not None
        path = store._own / f"{purpose}.pem"
        assert path.read_bytes() == identities.published(identity)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no certificate that can be read"),
        (b"-----BEGIN CERTIFICATE-----", "a PEM file whose certificates cannot all be read"),
        (made(Purpose.TVS, 0).certificate.pem, "no private key in PEM without a password"),
        (made(Purpose.TVS, 0).key + made(Purpose.TVS, 1).certificate.pem, "the key is not the certificate's"),
    ],
)
def test_keys_that_are_none(store: Keystore, tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "data" / "keys" / "signing.pem"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(KeysUnusable) as raised:
        store.read(Purpose.SIGNING)
    assert str(raised.value) == f"{path}: {why}"
    with pytest.raises(KeysUnusable):
        store.make_missing(maker())
    assert path.read_bytes() == content  # what may be a key is never overwritten unasked


def test_a_published_certificate_that_is_none(store: Keystore, tmp_path: Path) -> None:
    assert store.certificate(Purpose.TVS) is None
    path = tmp_path / "data/trust/own/tvs.pem"
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(KeysUnusable) as raised:
        store.certificate(Purpose.TVS)
    assert str(raised.value) == f"{path}: no certificate that can be read"


def test_a_folder_that_is_none(store: Keystore, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(KeysUnusable, match="Not a directory"):
        store.make_missing(maker())


def test_one_at_a_time(store: Keystore, tmp_path: Path) -> None:
    with (
        store.locked(),
        pytest.raises(KeysUnusable, match="another process changes them just now"),
        Keystore(tmp_path / "data").locked(),
    ):
        pass
    with store.locked():
        pass
