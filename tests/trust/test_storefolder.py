from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from appliance.trust import storefolder
from appliance.trust.storefolder import StoreFolder, StoresUnusable
from appliance.trust.stores import Store, sha256
from tests.trust.vectors import CLUSTER, CURVE, SMALL

SAST, TVS = Store.PHONE_SAST, Store.TVS


@pytest.fixture
def stores(tmp_path: Path) -> StoreFolder:
    return StoreFolder(tmp_path)


def test_added_and_removed(stores: StoreFolder) -> None:
    assert stores.read() == {store: [] for store in Store}
    stores.add(SAST, SMALL)
    stores.add(SAST, CLUSTER)
    stores.add(SAST, CLUSTER)
    stores.add(TVS, CURVE)
    assert stores.read() == {**{store: [] for store in Store}, SAST: [CLUSTER, SMALL], TVS: [CURVE]}
    stores.remove(SAST, CLUSTER)
    stores.remove(SAST, CLUSTER)
    assert stores.read()[SAST] == [SMALL]
    assert stores.read()[TVS] == [CURVE]


def test_others_may_read(stores: StoreFolder, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        stores.add(SAST, CLUSTER)
    finally:
        os.umask(before)
    for path in (tmp_path / "trust").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)


def test_full(stores: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storefolder, "STORE_MAX", 2)
    stores.add(SAST, CLUSTER)
    stores.add(SAST, SMALL)
    with pytest.raises(StoresUnusable, match=r"^Phone-SAST-trust: holds 2 certificates, which is the most$"):
        stores.add(SAST, CURVE)
    stores.add(TVS, CURVE)


def test_damaged(stores: StoreFolder, tmp_path: Path) -> None:
    stores.add(SAST, CLUSTER)
    path = tmp_path / "trust/stores/Phone-SAST-trust" / f"{sha256(CLUSTER)}.pem"
    path.write_bytes(b"x")
    with pytest.raises(StoresUnusable) as raised:
        stores.read()
    assert str(raised.value) == f"{path}: no certificate that can be read"


def test_a_folder_that_is_none(stores: StoreFolder, tmp_path: Path) -> None:
    (tmp_path / "trust").touch()
    with pytest.raises(StoresUnusable):
        stores.add(SAST, CLUSTER)
    with pytest.raises(StoresUnusable):
        stores.remove(SAST, CLUSTER)
