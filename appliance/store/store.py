"""All that this box serves of its own: the administrator's files, then what was made of them.

Calls block, and may come from several threads at once; see `folder`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from appliance.store.folder import File, Folder

MADE = ("rendered", "signed")
"""Folders below that of what is made, in the order in which they are searched. They may be absent."""


class Store:
    """The files beneath `root`, and where it has none, those in the folders of `made`."""

    def __init__(self, root: Path, made: Path, clock: Callable[[], float] = time.time) -> None:
        self._folders = (
            Folder(root, clock),
            *(Folder(made / name, clock, optional=True) for name in MADE),
        )
        self._known: tuple[list[Mapping[str, str]], Mapping[str, str]] = [], {}  # parts, and all of these

    def open(self, name: str) -> File | None:
        """As `Folder.open`; of two folders the first that has the file, whatever its spelling there."""
        for folder in self._folders:
            file = folder.open(name)
            if file is not None:
                return file
        return None

    def names(self) -> Mapping[str, str] | None:
        """As `Folder.names`, of all folders together."""
        parts = []
        for folder in self._folders:
            names = folder.names()
            if names is None:
                return None
            parts.append(names)
        known, merged = self._known
        if not known or any(map(_differ, known, parts)):
            merged = _merged(parts)
            self._known = parts, merged
        return merged

    def check(self) -> None:
        """`StoreUnavailable` when one of the folders is there, or must be, and cannot be read."""
        for folder in self._folders:
            folder.check()

    def close(self) -> None:
        """As `Folder.close`."""
        for folder in self._folders:
            folder.close()


def _differ(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    # A listing never changes: it is another one when the folder has.
    return one is not other and bool(one or other)


def _merged(parts: list[Mapping[str, str]]) -> Mapping[str, str]:
    """The names of all parts; the first part's spelling where several have one."""
    if not any(parts[1:]):
        return parts[0]
    merged: dict[str, str] = {}
    for part in reversed(parts):
        merged.update(part)
    return merged
