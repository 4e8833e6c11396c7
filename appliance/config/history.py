"""The revisions of the configuration on disk: one file for each, in a folder that is theirs alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

from appliance.config import load, revision
from appliance.config.atomic import PREFIX, replace_file
from appliance.config.faults import ConfigurationError
from appliance.config.lines import SIZE_MAX
from appliance.config.revision import DamagedRevision, Revision
from appliance.report.record import stamp

KEPT = 50
"""Revisions that are kept; the oldest go first."""

_FILE = re.compile(r"([0-9]{6,9})\.revision")


class NoRevision(LookupError):
    """A revision that is not there, or not whole: `number`, and `str()` says why."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"revision {number}: {why}")
        self.number = number


class History:
    """The revisions in `folder`, which is made when the first one is added. One process writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> list[Revision]:
        """Every revision that is whole, the newest first."""
        return [found for number in self._numbers() if isinstance(found := self._look(number), Revision)]

    def damaged(self) -> list[NoRevision]:
        """Every one that is there and not whole, the newest first."""
        return [found for number in self._numbers() if isinstance(found := self._look(number), NoRevision)]

    def read(self, number: int) -> bytes:
        """The text of a revision, as it was added; NoRevision where it is not there or not whole."""
        return self._read(number)[1]

    def newest_good(self, but: int | None = None) -> tuple[Revision, bytes] | None:
        """The newest revision that is whole and that this software accepts, with its text; not `but`."""
        for number in self._numbers():
            if number == but:
                continue
            try:
                found, text = self._read(number)
                load.parse(text, f"revision {number}")
            except (NoRevision, ConfigurationError):
                continue
            return found, text
        return None

    def add(self, text: bytes, author: str, comment: str, now: float) -> Revision:
        """Keep a text as the next revision; `now` is the wall clock in seconds. OSError where the disk
        refuses: the history is as it was then. A number is never given twice, also when its revision is
        damaged.
        """
        if len(text) > SIZE_MAX:
            raise ValueError(f"a configuration of more than {SIZE_MAX} bytes")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = self._numbers()
        made = revision.make(max(numbers, default=0) + 1, stamp(now), author, comment, text)
        replace_file(self._path(made.number), revision.encode(made, text))
        self._clear(numbers[KEPT - 1 :])
        return made

    def _numbers(self) -> list[int]:
        """The number of each file, the newest first."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted((int(match[1]) for name in names if (match := _FILE.fullmatch(name))), reverse=True)

    def _look(self, number: int) -> Revision | NoRevision:
        try:
            return self._read(number)[0]
        except NoRevision as error:
            return error

    def _read(self, number: int) -> tuple[Revision, bytes]:
        try:
            with open(self._path(number), "rb") as file:
                data = file.read(revision.FILE_MAX + 1)
            if len(data) > revision.FILE_MAX:
                raise NoRevision(number, f"more than {revision.FILE_MAX} bytes")
            return revision.decode(data, number)
        except FileNotFoundError:
            raise NoRevision(number, "there is none of this number") from None
        except OSError as error:
            raise NoRevision(number, error.strerror or "cannot be read") from error
        except DamagedRevision as error:
            raise NoRevision(number, str(error)) from None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.revision"

    def _clear(self, old: list[int]) -> None:
        """Remove old revisions, and what additions left that a loss of power broke off."""
        unfinished = [path for path in self.folder.iterdir() if path.name.startswith(PREFIX)]
        for path in [*map(self._path, old), *unfinished]:
            try:
                path.unlink()
            except OSError:
                pass  # the next addition tries again
