"""The files of the data folder that go with a configuration into a bundle, and out of it again."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from appliance.config.atomic import PREFIX, replace_file
from appliance.config.bundle import BUNDLE_MAX, FILES_MAX, OWN, is_path

FOLDERS = ("keys", "trust", "system")
"""Folders below the data folder, with all that is in them. The store of files is the administrator's own."""

_PUBLIC = "trust/"  # what another process than root's reads


def collect(data: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files by their path below `data`, and what is left out because it is no regular file or has a name
    that no bundle takes. OSError where one cannot be read; ValueError for more than a bundle holds.
    """
    files: dict[str, bytes] = {}
    others: list[str] = []
    size = 0
    for path in _paths(data):
        content = _content(data / path) if is_path(path) else None
        if content is None:
            others.append(path)
            continue
        size += len(content)
        if len(files) == FILES_MAX or size > BUNDLE_MAX:
            raise ValueError(f"more than a bundle holds: {BUNDLE_MAX} bytes, {FILES_MAX} files")
        files[path] = content
    return files, tuple(others)


def place(data: Path, files: Mapping[str, bytes]) -> None:
    """Put files where `collect` found them, each of them whole or not at all. OSError leaves those before it
    in their place. ValueError, before any is written, for a path that is none of those folders'.
    """
    for path in files:
        if not is_path(path) or path.partition("/")[0] not in FOLDERS or "/" not in path:
            raise ValueError(f"no file of {', '.join(FOLDERS)}: {path!r}")
    for path, content in files.items():
        public = path.startswith(_PUBLIC)
        target = data / path
        target.parent.mkdir(mode=0o755 if public else 0o700, parents=True, exist_ok=True)
        replace_file(target, content, 0o644 if public else 0o600)


def _paths(data: Path) -> Iterator[str]:
    """What is in the folders, by path, in the order of the alphabet; links are not followed."""
    for top in FOLDERS:
        for folder, folders, names in os.walk(data / top, onerror=_raise):
            folders.sort()
            here = Path(folder)
            linked = [name for name in folders if (here / name).is_symlink()]
            for name in sorted([*names, *linked]):
                path = str((here / name).relative_to(data))
                if path not in OWN and not name.startswith(PREFIX):
                    yield path


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that was never needed
        raise error


def _content(path: Path) -> bytes | None:
    """At most one byte more than a bundle holds; None where it is no regular file."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return None
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return file.read(BUNDLE_MAX + 1)
