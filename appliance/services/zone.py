"""The time zone: a copy of the zone's file (tzfile(5)) in our run folder.

The image's /etc/localtime is a symbolic link to /run/appliance/localtime, so that its root stays read-only.
Where there is no such link, only what we start goes by it (TZ).
"""

from __future__ import annotations

import struct
import zoneinfo
from pathlib import Path

from appliance.config.atomic import replace_file

FILE_MAX = 64 * 1024  # bytes; the largest zone has 4 KiB
_MAGIC = b"TZif"

# Where a machine has no zones (RFC 9636 3): no change ever, one type of time, its name; so for ever.
_BLOCK = struct.pack(">4sc15x6llbB4s", _MAGIC, b"2", 0, 0, 0, 0, 1, 4, 0, 0, 0, b"UTC\0")
_UTC = _BLOCK + _BLOCK + b"\nUTC0\n"


class NoZone(Exception):
    """The machine knows no such time zone. The text says why."""


def content(name: str) -> bytes:
    """The file of a zone; `NoZone`."""
    for folder in map(Path, zoneinfo.TZPATH):
        try:
            with (folder / name).open("rb") as file:
                data = file.read(FILE_MAX)
        except OSError:
            continue
        if data.startswith(_MAGIC):
            return data
    if name == "UTC":
        return _UTC
    raise NoZone("this machine knows no such time zone")


def write(path: Path, name: str) -> bool:
    """Put the zone's file in place as a whole; False where it stands already. `NoZone`, `OSError`: then the
    old one stays.
    """
    data = content(name)
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    replace_file(path, data, 0o644)
    return True
