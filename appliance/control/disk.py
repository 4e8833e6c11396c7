"""The files of control, by one native thread: the disk has its time, and the loop goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from appliance.config.atomic import replace_file
from appliance.config.belongings import place
from appliance.config.history import History
from appliance.control import marker
from appliance.control.audit import Audit, Entry
from appliance.control.places import Places
from appliance.control.threads import Threads
from appliance.report.control import Change

MODE = 0o644
"""of configurations: the proxy reads them as a user of its own"""

READ_MAX = 1024 * 1024  # bytes; no configuration has as many

Value = TypeVar("Value")


class Disk:
    """Each call is back when what it wrote outlives a loss of power; `OSError`."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.history = History(places.history)
        self._audit = Audit(places.audit)
        self._thread = Threads()

    def wait(self, function: Callable[..., Value], *arguments: object) -> Value:
        """The value of a function that takes its time, called on the thread."""
        return self._thread.wait(function, *arguments)

    def keep(self, text: bytes, author: str, comment: str) -> int:
        """Add a configuration to the history; its number."""
        return self.wait(self.history.add, text, author, comment, time.time()).number

    def put_in_force(self, text: bytes) -> None:
        """Write the file that the proxy reads."""
        self.wait(replace_file, self.places.in_force, text, MODE)

    def confirm(self, text: bytes) -> None:
        """Write the confirmed file."""
        self.wait(replace_file, self.places.confirmed, text, MODE)

    def content(self) -> bytes:
        """The confirmed file as it is now."""
        return self.wait(content, self.places.confirmed)

    def place(self, files: Mapping[str, bytes]) -> None:
        """Put files of a bundle into the data folder."""
        self.wait(place, self.places.history.parent, files)

    def mark(self, change: Change) -> None:
        """Write the marker."""
        self.wait(marker.write, self.places.marker, change)

    def audit(self, entry: Entry) -> None:
        """Add to the audit log."""
        self.wait(self._audit.write, entry)


def content(path: Path) -> bytes:
    """What stands in the file of a configuration; `OSError`."""
    with path.open("rb") as file:
        return file.read(READ_MAX)
