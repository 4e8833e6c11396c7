"""The networks of a configuration: which place an address belongs to."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.config.model import Configuration, IPAddress, IPNetwork


def smallest_first(networks: Iterable[tuple[IPNetwork, str]]) -> tuple[tuple[IPNetwork, str], ...]:
    """Order networks so that the first that holds an address is the one that counts for it."""
    return tuple(
        sorted(networks, key=lambda pair: (-pair[0].prefixlen, pair[0].version, int(pair[0].network_address)))
    )


def network_place(configuration: Configuration, address: IPAddress) -> str | None:
    """Return the cluster of the smallest network around an address, or the local store's name.

    None where no network holds the address, and where the cluster is switched off: what a larger network
    says was not meant for this one.
    """
    for network, place in configuration.networks:
        if address in network:
            off = any(cluster.name == place and not cluster.enabled for cluster in configuration.clusters)
            return None if off else place
    return None
