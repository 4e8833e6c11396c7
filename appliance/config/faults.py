"""What is wrong with a configuration: where, what was found, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from appliance.report.text import printable

SEPARATOR = " / "
"""Stands between the names of nested sections in `Fault.section`. No section's name holds a slash."""

FAULTS_MAX = 1000
"""Faults that one error lists. More than that is not a configuration, but some other file."""

_SHOWN_MAX = 80  # characters of a found value on a terminal


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to correct. `str()` of it is one line for a terminal.

    `section` is "" for the top of the file, "tftp", "clusters / east"; `key` is "" where a whole
    section is meant. `found` is the file's own text and can hold anything; "" is nothing at all.
    `allowed` says in words what may stand there. `line` counts from 1, where it is known.
    """

    section: str
    key: str
    found: str
    allowed: str
    line: int | None = None

    def __str__(self) -> str:
        place = [f"line {self.line}:"] if self.line else []
        if self.section:
            place.append(f"[{printable(self.section)}]" + ("" if self.key else ":"))
        if self.key:
            place.append(f"{printable(self.key)}:")
        found = f'"{printable(self.found, _SHOWN_MAX)}"' if self.found else "nothing"
        return " ".join([*place, f"found {found}; allowed: {printable(self.allowed, None)}"])


class ConfigurationError(Exception):
    """A configuration that is refused, for all of its faults at once, in the order of the file.

    `base` names the file or the source of the text. `str()` is one line for each fault.
    """

    def __init__(self, base: str, faults: Iterable[Fault]) -> None:
        ordered = sorted(faults, key=lambda fault: fault.line or 0)
        rest = len(ordered) - FAULTS_MAX
        if rest > 0:
            ordered[FAULTS_MAX:] = [Fault("", "", f"{rest} more faults", "a configuration of this appliance")]
        self.base = base
        self.faults = tuple(ordered)
        super().__init__(base, self.faults)

    def __str__(self) -> str:
        return "\n".join(f"{printable(self.base, None)}: {fault}" for fault in self.faults)


class Refused(ValueError):
    """A value that its check refuses, for `reasons`: pairs of what was found and what is allowed.

    `accepted` are the items of a list that are good: the rules between settings go on with them.
    """

    def __init__(self, *reasons: tuple[str, str], accepted: tuple[Any, ...] | None = None) -> None:
        super().__init__(*reasons)
        self.reasons = reasons
        self.accepted = accepted
