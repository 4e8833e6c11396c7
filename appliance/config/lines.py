"""The text of a configuration, looked at line by line before ConfigObj sees it.

ConfigObj's own expressions take quadratic (configobj #281) to exponential time on lines that do not
fit them, read a quoted word in a comment as a value, and forget on which line a key stood. So each
line is held against a grammar that needs linear time; what passes fits ConfigObj's expressions at the
first try, and its place is kept. What is refused becomes an empty line, so that the rest can be checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from appliance.config.faults import SEPARATOR, ConfigurationError, Fault

SIZE_MAX = 256 * 1024
"""Bytes of a configuration."""

LINE_MAX = 2000
"""Characters of a line, comment included."""

BLANKS_MAX = 50
"""Blanks in a row within a value: ConfigObj's time grows with their square."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")  # all but the tab
_BLANKS = re.compile(rf"\s{{{BLANKS_MAX + 1}}}")

_HEADER = re.compile(
    r"""(?P<open>\[{1,8}+) \s*+
        (?P<name>[^\s\[\]"'\#/][^\[\]"'\#/]{0,99}+)
        (?P<close>\]{1,8}+) \s*+ (?:\#.*+)?""",
    re.VERBOSE,
)
# Quantifiers are possessive: a line that does not fit is refused without a second try.
_ITEM = r"""(?:"[^"]*+" | '[^']*+' | [^\s"',\#][^,\#]*+)"""
_SETTING = re.compile(
    rf"""(?P<key>[^\s="'\[\],\#][^="'\[\],\#]{{0,63}}+) = \s*+
         (?P<value>(?:, | {_ITEM} (?:\s*+,\s*+{_ITEM})*+ (?:\s*+,)?+)?+)
         \s*+ (?:\#.*+)?""",
    re.VERBOSE,
)


@dataclass(slots=True)
class Lines:
    """What `scan` made of a text.

    `text` has one entry for each line of the file, without comments. `places` tells the line of each
    section (by the names of the sections around it and its own) and of each key (by those and its own).
    """

    text: list[str] = field(default_factory=list)
    places: dict[tuple[str, ...], int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def number(self, section: str, key: str) -> int | None:
        """Return the line of a fault's section and key, or else of its section."""
        names = tuple(name for name in section.split(SEPARATOR) if name)
        return self.places.get((*names, key)) or self.places.get(names)


def scan(data: bytes, base: str) -> Lines:
    """Return the lines of a file. Raise ConfigurationError when it is too large or not UTF-8."""
    if len(data) > SIZE_MAX:
        fault = Fault("", "", f"more than {SIZE_MAX} bytes", f"at most {SIZE_MAX} bytes")
        raise ConfigurationError(base, [fault])
    try:
        text = data.decode("utf-8-sig")  # editors on Windows put a byte order mark first
    except UnicodeDecodeError as error:
        found = f"the byte 0x{error.object[error.start]:02x}"
        fault = Fault("", "", found, "text in UTF-8", error.object[: error.start].count(b"\n") + 1)
        raise ConfigurationError(base, [fault]) from None
    scanner = _Scanner()
    for number, line in enumerate(text.split("\n"), 1):
        scanner.lines.text.append(scanner.line(number, line.removesuffix("\r")))
    return scanner.lines


class _Scanner:
    """Where in the file the scan is: the open section, or the depth of one that was refused."""

    def __init__(self) -> None:
        self.lines = Lines()
        self._path: tuple[str, ...] = ()
        self._refused: int | None = None

    def line(self, number: int, line: str) -> str:
        """Return what ConfigObj shall see of a line: "" when that is nothing."""
        stripped = line.strip()
        header = stripped.startswith("[")
        if len(line) > LINE_MAX:
            self._fault(number, "", f"{len(line)} characters", f"at most {LINE_MAX} characters in a line")
        elif control := _CONTROL.search(line):
            self._fault(number, "", control[0], "text without control characters")
        elif not stripped or stripped.startswith("#"):
            return ""
        elif header:
            return self._header(number, stripped)
        else:
            return self._setting(number, stripped)
        if header:
            self._refuse(stripped)
        return ""

    def _header(self, number: int, line: str) -> str:
        """Return the header of a section, without blanks and comment."""
        match = _HEADER.fullmatch(line)
        if match is None or len(match["open"]) != len(match["close"]):
            allowed = "[name] or [[name]], the name without quotes, brackets and slashes"
            self._fault(number, "", line, allowed, ())
            return self._refuse(line)
        depth, name = len(match["open"]), match["name"].strip()
        if self._refused is not None and depth > self._refused:
            return ""  # belongs to a section that was refused
        path = (*self._path[: depth - 1], name)
        if depth > len(path):
            self._fault(number, "", line, f"a section of {depth - 1} brackets above one of {depth}", ())
            return self._refuse(line)
        if first := self.lines.places.get(path):
            self._fault(number, "", line, f"each name once; {name} stands on line {first} already", path)
            return self._refuse(line)
        self.lines.places[path] = number
        self._path, self._refused = path, None
        return "[" * depth + name + "]" * depth

    def _setting(self, number: int, line: str) -> str:
        """Return a key and its value, without comment."""
        if self._refused is not None:
            return ""  # whose section is not known
        match = _SETTING.fullmatch(line)
        if match is None:
            self._fault(number, "", line, "key = value, or key = one, two; quotes around what holds , or #")
            return ""
        key, value = match["key"].rstrip(), match["value"].rstrip()
        path = (*self._path, key)
        if _BLANKS.search(value):
            self._fault(number, key, value, f"at most {BLANKS_MAX} blanks in a row")
        elif first := self.lines.places.get(path):
            self._fault(number, key, value, f"each name once; {key} stands on line {first} already")
        else:
            self.lines.places[path] = number
            return f"{key} = {value}"
        return ""

    def _refuse(self, line: str) -> str:
        """Pass over what follows a refused header, up to the next one that is no deeper."""
        depth = len(line) - len(line.lstrip("["))
        self._refused = depth if self._refused is None else min(depth, self._refused)
        return ""

    def _fault(
        self, number: int, key: str, found: str, allowed: str, path: tuple[str, ...] | None = None
    ) -> None:
        if path is None:
            path = self._path if self._refused is None else ()
        self.lines.faults.append(Fault(SEPARATOR.join(path), key, found, allowed, number))
