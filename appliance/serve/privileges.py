"""Giving up root once the ports are open."""

from __future__ import annotations

import os
import pwd
import resource

USERS = ("tftp", "nobody")
"""The proxy's own user, and who stands in where it does not exist."""

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
    """Become this user for good: no capability is left, and none comes back with a program started."""
    os.setgroups([])
    os.setresgid(to.pw_gid, to.pw_gid, to.pw_gid)
    os.setresuid(to.pw_uid, to.pw_uid, to.pw_uid)


def raise_descriptors(wanted: int) -> int:
    """Have descriptors for as many transfers, over TFTP and as many over HTTP, if the limits let us;
    tells how many of each that allows.
    """
    need = 2 * wanted + DESCRIPTORS_KEPT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < need:
        soft = need if hard == resource.RLIM_INFINITY else min(need, hard)
        if os.geteuid() == 0:
            soft, hard = need, max(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, (soft - DESCRIPTORS_KEPT) // 2)
