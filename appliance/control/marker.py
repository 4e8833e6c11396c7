"""The last change on disk, with what became of it. One that is found pending when control starts was never
confirmed: control, or the machine, ended within its window.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

from appliance.config.atomic import replace_file
from appliance.report.control import Change, Result

SIZE_MAX = 64 * 1024  # bytes


class BadMarker(ValueError):
    """What stands on disk is no marker."""


def encode(change: Change) -> bytes:
    """The file's content."""
    return json.dumps(asdict(change), indent=2).encode() + b"\n"


def decode(data: bytes) -> Change:
    """The change in a file's content; `BadMarker` for anything else."""
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or set(value) != {field.name for field in fields(Change)}:
            raise BadMarker("not the fields of a change")
        revision, result = value.pop("revision"), Result(value.pop("result"))
        if type(revision) is not int or not all(isinstance(text, str) for text in value.values()):
            raise BadMarker("fields of other types")
    except (ValueError, TypeError, RecursionError) as error:
        raise BadMarker(str(error)) from None
    return Change(revision=revision, result=result, **value)


def read(path: Path) -> Change | None:
    """The last change, None where there was none; `BadMarker`, `OSError`."""
    try:
        with path.open("rb") as file:
            return decode(file.read(SIZE_MAX))
    except FileNotFoundError:
        return None


def write(path: Path, change: Change) -> None:
    """Keep a change, whole or not at all; `OSError`."""
    replace_file(path, encode(change), 0o600)
