"""What of a configuration does not fit this machine. It stops no start, and changes as the machine does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.cluster.loop import out_of_use
from appliance.config.faults import SEPARATOR
from appliance.config.model import Configuration, IPAddress
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


def misfits(configuration: Configuration, own: frozenset[IPAddress], store: str) -> Iterator[Misfit]:
    """Yield each of them. `own` are the machine's addresses; `store` says what is wrong with the store's
    folder, and is empty where nothing is.
    """
    for address in configuration.tftp.listen:
        if not _had(address, own):
            yield Misfit("tftp", "listen", str(address), "this machine does not have this address")
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


def _had(address: IPAddress, own: frozenset[IPAddress]) -> bool:
    # Linux takes all of 127.0.0.0/8 for its own.
    return address.is_unspecified or address in own or (address.version == 4 and address.is_loopback)
