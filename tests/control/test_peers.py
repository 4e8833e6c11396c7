"""Who may ask for what."""

from __future__ import annotations

import os
import socket

import pytest

from appliance.control.peers import Known, Peer, Rights, name, peer, rights

IMAGE = Known(own=0, proxy=100, admin=200)
BARE = Known(own=1000, proxy=None, admin=None)


@pytest.mark.parametrize(
    ("known", "uid", "groups", "expected"),
    [
        (IMAGE, 0, {0}, Rights.ALL),
        (IMAGE, 1000, {1000, 200}, Rights.ALL),
        (IMAGE, 1000, {200}, Rights.ALL),
        (IMAGE, 1000, {1000}, Rights.NONE),
        (IMAGE, 100, {100}, Rights.READING),
        (IMAGE, 100, {100, 200}, Rights.READING),
        (IMAGE, 65534, {65534}, Rights.NONE),
        (BARE, 1000, {1000}, Rights.ALL),
        (BARE, 0, {0}, Rights.ALL),
        (BARE, 1001, {1000, 0}, Rights.NONE),
    ],
)
def test_rights(known: Known, uid: int, groups: set[int], expected: Rights) -> None:
    assert rights(Peer(1, uid, frozenset(groups)), known) is expected


def test_the_other_end() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        found = peer(one)
    assert (found.pid, found.uid) == (os.getpid(), os.geteuid())
    assert found.groups >= {os.getegid(), *os.getgroups()}


def test_names() -> None:
    assert name(0) == "root"
    assert name(4_000_000_000) == "4000000000"
