"""Files that are replaced as a whole: after a loss of power there is the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

PREFIX = ".new-"
"""Begins the name of a file that is not whole yet. After a loss of power one may be left: it is nobody's."""


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` in place of a file, which need not exist, with the permissions `mode`.

    When this returns, the new file outlives a loss of power. When it raises OSError before the file has
    taken its place, the old one stands as it was and nothing is left behind; that the folder could not be
    written to the disk afterwards is raised too, and then the new one stands.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _replace(folder, path.name, data, mode)
        os.fsync(folder)  # until then the name may lead to the old file again
    finally:
        os.close(folder)


def _replace(folder: int, name: str, data: bytes, mode: int) -> None:
    temporary = PREFIX + secrets.token_hex(8)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask is
            file.write(data)
            file.flush()
            os.fsync(descriptor)  # before the name leads to it
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
