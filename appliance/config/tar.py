"""The few kinds of archive that a bundle is: regular files in a POSIX tar (IEEE 1003.1, "ustar"). Pure.

The library's reader takes links, devices, sparse files, and headers that name further headers. Here a member
that is no regular file with a plain name below the archive, or an archive above its bounds, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

NAME_MAX = 100  # bytes
SIZE_MAX = 8**11 - 1  # bytes of a member, as the header can tell them

_BLOCK = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_OCTAL = re.compile(rb"[0-7]{1,11}[ \0]*")
_MAGICS = (b"ustar\x0000", b"ustar  \0")  # of POSIX, and of GNU tar, alike in all that is taken here


class BadArchive(ValueError):
    """Bytes that are no archive of the kind above; says why."""


def encode(files: Mapping[str, bytes]) -> bytes:
    """The archive of files by their names, in this order."""
    whole = bytearray()
    for name, data in files.items():
        if not is_name(name):
            raise ValueError(f"no name of a member: {name!r}")
        whole += _header(name.encode(), len(data)) + data + bytes(-len(data) % _BLOCK)
    return bytes(whole + bytes(2 * _BLOCK))


def decode(archive: bytes, members_max: int) -> dict[str, bytes]:
    """The files of an archive by their names; BadArchive for anything else."""
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for name, data in _members(archive):
        if len(files) == members_max:
            raise BadArchive(f"more than {members_max} files")
        if name in files or name in folders:
            raise BadArchive(f"{name} stands there twice")
        parts = name.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if not above.isdisjoint(files):
            raise BadArchive(f"{name} lies in a file")
        folders |= above
        files[name] = data
    return files


def is_name(name: str) -> bool:
    """Whether a member can have this name: a relative path of letters, digits, dots, hyphens and underscores,
    in which each part begins with a letter or digit.
    """
    return len(name) <= NAME_MAX and bool(_NAME.fullmatch(name))


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while True:
        header = archive[place : place + _BLOCK]
        if len(header) < _BLOCK:
            raise BadArchive("it ends in the midst")
        if not any(header):
            break
        name, size = _parsed(header)
        place += _BLOCK
        if len(archive) - place < size:
            raise BadArchive("it ends in the midst")
        yield name, archive[place : place + size]
        place += size + -size % _BLOCK
    if any(archive[place:]):
        raise BadArchive("something follows its end")


def _header(name: bytes, size: int) -> bytes:
    """The block above a member: read and written by its owner alone, root, 1970."""
    fields = [
        name.ljust(100, b"\0"),
        b"0000600\0" + b"0000000\0" * 2,
        b"%011o\0" % size,
        b"%011o\0" % 0,
        b" " * 8,  # the checksum counts as blanks
        b"0" + bytes(100),
        _MAGICS[0],
    ]
    block = b"".join(fields).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _parsed(header: bytes) -> tuple[str, int]:
    """A member's name and size."""
    checksum, size = _number(header[148:156]), _number(header[124:136])
    if checksum != sum(header[:148]) + 8 * ord(" ") + sum(header[156:]) or header[257:265] not in _MAGICS:
        raise BadArchive("not a tar archive")
    if header[156:157] not in (b"0", b"\0"):
        raise BadArchive("it holds more than regular files")
    name = header[:100].rstrip(b"\0").decode("ascii", "replace")
    if not is_name(name) or any(header[345:500]):
        raise BadArchive("a file in it has a name that none of a bundle has")
    return name, size


def _number(field: bytes) -> int:
    if not _OCTAL.fullmatch(field):
        raise BadArchive("not a tar archive")
    return int(field.rstrip(b" \0"), 8)
