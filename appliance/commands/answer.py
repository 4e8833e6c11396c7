"""How commands answer: text for people, one JSON object for programs, errors on standard error."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Protocol, TextIO

from appliance.report.text import printable


class Failure(Exception):
    """A command could not do what it was asked to. The text says why, strangers' bytes escaped."""


class Subparsers(Protocol):
    """What a command is added to."""

    def add_parser(self, name: str, **keywords: Any) -> argparse.ArgumentParser:
        """See `argparse`."""


def fail(*lines: str) -> int:
    """Say why on standard error; the exit status of a failure."""
    for line in lines:
        print(f"appliance: {line}", file=sys.stderr)
    return 1


def print_json(value: Any, to: TextIO | None = None) -> None:
    """One JSON object, on standard output if nothing else is said; all of it ASCII."""
    print(json.dumps(value, indent=2), file=to)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows in columns, two blanks between; text of strangers is escaped."""
    shown = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in shown)
    return "\n".join(line.rstrip() for line in lines)


def steps(items: Sequence[dict[str, Any]]) -> str:
    """The steps of a decision, each with its time and on a line of its own."""
    return "".join(f"  {item['at_ms']:8.1f} ms  {item['text']}\n" for item in items)
