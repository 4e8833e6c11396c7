"""The door to what this box has signed: `made/signed` below its folder of data.

    made/signed/X.sgn       each file X of the local store, signed beforehand
    made/signed/ITLFile.tlv, CTLFile.tlv
    made/signed.json        what was signed of what (see `index`)

All calls block. No link is followed in the store: whoever may write there could have any file signed and
handed out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config.atomic import replace_file
from appliance.trust import envelope, trustlist
from appliance.trust import index as indexes
from appliance.trust import lists as own_lists
from appliance.trust.index import SUFFIX, Index
from appliance.trust.lists import CTL, ITL, Wanted
from appliance.trust.signing import Signing
from appliance.trust.tlv import Malformed
from appliance.trust.trustlist import TrustList

_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Unsigned(Exception):
    """The store cannot be read, or what was signed cannot be written. The text says which and why."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that was not signed, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Names in the store, sorted: what was signed, is as it was, is gone, and could not be signed."""

    signed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


class Made:
    """What is signed below `data`, the folder of everything that outlives a restart."""

    def __init__(self, data: Path) -> None:
        self._signed = data / "made" / "signed"
        self._index = data / "made" / "signed.json"

    def list(self, name: str) -> TrustList | None:
        """A list that was made before; None where there is none that can be read."""
        try:
            return trustlist.decode((self._signed / name).read_bytes())
        except (OSError, Malformed):
            return None

    @property
    def has_ctl(self) -> bool:
        """Whether a CTL was ever made."""
        return (self._signed / CTL).exists()

    def write_lists(self, wanted: Wanted, timestamp: int, signing: Signing) -> dict[str, TrustList]:
        """Make the lists that say something new, which are returned; `TooLong`, `Unsigned`.

        None is written where one of them is too long. `timestamp` is in seconds since 1970.
        """
        made = own_lists.build(wanted, timestamp, signing)
        new = {}
        for name, each in made.items():
            old = self.list(name)
            if old is None or not own_lists.is_same(old, each):
                try:
                    _write(self._signed / name, trustlist.encode(each))
                except OSError as error:
                    raise Unsigned(f"{self._signed / name}: {error.strerror}") from None
                new[name] = each
        return new

    def sign(self, roots: Sequence[Path], timestamp: int, signing: Signing) -> Outcome:
        """Sign what has changed in the store, and remove what is gone from it; `Unsigned`.

        Of files that lie in several roots the first one counts. `timestamp` is in seconds since 1970.
        """
        try:
            found = _found(roots)
            names = indexes.wanted(found.keys())
            # First of all, so that a file can lie where a folder was.
            removed = _remove(self._signed, {name + SUFFIX for name in names} | {CTL, ITL})
            work = _Work(self._signed, self._index, timestamp, signing)
            for name in sorted(names):
                work.take(name, *found[name])
            work.end()
        except OSError as error:
            raise Unsigned(f"{error.filename or self._signed}: {error.strerror}") from None
        return Outcome(
            signed=tuple(work.signed),
            unchanged=tuple(work.unchanged),
            removed=tuple(sorted(name.removesuffix(SUFFIX) for name in removed if name.endswith(SUFFIX))),
            left_out=tuple(LeftOut(*each) for each in work.left_out),
        )


class _Work:
    """One pass over the store, a file in memory at a time. OSError where what is made cannot be written."""

    def __init__(self, folder: Path, index: Path, timestamp: int, signing: Signing) -> None:
        self._folder, self._path = folder, index
        self._timestamp, self._signing = timestamp, signing
        self._there = _there(folder)
        self._old = _read_index(index)
        self._signer = indexes.signer(signing)
        self._digests: dict[str, str] = {}
        self.signed: list[str] = []
        self.unchanged: list[str] = []
        self.left_out: list[tuple[str, str]] = []

    def take(self, name: str, root: Path, path: str) -> None:
        """Sign a file of the store, if there is need."""
        try:
            content = _content(name, root, path)
        except OSError as error:
            self.left_out.append((name, error.strerror or "cannot be read"))
            return
        except _Misfit as why:
            self.left_out.append((name, str(why)))
            if name + SUFFIX in self._there:
                (self._folder / (name + SUFFIX)).unlink()  # it is of what the file was before
            return
        digest = hashlib.sha256(content).hexdigest()
        self._digests[name] = digest
        if name + SUFFIX in self._there and self._old.has(self._signer, name, digest):
            self.unchanged.append(name)
            return
        if not self.signed:
            # Should this be broken off, all is signed anew: no file is taken for what it is not.
            self._path.unlink(missing_ok=True)
        made = envelope.build(content, name + SUFFIX, self._timestamp, self._signing)
        _write(self._folder / (name + SUFFIX), envelope.encode(made))
        self.signed.append(name)

    def end(self) -> None:
        """Remember what was done."""
        new = Index(self._signer, self._digests)
        if self.signed or new != self._old:
            _write(self._path, indexes.encode(new))


class _Misfit(Exception):
    """A file of which no signed one can be made. The text says why."""


def _content(name: str, root: Path, path: str) -> bytes:
    """A file of the store; OSError, `_Misfit`."""
    descriptor = _open(root, path)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise _Misfit("no regular file")
        if why := indexes.misfit(name, before.st_size):
            raise _Misfit(why)
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(indexes.FILE_MAX + 1)
        after = os.fstat(descriptor)
        if len(content) != before.st_size or after.st_mtime_ns != before.st_mtime_ns:
            raise OSError(errno.EAGAIN, "changed while it was read; sign again")
        return content
    finally:
        os.close(descriptor)


def _read_index(path: Path) -> Index:
    try:
        return indexes.decode(path.read_bytes())
    except FileNotFoundError:
        return Index()


def _write(path: Path, content: bytes) -> None:
    missing = [each for each in (path.parent, *path.parent.parents) if not each.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(0o755)  # whatever the umask: the proxy reads here
    replace_file(path, content, 0o644)


def _found(roots: Sequence[Path]) -> dict[str, tuple[Path, str]]:
    """The names of all files, and where each lies: a root, and the path below it."""
    found: dict[str, tuple[Path, str]] = {}
    for root in roots:
        for name in _names(root):
            found.setdefault(name, (root, name))
    return found


def _names(root: Path) -> Iterator[str]:
    """Yield the paths of all regular files below a folder, relative to it; OSError."""
    for folder, _, files, descriptor in os.fwalk(root, onerror=_raise, follow_symlinks=False):
        below = os.path.relpath(folder, root)
        for name in files:
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone meanwhile
            if stat.S_ISREG(status.st_mode):
                yield name if below == "." else f"{below}/{name}"


def _open(root: Path, path: str) -> int:
    """Open a file below a root, no link followed on its way; OSError."""
    *folders, last = path.split("/")
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = os.open(
                part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor
            )
            descriptor, outer = inner, descriptor
            os.close(outer)
        return os.open(last, _FILE, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _there(folder: Path) -> set[str]:
    try:
        return set(_names(folder))
    except FileNotFoundError:
        return set()


def _remove(folder: Path, kept: set[str]) -> list[str]:
    """Remove all files but those kept, and the folders that are then empty; what was removed."""
    removed: list[str] = []
    if not folder.exists():
        return removed
    for path, folders, files, descriptor in os.fwalk(
        folder, topdown=False, onerror=_raise, follow_symlinks=False
    ):
        below = os.path.relpath(path, folder)
        for file in files:
            name = file if below == "." else f"{below}/{file}"
            if name not in kept:
                os.unlink(file, dir_fd=descriptor)
                removed.append(name)
        for inner in folders:
            try:
                os.rmdir(inner, dir_fd=descriptor)
            except OSError:
                pass  # something is in it
    return removed


def _raise(error: OSError) -> None:
    raise error
