"""The audit log: a JSON object a line for every change that somebody made, or that the box made by itself.

Who may only read never adds to it, so that nobody else drives the lines of administrators out.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.report.text import printable

SIZE_MAX = 1024 * 1024
"""bytes of the log; as many are kept of what was written before, beside it"""

TEXT_MAX = 1000  # characters of one text


@dataclass(frozen=True, slots=True)
class Entry:
    """`user` and `pid` are of the process that asked; `user` is empty for what the box did by itself.
    `what` tells the arguments, `result` what came of it.
    """

    time: str
    user: str
    pid: int
    verb: str
    what: str
    result: str


def line(entry: Entry) -> bytes:
    """One line, nothing of anybody's bytes unescaped."""
    shown = {
        key: printable(value, TEXT_MAX) if isinstance(value, str) else value
        for key, value in asdict(entry).items()
    }
    return json.dumps(shown).encode() + b"\n"


class Audit:
    """The log in a file. It is on disk when `write` comes back."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, entry: Entry) -> None:
        """Append one entry; `OSError`."""
        data = line(entry)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o640)
        try:
            if os.fstat(descriptor).st_size + len(data) > SIZE_MAX:
                os.replace(self._path, self._path.with_suffix(".old"))
                os.close(descriptor)
                descriptor = os.open(self._path, flags, 0o640)
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
