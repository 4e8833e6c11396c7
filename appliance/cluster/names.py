"""The name in a request: made safe once, and classified once, by a table (phones.md 2.3, 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from appliance.cluster.probe import is_probe

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
    file is for, where the name carries one: one device, by whichever of its names it asks.

    `configurations` are the names of the device's configuration, the likeliest first, spelled as a
    cluster is to be asked: who has one of them is the device's home. Empty where no device is named.

    `opens_boot` marks what a phone asks for first when it starts, its CTL; `inventory` a cluster's
    list of all its configurations, which would tell a stranger every device (phones.md 1.6); `probe` a
    name that a box has made up (see `probe`).

    `envelope` is the name of the signed file inside of which a cluster may have this one; None where there
    is none, see there. `own_list` is the trust list of this box that a device of the local store is given
    for the one it asks for; empty for any other file.

    `paths` are what is looked up here: `path`, and those of `configurations` that differ from it; at the
    end `own_list`.
    """

    asked: str
    path: str
    kind: Kind
    device: str | None = None
    configurations: tuple[str, ...] = ()
    opens_boot: bool = False
    inventory: bool = False
    probe: bool = False
    envelope: str | None = None
    own_list: str = ""
    paths: tuple[str, ...] = ()

    @property
    def is_configuration(self) -> bool:
        """Whether this very file shows where its device is at home. An encrypted one does not: a home
        that encrypts nothing has none (phones.md 2.5).
        """
        return self.asked in self.configurations

    @property
    def signed(self) -> bool:
        """Whether the file is asked for in a signed envelope."""
        return self.path[-4:].lower() == ".sgn"

    @property
    def encrypted(self) -> bool:
        """Whether the file is asked for encrypted, for its device alone."""
        return self.path[-8:].lower() == ".enc.sgn"


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
    parts = _parts(asked)
    if ".." in parts:
        raise BadName(Fault.ESCAPES)
    if not parts:
        raise BadName(Fault.EMPTY)
    path = "/".join(parts)
    bare = _SUFFIX.sub("", parts[-1])
    kind, device = classify(path)
    signed = envelope(asked)
    if device is None:
        inventory, probe = bare.lower() == _INVENTORY, is_probe(path)
        return Name(asked, path, kind, inventory=inventory, probe=probe, envelope=signed, paths=(path,))
    opens_boot = bare[:3].upper() == "CTL" and _is_trust_list(bare)
    forms = _configurations(asked, parts[-1], device)
    own_list = f"{bare[:3].upper()}File.tlv" if _is_trust_list(path) else ""
    paths = tuple(dict.fromkeys((path, *("/".join(_parts(form)) for form in forms))))
    if own_list:
        paths += (own_list,)
    return Name(asked, path, kind, device, forms, opens_boot, envelope=signed, own_list=own_list, paths=paths)


def envelope(name: str) -> str | None:
    """`X.sgn`, inside of which the file `X` may be; None where nothing can be taken out.

    A trust list is signed as a whole, and what is encrypted is of no use without its header.
    """
    bare = len(f"{name}.sgn".encode()) > NAME_MAX or name.lower().endswith((".sgn", ".tlv", ".enc"))
    return None if bare else f"{name}.sgn"


def _parts(asked: str) -> list[str]:
    return [part for part in asked.replace("\\", "/").split("/") if part not in ("", ".")]


_MAC = "[0-9A-F]{12}"
_SUFFIX = re.compile(r"(\.enc)?\.sgn$", re.IGNORECASE)
_INVENTORY = "configfilecachelist.txt"

# The first row that matches the whole last part of the path, signature suffixes taken off, decides.
# A group named `device` is the device's name. Letters match in either case: clusters lower-case
# names before they look, and phones differ in what they write.
_TABLE: tuple[tuple[str, Kind], ...] = (
    (rf"(?:CTL|ITL)(?P<device>(?:SEP|ATA){_MAC})\.tlv", Kind.DEVICE),
    (r"(?:CTL|ITL)File\.tlv", Kind.TRUST_LIST),
    (r"(?:XML|SP|SEP|SED|SIP|SAA|SDA|MTP|CFB)Default\.cnf(?:\.xml)?", Kind.DEFAULT),
    (r"(?:ata|ld|gk)default(?:\.cfg)?", Kind.DEFAULT),
    (r"(?P<device>[^/]+)\.cnf(?:\.xml)?", Kind.DEVICE),
    (rf"(?P<device>(?:ata|ld|gk){_MAC})(?:\.cfg)?", Kind.DEVICE),
    (r".+\.loads", Kind.COMMON),
    (r".+\.(?:sbn|sb2|zz|sbin|zup)", Kind.IMAGE),  # no other file of a phone ends so
    (r".*(?:\d[-.]\d|\d{5}).*\.(?:bin|rom|img)", Kind.IMAGE),  # old loads run their version together
)
# ASCII: in Unicode the long s, U+017F, is an S as well, and would name another's device.
_ROWS = tuple((re.compile(pattern, re.IGNORECASE | re.ASCII), kind) for pattern, kind in _TABLE)

_PHONE = re.compile(rf"(?:SEP|SIP|LD|GK)({_MAC})")


def classify(path: str) -> tuple[Kind, str | None]:
    """The kind of a file and the device that it is for, by its name alone."""
    last = _SUFFIX.sub("", path.rpartition("/")[2])
    for pattern, kind in _ROWS:
        if match := pattern.fullmatch(last):
            device = match.groupdict().get("device")
            return kind, None if device is None else _canonical(device)
    return Kind.COMMON, None


def _canonical(stem: str) -> str:
    """One name for one device: a phone is SEP and its MAC, whatever its load puts in front."""
    device = stem.encode().upper().decode()  # ASCII letters alone: see _ROWS
    phone = _PHONE.fullmatch(device)
    return f"SEP{phone[1]}" if phone else device


def _is_trust_list(bare: str) -> bool:
    return bare[-4:].lower() == ".tlv"


def _configurations(asked: str, last: str, device: str) -> tuple[str, ...]:
    """See `Name`. `last` is the last part of the path as asked."""
    folder = asked[: asked.rindex(last)]
    bare = _SUFFIX.sub("", last)
    plain = folder + bare
    ending = last[len(bare) :].lower()
    canonical = f"{folder}{device}.cnf.xml"
    if _is_trust_list(bare):
        found = [canonical, f"{canonical}.sgn"]
        if _PHONE.fullmatch(device):
            found.append(f"{folder}SIP{device[3:]}.cnf")  # all that a 7940 or 7960 with SIP may have
    elif ending == ".enc.sgn":
        found = [plain, f"{plain}.sgn"]
    else:
        found = [asked, plain if ending == ".sgn" else f"{plain}.sgn"]
        if _PHONE.fullmatch(device) and bare.lower() != f"{device}.cnf.xml".lower():
            # A home has the configuration in the form that it knows the phone to want, or in this one.
            found += [canonical, f"{canonical}.sgn"]
    return tuple(name for name in found if len(name.encode()) <= NAME_MAX)
