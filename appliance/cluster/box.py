"""The number by which boxes tell themselves apart in `Via`: random, made once, and never moved elsewhere."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

SIZE_MAX = 64  # bytes that are read


def box_id(data: Path) -> tuple[str, str]:
    """16 hex digits, and why they are not kept for the next start, empty where they are.

    The image makes the number at its first boot, in `system/`; without it the proxy makes its own.
    """
    for folder in ("system", "state"):
        known = _read(data / folder / "box-id")
        if known is not None:
            return known, ""
    made = secrets.token_hex(8)
    try:
        return made, _write(data / "state" / "box-id", made)
    except OSError as fault:
        return made, fault.strerror or "cannot be written"


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_MAX)
    except OSError:
        return None
    match = re.fullmatch(rb"([0-9a-f]{16})\s*", text)
    return match[1].decode() if match else None


def _write(path: Path, number: str) -> str:
    draft = path.with_name("box-id.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{number}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(draft, path)
    return ""
