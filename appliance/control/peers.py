"""Who asks on a Unix socket, as the kernel tells, and what they may ask for."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

SO_PEERGROUPS = 59  # Linux 4.13; Python has no name for it
_GROUPS_BYTES = 1024  # all that Python lets us ask for: 256 groups

ADMIN = "admin"
"""The group of administrators."""

PROXY = "tftp"
"""The proxy's own user."""


class Rights(IntEnum):
    """What a peer may ask for; each includes those before it."""

    NONE = 0
    READING = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end: as it was when it connected."""

    pid: int
    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Known:
    """The numbers of those who may ask: whoever the daemon runs as, the proxy's user, the administrators.
    None is a name that this machine does not have.
    """

    own: int
    proxy: int | None
    admin: int | None


class Wire(Protocol):
    """A connected Unix socket, of gevent or of Python."""

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        """See `socket`."""


def peer(wire: Wire) -> Peer:
    """Who is at the other end; `OSError`."""
    shape = struct.Struct("=iII")  # struct ucred
    pid, uid, gid = shape.unpack(wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, shape.size))
    try:
        more = wire.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        more = b""  # an older kernel, or somebody in more groups than that
    return Peer(pid, uid, frozenset((gid, *(number for (number,) in struct.iter_unpack("=I", more)))))


def known() -> Known:
    """Those who may ask, on this machine."""
    return Known(os.geteuid(), _uid(PROXY), _gid(ADMIN))


def rights(asking: Peer, those: Known) -> Rights:
    """What a peer may ask for. The proxy's user only reads, though it is a member of the group: it parses
    what strangers send.
    """
    if asking.uid in (0, those.own):
        return Rights.ALL
    if asking.uid == those.proxy:
        return Rights.READING
    if those.admin is not None and those.admin in asking.groups:
        return Rights.ALL
    return Rights.NONE


def name(uid: int) -> str:
    """A user's name; the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _gid(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None
