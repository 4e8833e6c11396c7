"""What is worth a word in a configuration without faults: what does not fit this machine, as it is now, and
settings that can have no effect. It stops no start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.cluster.loop import out_of_use
from appliance.config.faults import SEPARATOR
from appliance.config.model import Configuration, IPAddress, Policy
from appliance.report.text import printable


@dataclass(frozen=True, slots=True)
class Misfit:
    """One warning. `section`, `key` and `found` are as in `config.faults.Fault`."""

    section: str
    key: str
    found: str
    text: str

    def __str__(self) -> str:
        place = f"[{printable(self.section)}]" + (f" {self.key}" if self.key else "")
        found = f' found "{printable(self.found, 80)}":' if self.found else ""
        return f"{place}:{found} {printable(self.text, None)}"


def misfits(
    configuration: Configuration,
    own: frozenset[IPAddress],
    interfaces: frozenset[str],
    store: str,
    zone: str,
) -> Iterator[Misfit]:
    """Yield each of them. `own` and `interfaces` are the machine's; `store` says what is wrong with the
    store's folder, and `zone` with the time zone; they are empty where nothing is.
    """
    if zone:
        yield Misfit("system", "timezone", configuration.system.timezone, f"{zone}: the old one stays")
    for address in configuration.tftp.listen:
        if not _had(address, own):
            yield Misfit("tftp", "listen", str(address), "this machine does not have this address")
    for ifname in configuration.tftp.interfaces:
        if ifname not in interfaces:
            yield Misfit("tftp", "interfaces", ifname, "this machine does not have this interface")
    if store:
        yield Misfit("local", "root", str(configuration.local.root), store)
    refused = out_of_use(configuration, own)
    enabled = [cluster for cluster in configuration.clusters if cluster.enabled]
    for cluster in enabled:
        section = SEPARATOR.join(("clusters", cluster.name))
        for address in cluster.addresses:
            if why := refused.get((cluster.name, address)):
                yield Misfit(section, "addresses", str(address), f"{why}: it is never asked")
    if not enabled:
        yield Misfit("clusters", "", "", "no cluster is enabled: phones get the files of the store alone")
    yield from _without_effect(configuration)


def _without_effect(configuration: Configuration) -> Iterator[Misfit]:
    off = {cluster.name for cluster in configuration.clusters if not cluster.enabled}
    allow = configuration.tftp.allow
    for network, place in configuration.networks:
        if place in off:
            text = f"{place} is switched off: for these clients it is as if no network were set"
            yield Misfit("networks", str(network), place, text)
        elif allow and not any(each.version == network.version and each.overlaps(network) for each in allow):
            yield Misfit("networks", str(network), place, "[tftp] allow serves no client of this network")
    if configuration.autoregistration.policy is Policy.NETWORK and not configuration.networks:
        text = "[networks] is empty: phones that nobody knows get no default files"
        yield Misfit("autoregistration", "policy", Policy.NETWORK, text)
    lookup = configuration.lookup
    if lookup.stale_configs and not (lookup.stale or any(each.stale for each in configuration.clusters)):
        yield Misfit(
            "lookup", "stale_configs", "yes", "stale is 0: no file is served while its cluster is down"
        )


def _had(address: IPAddress, own: frozenset[IPAddress]) -> bool:
    # Linux takes all of 127.0.0.0/8 for its own.
    return address.is_unspecified or address in own or (address.version == 4 and address.is_loopback)
