from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from appliance.store.folder import Folder, StoreUnavailable
from tests.store.looking import got


class Clock:
    """A time that stands still until it is set."""

    def __init__(self, seconds: float) -> None:
        self.now = seconds

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("age", "listed"), [(0.0, 4), (1.9, 4), (2.1, 1), (3600.0, 1)])
def test_listed_once_when_settled(
    root: Path, age: float, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(root, clock=lambda: root.stat().st_mtime + age)
    calls = []
    real_listdir = os.listdir

    def counted(descriptor: int) -> list[str]:
        calls.append(descriptor)
        return real_listdir(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", counted)
        for name in ("ringlist.xml", "missing", "RINGLIST.xml", "missing.sgn"):
            found = got(folder, name)
            assert (found is not None) is ("ring" in name.lower())
        assert got(folder, "RingList.xml")  # exact: no listing
    assert len(calls) == listed
    folder.close()


def test_a_file_that_appears_is_found_at_once_in_any_spelling(root: Path) -> None:
    folder = Folder(root, clock=lambda: root.stat().st_mtime + 10)
    assert got(folder, "new.XML") is None
    times = root.stat()
    (root / "New.xml").write_bytes(b"")
    os.utime(root, ns=(times.st_atime_ns, times.st_mtime_ns))  # as rsync does
    assert got(folder, "new.XML") == ("New.xml", b"")
    (root / "New.xml").rename(root / "NEW.xml")
    assert got(folder, "new.XML") == ("NEW.xml", b"")
    (root / "NEW.xml").unlink()
    assert got(folder, "new.XML") is None
    folder.close()


def test_racy_listing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that appears within the tick in which the folder was listed, so that no time tells."""
    frozen = os.stat(root)
    real_fstat = os.fstat

    def same_tick(descriptor: int) -> os.stat_result:
        status = real_fstat(descriptor)
        return frozen if os.path.samestat(status, frozen) else status

    clock = Clock(frozen.st_mtime)
    folder = Folder(root, clock)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", same_tick)
        assert got(folder, "new") is None
        (root / "NEW").write_bytes(b"")
        assert got(folder, "new") == ("NEW", b"")
        # The counterpart: once settled, the unchanged times are believed.
        clock.now += 10
        assert got(folder, "newer") is None
        (root / "NEWER").write_bytes(b"")
        assert got(folder, "newer") is None
    assert got(folder, "newer") == ("NEWER", b"")
    folder.close()


def test_threads(root: Path) -> None:
    """Eight threads look for names in all spellings while files come and go and the root changes."""
    rounds, failures = 150, list[BaseException]()
    folder = Folder(root)
    spare = root.parent / "spare"
    spare.mkdir()
    (spare / "RingList.xml").write_text("RingList.xml")
    busy = threading.Event()

    def look(number: int) -> None:
        try:
            for _ in range(rounds):
                for name in (
                    "RingList.xml",
                    "RINGLIST.XML",
                    f"missing{number}",
                    "desktops/320x212x12/list.xml",
                ):
                    try:
                        found = got(folder, name)
                    except StoreUnavailable:
                        continue  # between the two renames of the root there is none
                    assert found is None or found[0].lower() == name.lower()
                    assert found is None or found[1] == found[0].encode()
                    assert found is not None or "ring" not in name.lower()
        except BaseException as failure:
            failures.append(failure)
            raise

    def stir() -> None:
        while not busy.is_set():
            (root.parent / "root" / "extra").touch()
            root.rename(root.parent / "aside")
            spare.rename(root)
            root.rename(spare)
            (root.parent / "aside").rename(root)
            (root / "extra").unlink()

    stirring = threading.Thread(target=stir)
    looking = [threading.Thread(target=look, args=[number]) for number in range(8)]
    for thread in [stirring, *looking]:
        thread.start()
    for thread in looking:
        thread.join(60)
    busy.set()
    stirring.join(10)
    folder.close()
    assert not failures
