"""What keeps a request from going round: a mark on what we ask, and knowing who asks (overview: Tip).

A request that has been through any appliance, or that comes from a cluster itself, is answered
from the local store alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from appliance.config.model import Cluster, IPAddress

_MARK = re.compile(r"(?:^|[\s,])appliance-[0-9a-f]{16}(?=$|[\s,])")


def via(box_id: str) -> str:
    """The value of `Via` on every HTTP request to a cluster; `box_id` is 16 hex digits."""
    return f"1.1 appliance-{box_id}"


def has_passed(via_header: str) -> bool:
    """Whether a `Via` names an appliance, this one or another."""
    return _MARK.search(via_header) is not None


def sources(clusters: Iterable[Cluster]) -> frozenset[IPAddress]:
    """The addresses whose requests are a cluster's own.

    Behind a `nat = yes` cluster's address there are phones as well, so it proves nothing.
    """
    return frozenset(address for cluster in clusters if not cluster.nat for address in cluster.addresses)


def our_own(
    address: IPAddress, port: int, listen: Iterable[IPAddress], ports: Iterable[int], own: Iterable[IPAddress]
) -> bool:
    """Whether asking this address and port would be asking ourselves.

    `own` are the addresses of this machine, which a wildcard in `listen` stands for; it stands for
    the whole loopback network too.
    """
    if port not in ports:
        return False
    for listened in listen:
        if listened == address:
            return True
        if listened.is_unspecified and listened.version == address.version:
            return address.is_loopback or address in own
    return False
