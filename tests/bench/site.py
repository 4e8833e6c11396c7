"""What is served: files of set sizes, and phones with their own; and the plans of those who ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.netns import files

CNF = 12952  # bytes of a configuration, as a CUCM was seen to send
COMMON = {"AppDialRules.xml": 1187, "SK72f64050-7ad5-4b47-9bfa-5e9ad9cd4aa9.xml": 4963}
SIZES = {"8k.bin": 8 << 10, "4m.bin": 4 << 20, "32m.bin": 32 << 20}
ABSENT = 1000  # names that are asked for and not there
BOOT_FILES = 6


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone, by its device name. `place` is the name of the store or cluster that has its files."""

    device: str
    place: str

    @property
    def cnf(self) -> str:
        """The name of its configuration."""
        return f"{self.device}.cnf.xml"


class Site:
    """A folder of folders: one for each store or cluster. `root(place)` is what that one serves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plans = 0

    def root(self, place: str) -> Path:
        """The folder of one store or cluster, made where it is not there."""
        root = self.folder / place
        root.mkdir(exist_ok=True)
        root.chmod(0o755)
        return root

    def write_sizes(self, place: str) -> None:
        """The files of set sizes."""
        for name, size in SIZES.items():
            files.write(self.root(place), name, size)

    def write_phones(self, phones: Iterable[Phone]) -> None:
        """The configuration of each phone, and the common files in every place."""
        places: set[str] = set()
        for phone in phones:
            files.write(self.root(phone.place), phone.cnf, CNF)
            places.add(phone.place)
        for place in places:
            self.write_common(place)

    def write_common(self, place: str) -> None:
        """The files that all phones want; the same everywhere."""
        for name, size in COMMON.items():
            files.write(self.root(place), name, size)

    def fetch(self, place: str, name: str, transport: str) -> Path:
        """The plan of clients that fetch one file again and again."""
        return self._plan([f"file {self.root(place) / name}", f"phone {transport} {name}=0"])

    def absent(self) -> Path:
        """The plan of clients that ask for what is not there: each time another phone's list."""
        return self._plan([f"phone tftp CTL{device(number)}.tlv=-" for number in range(ABSENT)])

    def boots(self, phones: Sequence[Phone], transports: Sequence[str] = ("tftp",)) -> Path:
        """The plan of phones that boot: trust lists that are not there, configuration, two common files.

        They take the transports in turn.
        """
        lines = [f"file {self.root(phones[0].place) / name}" for name in COMMON]
        lines += [f"file {self.root(phone.place) / phone.cnf}" for phone in phones]
        first, second = COMMON
        for number, phone in enumerate(phones):
            wanted = [f"CTL{phone.device}.tlv=-", f"ITL{phone.device}.tlv=-", "ITLFile.tlv=-"]
            wanted += [f"{phone.cnf}={number + len(COMMON)}", f"{first}=0", f"{second}=1"]
            lines.append(f"phone {transports[number % len(transports)]} {' '.join(wanted)}")
        return self._plan(lines)

    def _plan(self, lines: list[str]) -> Path:
        self._plans += 1
        path = self.folder / f"{self._plans}.plan"
        path.write_text("\n".join([*lines, ""]))
        return path


def phones(count: int, places: Sequence[str], first: int = 0) -> list[Phone]:
    """So many phones, their places in turn; `first` is the number of the first, by which they differ."""
    return [Phone(device(number), places[number % len(places)]) for number in range(first, first + count)]


def device(number: int) -> str:
    """The device name of a phone."""
    return f"SEP0019E8{number:06X}"
