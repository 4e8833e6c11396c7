"""How commands answer: text for people, one JSON object for programs, errors on standard error."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Standard output, all of it written at the end; `Failure` where it takes no more, and
    `BrokenPipeError` where its reader has enough.
    """
    if sys.stdout is None:  # so Python says that there was none at the start
        raise Failure("standard output: closed")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not be tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise Failure(f"standard output: {error.strerror}") from None


def show(text: str) -> None:
    """Print on standard output; raises as `standard_output`."""
    with standard_output() as out:
        print(text, file=out)


def show_json(value: Any) -> None:
    """Print one JSON object on standard output; raises as `standard_output`."""
    show(as_json(value))


def as_json(value: Any) -> str:
    """One JSON object, all of it ASCII."""
    return json.dumps(value, indent=2)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows in columns, two blanks between; text of strangers is escaped."""
    shown = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in shown)
    return "\n".join(line.rstrip() for line in lines)


def steps(items: Sequence[dict[str, Any]]) -> str:
    """The steps of a decision, each with its time and on a line of its own."""
    return "".join(f"  {item['at_ms']:8.1f} ms  {item['text']}\n" for item in items)
