"""The name in a request: made safe once, and classified once, by a table (phones.md 2.3, 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

NAME_MAX = 255  # bytes of a name as asked


class Kind(Enum):
    """What a file is for; the value is what records and `explain` say."""

    DEVICE = "device"
    DEFAULT = "default"
    COMMON = "common"
    IMAGE = "image"
    TRUST_LIST = "generic trust list"


class Fault(Enum):
    """Why a name is refused; the value is what the log says, never what the client is told."""

    TOO_LONG = "name longer than 255 bytes"
    NOT_PRINTABLE = "name with bytes that are not printable text"
    ESCAPES = "name that leads out of the store"
    EMPTY = "name of a folder"


class BadName(Exception):
    """The client asked for what can be no file's name."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Name:
    """`asked` is the client's spelling, which clusters are asked with; `path` is what is looked up
    here: `/` between folders, none in front. `device` is the canonical name of the device that the
    file is for, where the name carries one.
    """

    asked: str
    path: str
    kind: Kind
    device: str | None


@lru_cache(maxsize=8192)  # phones ask for few names, and often
def read(raw: bytes) -> Name:
    """The name of a request, percent-decoded already; `BadName` when no file can have it."""
    if len(raw) > NAME_MAX:
        raise BadName(Fault.TOO_LONG)
    try:
        asked = raw.decode()
    except UnicodeDecodeError:
        raise BadName(Fault.NOT_PRINTABLE) from None
    if not asked.isprintable():
        raise BadName(Fault.NOT_PRINTABLE)
    parts = [part for part in asked.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadName(Fault.ESCAPES)
    if not parts:
        raise BadName(Fault.EMPTY)
    path = "/".join(parts)
    kind, device = classify(path)
    return Name(asked, path, kind, device)


_MAC = "[0-9A-F]{12}"
_SUFFIX = re.compile(r"(\.enc)?\.sgn$", re.IGNORECASE)

# The first row that matches the whole last part of the path, signature suffixes taken off, decides.
# A group named `device` is the device's name. Letters match in either case: clusters lower-case
# names before they look, and phones differ in what they write.
_TABLE: tuple[tuple[str, Kind], ...] = (
    (rf"(?:CTL|ITL)(?P<device>SEP{_MAC})\.tlv", Kind.DEVICE),
    (r"(?:CTL|ITL)File\.tlv", Kind.TRUST_LIST),
    (r"(?:XML|SP|SEP|SED|SIP|SAA|SDA|MTP|CFB)Default\.cnf(?:\.xml)?", Kind.DEFAULT),
    (r"(?:ata|ld|gk)default(?:\.cfg)?", Kind.DEFAULT),
    (r"(?P<device>[^/]+)\.cnf(?:\.xml)?", Kind.DEVICE),
    (rf"(?P<device>(?:ata|ld|gk){_MAC})(?:\.cfg)?", Kind.DEVICE),
    (r".+\.loads", Kind.COMMON),
    (r".*\d[-.]\d.*\.(?:sbn|sb2|bin|zz|rom|img)|.+\.(?:sbn|sb2)", Kind.IMAGE),
)
# ASCII: in Unicode the long s, U+017F, is an S as well, and would name another's device.
_ROWS = tuple((re.compile(pattern, re.IGNORECASE | re.ASCII), kind) for pattern, kind in _TABLE)


def classify(path: str) -> tuple[Kind, str | None]:
    """The kind of a file and the device that it is for, by its name alone."""
    last = _SUFFIX.sub("", path.rpartition("/")[2])
    for pattern, kind in _ROWS:
        if match := pattern.fullmatch(last):
            device = match.groupdict().get("device")
            return kind, device.upper() if device and device.isascii() else device
    return Kind.COMMON, None
