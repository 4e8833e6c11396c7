"""Files to be fetched: their bytes follow from their names, so that nobody needs to remember them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path

SIZES = (0, 1, 511, 512, 513, 8192, 4 << 20)
"""Bytes: nothing, around one block of RFC 1350, some blocks, many."""

PAST_WRAP = 8 * 65536 + 3
"""Bytes that are more than 65535 blocks where a block has 8 bytes, the smallest of RFC 2348."""


def body(name: str, size: int) -> bytes:
    """The bytes of a file: all values, with the line ends on which netascii stumbles, and no repetition."""
    draw = random.Random(name)
    text = b"\r\n\r\0\r\r\n\n" if size > 600 else b""
    return (draw.randbytes(max(size - len(text), 0)) + text)[:size]


def write(root: Path, name: str, size: int) -> bytes:
    """Make the file `name` under `root` (folders too), readable by everybody; its bytes."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = body(name, size)
    path.write_bytes(content)
    path.chmod(0o644)
    return content


def write_sizes(root: Path, prefix: str, sizes: Iterable[int] = SIZES) -> dict[str, bytes]:
    """Make `PREFIX-SIZE.bin` for each size; name -> bytes."""
    names = {f"{prefix}-{size}.bin": size for size in sizes}
    return {name: write(root, name, size) for name, size in names.items()}


def digest(content: bytes) -> str:
    """As the bare phones tell it."""
    return hashlib.sha256(content).hexdigest()
