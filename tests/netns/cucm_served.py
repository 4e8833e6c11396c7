"""What a call manager of the lab serves, and what it does wrong; shared by its two protocols."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Any

LIE = 100  # bytes by which a length is wrong
TRICKLE = 1.0  # s between two pieces that trickle
SLOW, SLOW_PIECES = 0.5, 12  # s between two pieces of a slow file, and their number


class Fault(StrEnum):
    """What one file can suffer. Over TFTP a piece is a block, and a length is that of tsize."""

    BREAK_OFF = "breaks off in the middle"
    RESET = "breaks off by a reset"
    ANNOUNCES_MORE = "announces more than there is"
    ANNOUNCES_LESS = "announces less than there is"
    NO_LENGTH = "has no length"
    CHUNKED = "comes in chunks"
    CHUNKED_CUT = "comes in chunks and breaks off"
    TRICKLE = "trickles"
    SLOW = "is slow"
    ENDLESS = "does not end"
    ENDLESS_LENGTH = "has a length and does not end"
    SILENT = "does not come"
    REFUSED = "is refused by a status or an error of its own"


class Files:
    """What is served, and how; shared by both protocols."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: dict[str, Fault] = {}
        self.busy = 0.0  # s for which a file is searched, and 503 is said (phones.md 1.3, step 5)
        self.asked: list[dict[str, object]] = []
        self._since: dict[str, float] = {}

    def note(self, over: str, name: str, via: str = "", connection: int = 0) -> None:
        """Remember a request."""
        asked = {"over": over, "name": name, "via": via, "connection": connection, "at": time.monotonic()}
        self.asked.append(asked)

    def read(self, name: str) -> bytes | None:
        """The file as it is now."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def searching(self, name: str) -> bool:
        """Whether a file is still being looked for; begins to look for it."""
        if not self.busy:
            return False
        since = self._since.setdefault(name, time.monotonic())
        return time.monotonic() - since < self.busy

    def tell(self, question: dict[str, Any]) -> object:
        """The answer to a line of the Unix socket."""
        match question:
            case {"asked": start}:
                return self.asked[start:]
            case {"fault": name, "kind": None}:
                self.faults.pop(name, None)
            case {"fault": name, "kind": kind}:
                self.faults[name] = Fault(kind)
            case {"busy": seconds}:
                self.busy = seconds
                self._since.clear()
        return len(self.asked)


def announced(fault: Fault | None, size: int) -> int | None:
    """The length that is told of a file of `size` bytes; None where none is."""
    if fault in (Fault.NO_LENGTH, Fault.CHUNKED, Fault.CHUNKED_CUT, Fault.ENDLESS):
        return None
    return size + {Fault.ANNOUNCES_MORE: LIE, Fault.ANNOUNCES_LESS: -LIE}.get(fault or Fault.SLOW, 0)
