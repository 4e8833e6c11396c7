"""The number by which boxes tell themselves apart in `Via`: random, made once, and never moved elsewhere."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from appliance.config.atomic import replace_file

SIZE_MAX = 64  # bytes that are read


def box_id(data: Path) -> tuple[str, str]:
    """16 hex digits, and why they are not kept for the next start, empty where they are.

    The image makes the number at its first boot, in `system/`; without it the proxy makes its own.
    """
    number = known(data)
    if number is not None:
        return number, ""
    made = secrets.token_hex(8)
    try:
        replace_file(data / "state" / "box-id", f"{made}\n".encode())
    except OSError as fault:
        return made, fault.strerror or "cannot be written"
    return made, ""


def known(data: Path) -> str | None:
    """The number that is kept; None where there is none yet."""
    kept = (_read(data / folder / "box-id") for folder in ("system", "state"))
    return next((number for number in kept if number is not None), None)


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_MAX)
    except OSError:
        return None
    match = re.fullmatch(rb"([0-9a-f]{16})\s*", text)
    return match[1].decode() if match else None
