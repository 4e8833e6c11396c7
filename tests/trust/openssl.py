"""The openssl command: a reader that is none of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path


def openssl(*arguments: str | Path, given: bytes = b"") -> bytes:
    """What it prints."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=60).stdout


def without_signature(whole: bytes) -> tuple[bytes, bytes]:
    """What is signed of a file, and the signature: found by its tag and length, and cut out by hand."""
    at = whole.index(b"\x0b\0\1\2\x0c\1\0") + 4
    return whole[:at] + whole[at + 259 :], whole[at + 3 : at + 259]
