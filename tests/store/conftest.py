from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.store.folder import Folder
from tests.store.looking import descriptors

SECRET = b"outside the root"


@pytest.fixture(autouse=True)
def _no_descriptor_leaks() -> Iterator[None]:
    gc.collect()  # what other tests have left
    before = descriptors()
    yield
    assert descriptors() <= before  # other tests may still be letting go of theirs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Every file holds its own name, so that a test sees which one it got."""
    root = tmp_path / "root"
    for name in (
        "SEP001122334455.cnf.xml",
        "RingList.xml",
        "both.xml",
        "Both.xml",
        "BOTH.XML",
        "a b.xml",
        "Grüße.xml",
        "Desktops/320x212x12/List.xml",
        "New_Zealand/g3-tones.xml",
        "new_zealand/G4-tones.xml",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2/secret").write_bytes(SECRET)
    (tmp_path / "passwd").write_bytes(SECRET)
    return root


@pytest.fixture
def folder(root: Path) -> Iterator[Folder]:
    folder = Folder(root)
    yield folder
    folder.close()
