"""What differs between two texts of a configuration, line by line and by settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from appliance.config.faults import SEPARATOR
from appliance.config.lines import scan
from appliance.config.schema import tree
from appliance.report.text import printable

_Places = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that differs. `section` and `key` are as in `faults.Fault`; None is a setting that is not
    there. With an empty key it is the sections in this one, in their order.
    """

    section: str
    key: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        place = f"[{printable(self.section)}] " if self.section else ""
        return f"{place}{printable(self.key)}: {_shown(self.before)} -> {_shown(self.after)}"


@dataclass(frozen=True, slots=True)
class Difference:
    """`lines` are those of a unified diff, printable and without their ends; empty where nothing differs.
    (Two texts that differ in comments alone differ in lines and in no setting.)
    """

    lines: tuple[str, ...]
    settings: tuple[Setting, ...]


def difference(old: bytes, new: bytes, old_name: str, new_name: str) -> Difference:
    """From `old` to `new`, by the names that stand at the top of the diff. The texts may have faults: what
    cannot be read as a setting is in the lines alone. ConfigurationError for what is no text at all. Texts of
    the largest size can take seconds: not for a loop that others wait for.
    """
    before, after = _settings(old, old_name), _settings(new, new_name)
    return Difference(
        lines=tuple(
            unified_diff(_lines(old), _lines(new), printable(old_name), printable(new_name), lineterm="")
        ),
        settings=tuple(
            Setting(*place, before.get(place), after.get(place))
            for place in dict.fromkeys([*before, *after])
            if before.get(place) != after.get(place)
        ),
    )


def _lines(text: bytes) -> list[str]:
    lines = text.decode("utf-8-sig").split("\n")
    whole = [line.removesuffix("\r").expandtabs() for line in (lines if lines[-1] else lines[:-1])]
    return [line if line.isprintable() else printable(line, None) for line in whole]


def _settings(text: bytes, name: str) -> _Places:
    found, _ = tree(scan(text, name).text)
    return dict(_walk(found, ()))


def _walk(section: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, str], str]]:
    here = SEPARATOR.join(path)
    inner = [name for name, value in section.items() if isinstance(value, dict)]
    if path and inner:
        yield (here, ""), ", ".join(inner)  # the order of clusters is the order of asking
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _walk(value, (*path, name))
        else:
            yield (here, name), value if isinstance(value, str) else ", ".join(value)


def _shown(value: str | None) -> str:
    return "not set" if value is None else f'"{printable(value)}"'
