"""A configuration for the other box of a redundant pair: the same clusters, and an identity of its own. Pure.

What makes a box this box and no other: its name, the interfaces with their addresses, and where it listens.
All other lines, comments and all, are left as they stand.
"""

from __future__ import annotations

from appliance.config.lines import scan

IDENTITY = (("system", "hostname"), ("tftp", "listen"), ("tftp", "interfaces"))
"""Settings that stay with their box: section and key."""

SECTION = "network"
"""The section that stays with its box as a whole."""


def without_identity(text: bytes, base: str) -> bytes:
    """The text without what makes its box that box.

    ConfigurationError for what is no text at all (see `lines.scan`); `base` names it there.
    """
    lines, places = _lines(text, base)
    gone = {places[path] for path in IDENTITY if path in places} | set(_network(places))
    return _joined([line for number, line in enumerate(lines, 1) if number not in gone])


def with_identity(text: bytes, own: bytes, base: str) -> bytes:
    """The text with the identity of the box that takes it: that of `own`, its present configuration."""
    text = without_identity(text, base)
    lines, places = _lines(own, base)
    for section, key in IDENTITY:
        if (section, key) in places:
            text = _inserted(text, section, lines[places[section, key] - 1], base)
    network = [lines[number - 1] for number in _network(places)]
    return _joined([*_lines(text, base)[0], *network, ""]) if network else text


def _inserted(text: bytes, section: str, line: str, base: str) -> bytes:
    """The text with a line more at the start of a section, which is made where there is none."""
    lines, places = _lines(text, base)
    if (section,) not in places:
        return _joined([*lines, f"[{section}]", line, ""])
    lines.insert(places[section,], line)
    return _joined(lines)


def _lines(text: bytes, base: str) -> tuple[list[str], dict[tuple[str, ...], int]]:
    """The lines, and the number of each section's and each key's, from 1."""
    places = scan(text, base).places
    return text.decode("utf-8-sig").split("\n"), places


def _network(places: dict[tuple[str, ...], int]) -> range:
    """The lines from the head of the section to the last of its settings."""
    numbers = [number for path, number in places.items() if path[0] == SECTION]
    return range(min(numbers), max(numbers) + 1) if numbers else range(0)


def _joined(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()
