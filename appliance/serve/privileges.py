"""Giving up root once the first ports are open."""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import struct

from appliance.report.text import printable

USERS = ("tftp", "nobody")
"""The proxy's own user, and who stands in where it does not exist."""

# Linux numbers that Python does not name.
PR_SET_KEEPCAPS = 8
PR_SET_NO_NEW_PRIVS = 38
CAP_NET_BIND_SERVICE = 10
CAPABILITY_VERSION = 0x20080522
_SETS = struct.Struct("@6I")  # effective, permitted, inheritable; then the same for those above 31

_libc = ctypes.CDLL(None, use_errno=True)

DESCRIPTORS_KEPT = 256
"""descriptors for everything but transfers"""


def user() -> pwd.struct_passwd:
    """Whom the proxy runs as when it was started as root; `KeyError` where there is none of them."""
    for name in USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise KeyError(f"neither of the users {' and '.join(USERS)} exists")


def name() -> str:
    """Whom we run as; the number where the user has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def drop(to: pwd.struct_passwd, ports: bool = False) -> None:
    """Become this user for good: none of root's rights comes back with a program started.

    With `ports`, this thread and those that it starts can bind ports below 1024 (capabilities(7)); else no
    capability is left. `OSError` where the kernel refuses.
    """
    _prctl(PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS")
    if ports:
        _prctl(PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS")
    os.setgroups([])
    os.setresgid(to.pw_gid, to.pw_gid, to.pw_gid)
    os.setresuid(to.pw_uid, to.pw_uid, to.pw_uid)
    if ports:
        _keep(1 << CAP_NET_BIND_SERVICE)


def _prctl(option: int, name: str) -> None:
    if _libc.prctl(option, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), name)


def _keep(capabilities: int) -> None:
    """Give up all capabilities but these, of which there are none above 31."""
    header = struct.pack("@Ii", CAPABILITY_VERSION, 0)
    data = ctypes.create_string_buffer(_SETS.size)
    if _libc.capget(header, data) == 0:
        left = _SETS.unpack(data.raw)[1] & capabilities  # a container's root may not have all of them
        if _libc.capset(header, _SETS.pack(left, left, 0, 0, 0, 0)) == 0:
            return
    raise OSError(ctypes.get_errno(), "capset")


def load_ahead() -> None:
    """Have Python load what it would on first use: as another user we may not be able to read where it is
    installed.
    """
    "localhost".encode("idna")
    printable("\\")


def raise_descriptors(wanted: int) -> int:
    """Have descriptors for as many transfers, over TFTP and as many over HTTP, if the limits let us;
    tells how many of each that allows. Should all of them send large files at once, which take one
    more each, the last are told to come again.
    """
    need = 2 * wanted + DESCRIPTORS_KEPT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < need:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, max(need, hard)))  # root may raise both
            soft = need
        except (OSError, ValueError):
            soft = min(need, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, (soft - DESCRIPTORS_KEPT) // 2)
