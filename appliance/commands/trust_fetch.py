"""Certificates and trust lists from where they are: a file, a URL, a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from appliance.commands import get
from appliance.commands.answer import Failure
from appliance.commands.trust_text import content
from appliance.config.model import Cluster, Configuration, Protocol
from appliance.report.text import printable
from appliance.trust import bundle, trustlist
from appliance.trust.bundle import BadBundle, Offer
from appliance.trust.check import Fetched
from appliance.trust.lists import CTL, ITL
from appliance.trust.tlv import Malformed

HTTP_TIMEOUT = 5.0  # s; a cluster that answers a phone later than that is as good as down
LIST_MAX = 1024 * 1024  # bytes: a list that is too long for phones is shown all the same


def offer(source: str, configuration: Configuration, password: bytes | None) -> Offer:
    """What is offered by a file, a URL, or a cluster of the configuration; `Failure`."""
    named = next((each for each in configuration.clusters if each.name == source), None)
    if named is not None and not Path(source).exists():
        return _of_cluster(named)
    try:
        if "://" in source:
            return bundle.read(get.content(source, bundle.SIZE_MAX), password)
        return bundle.read(content(Path(source), bundle.SIZE_MAX), password)
    except BadBundle as error:
        raise Failure(f"{printable(source)}: {error}") from None


def fetched(cluster: Cluster, name: str) -> Fetched:
    """A list of a cluster, from the first of its servers that answers."""
    faults = []
    for url in _urls(cluster, name):
        try:
            return Fetched(trustlist.decode(get.content(url, LIST_MAX, HTTP_TIMEOUT), LIST_MAX))
        except get.NotThere:
            return Fetched()
        except Malformed as error:
            return Fetched(fault=f"{url}: {error}")
        except Failure as error:
            faults.append(str(error))
    return Fetched(fault="; ".join(faults))


def _of_cluster(cluster: Cluster) -> Offer:
    found = [(name, fetched(cluster, name)) for name in (ITL, CTL)]
    if faults := [f"{name}: {each.fault}" for name, each in found if each.fault]:
        raise Failure(f"{cluster.name}: {'; '.join(faults)}")
    offers = [(name, bundle.of_list(each.list)) for name, each in found if each.list is not None]
    if not offers:
        raise Failure(f"{cluster.name}: it has no trust lists")
    return Offer(
        kind=f"trust lists of {cluster.name}",
        offered=tuple(
            replace(item, label=f"{name}, {item.label}") for name, each in offers for item in each.offered
        ),
        nodes=tuple(dict.fromkeys(node for _, each in offers for node in each.nodes)),
        doubts=tuple(f"{name}: {doubt}" for name, each in offers for doubt in each.doubts),
        forged="; ".join(f"{name}: {each.forged}" for name, each in offers if each.forged),
    )


def _urls(cluster: Cluster, name: str) -> list[str]:
    """Where a cluster has a file, in the order in which it is asked."""
    ports = {Protocol.HTTP: cluster.http_port, Protocol.TFTP: cluster.tftp_port}
    protocols = tuple(ports) if cluster.protocol is Protocol.AUTO else (cluster.protocol,)
    return [
        f"{protocol}://{f'[{address}]' if address.version == 6 else address}:{ports[protocol]}/{quote(name)}"
        for address in cluster.addresses
        for protocol in protocols
    ]
