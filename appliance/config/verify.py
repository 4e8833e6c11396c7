"""Rules between the settings of one configuration. Rules that depend on the machine are not here."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.faults import SEPARATOR, Fault
from appliance.config.model import Cluster, Configuration, IPAddress, Local, Paths, Policy, System, Tftp
from appliance.config.values import POLICY_WORDS
from appliance.config.verify_interfaces import verify_interfaces


def verify(configuration: Configuration) -> Iterator[Fault]:
    """Yield each breach of a rule, without its line."""
    yield from _servers(configuration.system)
    yield from verify_interfaces(configuration.interfaces)
    yield from _listeners(configuration.tftp)
    yield from _store(configuration.paths, configuration.local)
    yield from _names(configuration.local, configuration.clusters)
    yield from _addresses(configuration.clusters)
    yield from _networks(configuration)
    yield from _autoregistration(configuration)


def _servers(system: System) -> Iterator[Fault]:
    for address in _repeated(system.dns):
        yield Fault("system", "dns", str(address), "each server once")
    for server in dict.fromkeys(system.ntp):
        if system.ntp.count(server) > 1:
            yield Fault("system", "ntp", server, "each server once")


def _listeners(tftp: Tftp) -> Iterator[Fault]:
    if tftp.port == tftp.http_port == 0:
        yield Fault("tftp", "http_port", "0", "0 for port or for http_port, not for both")
    for address in _repeated(tftp.listen):
        yield Fault("tftp", "listen", str(address), "each address once")
    for ifname in dict.fromkeys(tftp.interfaces):
        if tftp.interfaces.count(ifname) > 1:
            yield Fault("tftp", "interfaces", ifname, "each interface once")


def _store(paths: Paths, local: Local) -> Iterator[Fault]:
    # The folder of the keys lies in `data`: a store around it would offer them to every phone.
    if paths.data.is_relative_to(local.root):
        yield Fault(
            "local", "root", str(local.root), f"a folder that does not hold [paths] data, {paths.data}"
        )


def _names(local: Local, clusters: tuple[Cluster, ...]) -> Iterator[Fault]:
    taken = {local.name.lower(): "[local] name"}  # by the name without case
    for cluster in clusters:
        holder = taken.setdefault(cluster.name.lower(), cluster.name)
        if holder != cluster.name:
            yield Fault(
                _section(cluster), "", cluster.name, f"a name that differs from {holder} in more than case"
            )
        elif cluster.name.lower() in POLICY_WORDS:
            allowed = f"a name that is no word of [autoregistration] policy: not {', '.join(POLICY_WORDS)}"
            yield Fault(_section(cluster), "", cluster.name, allowed)


def _addresses(clusters: tuple[Cluster, ...]) -> Iterator[Fault]:
    owners: dict[IPAddress, Cluster] = {}
    for cluster in clusters:
        if not cluster.enabled:
            continue
        for address in _repeated(cluster.addresses):
            yield Fault(_section(cluster), "addresses", str(address), "each address once")
        for address in dict.fromkeys(cluster.addresses):
            owner = owners.setdefault(address, cluster)
            if owner is not cluster:
                allowed = f"an address that no other enabled cluster has; {owner.name} has this one"
                yield Fault(_section(cluster), "addresses", str(address), allowed)


def _networks(configuration: Configuration) -> Iterator[Fault]:
    local = configuration.local.name
    places = {local, *(cluster.name for cluster in configuration.clusters)}
    for network, place in configuration.networks:
        if place not in places:
            allowed = f"the name of a cluster below [clusters], or {local}, this box's own store"
            yield Fault("networks", str(network), place, allowed)


def _autoregistration(configuration: Configuration) -> Iterator[Fault]:
    wanted = configuration.autoregistration.cluster
    enabled = [cluster.name for cluster in configuration.clusters if cluster.enabled]
    if configuration.autoregistration.policy is Policy.CLUSTER and wanted not in enabled:
        allowed = f"{', '.join(POLICY_WORDS)}, or the name of an enabled cluster"
        yield Fault("autoregistration", "policy", str(wanted), allowed)


def _repeated(addresses: tuple[IPAddress, ...]) -> list[IPAddress]:
    return [address for address in dict.fromkeys(addresses) if addresses.count(address) > 1]


def _section(cluster: Cluster) -> str:
    return SEPARATOR.join(("clusters", cluster.name))
