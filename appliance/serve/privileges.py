"""Giving up root once the ports are open."""

from __future__ import annotations

import ctypes
import os
import pwd
import resource

from appliance.report.text import printable

USERS = ("tftp", "nobody")
"""The proxy's own user, and who stands in where it does not exist."""

PR_SET_NO_NEW_PRIVS = 38  # Linux

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


def drop(to: pwd.struct_passwd) -> None:
    """Become this user for good: no capability is left, and none comes back with a program started.

    `OSError` where the kernel refuses.
    """
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    os.setgroups([])
    os.setresgid(to.pw_gid, to.pw_gid, to.pw_gid)
    os.setresuid(to.pw_uid, to.pw_uid, to.pw_uid)


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
