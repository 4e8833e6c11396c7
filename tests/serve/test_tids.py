"""Sockets for transfers, by address."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from appliance.serve.tids import Tids

PEER = ("127.0.0.1", 9)
HERE, THERE = ip_address("127.0.0.1").packed, ip_address("127.0.0.2").packed


def is_open(wire: socket.socket) -> bool:
    return wire.fileno() >= 0


def test_an_address_that_goes_takes_its_sockets_with_it() -> None:
    """Those that are lent when they come back; those of other addresses stay."""
    faults: list[Exception] = []
    tids = Tids(0, faults.append)
    lent, free, stays = (tids.take(local, 0, PEER) for local in (THERE, THERE, HERE))
    tids.give(free)
    tids.give(stays)
    tids.keep(lambda place: place == HERE)
    assert [is_open(tid.wire) for tid in (lent, free, stays)] == [True, False, True]
    tids.give(lent)
    assert not is_open(lent.wire)
    again = tids.take(THERE, 0, ("127.0.0.1", 10))
    assert again not in (lent, free)
    tids.give(again)
    tids.keep(lambda place: True)
    assert is_open(again.wire)
    tids.keep(lambda place: False)
    assert not is_open(again.wire)
    assert not is_open(stays.wire)
    assert faults == []
