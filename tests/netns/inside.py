"""Sockets of the test's own process that live in a host, so that a test can act between two datagrams."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.netns.lab import Host

CLONE_NEWNET = 0x40000000


@contextmanager
def inside(host: Host) -> Iterator[None]:
    """This thread is in the network of a host; a socket that it opens stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{host.namespace}", os.O_RDONLY)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        libc.setns(before, CLONE_NEWNET)
        os.close(there)
        os.close(before)
