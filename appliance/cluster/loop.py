"""What keeps a request from going round: a mark on what we ask, and knowing who asks (overview: Tip).

A request that has been through any appliance, or that comes from a cluster itself, is answered
from the local store alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from appliance.config.model import Cluster, Configuration, IPAddress, Protocol

OWN = "an address of this box itself"
"""Why such an address of a cluster is out of use."""

_MARK = re.compile(r"(?:^|[\s,])(appliance-[0-9a-f]{16})(?=$|[\s,])")


def via(box_id: str) -> str:
    """The value of `Via` on every HTTP request to a cluster, and on every HTTP answer that is a cluster's or
    is given to another proxy; `box_id` is 16 hex digits.
    """
    return f"1.1 appliance-{box_id}"


def has_passed(via_header: str) -> bool:
    """Whether a `Via` names an appliance, this one or another."""
    return _MARK.search(via_header) is not None


def boxes(via_header: str) -> tuple[str, ...]:
    """The appliances that a `Via` names, in its order."""
    return tuple(dict.fromkeys(_MARK.findall(via_header)))


def sources(clusters: Iterable[Cluster]) -> frozenset[IPAddress]:
    """The addresses whose requests are a cluster's own.

    Behind a `nat = yes` cluster's address there are phones as well, so it proves nothing.
    """
    return frozenset(address for cluster in clusters if not cluster.nat for address in cluster.addresses)


def out_of_use(configuration: Configuration, own: Iterable[IPAddress]) -> dict[tuple[str, IPAddress], str]:
    """The clusters' addresses that are never asked, by cluster and address, and why.

    `own` are the addresses of this machine as it is now.
    """
    settings = configuration.tftp
    here = frozenset(own)
    found: dict[tuple[str, IPAddress], str] = {}
    for cluster in configuration.clusters:
        http, tftp = (cluster.http_port, settings.http_port), (cluster.tftp_port, settings.port)
        spoken = {Protocol.HTTP: [http], Protocol.TFTP: [tftp], Protocol.AUTO: [http, tftp]}
        same_port = any(port == ours for port, ours in spoken[cluster.protocol])
        for address in cluster.addresses:
            if same_port and _listens(address, settings.listen, here):
                found[cluster.name, address] = OWN
    return found


def _listens(address: IPAddress, listen: Iterable[IPAddress], own: frozenset[IPAddress]) -> bool:
    """Whether this address is heard here; a wildcard stands for all of this machine's addresses, and
    for the whole loopback network. One that the machine does not have is another's until it has it.
    """
    for listened in listen:
        if listened == address or (listened.is_unspecified and listened.version == address.version):
            return address.is_loopback or address in own
    return False
