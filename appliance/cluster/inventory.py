"""The devices of a cluster by its own list, ConfigFileCacheList.txt (phones.md 1.6): pure.

Not every cluster gives it away, and none promises its form: a device that it names is asked for at that
cluster first, and no more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern

from appliance.cluster.names import BadName, read

NAME = "ConfigFileCacheList.txt"
SIZE_MAX = 16 * 1024 * 1024  # bytes
DEVICES_MAX = 200_000  # of one cluster


def devices(text: bytes) -> frozenset[str]:
    """The devices whose configurations are in the list: one file name a line, its first field."""
    found: set[str] = set()
    for line in text.splitlines():
        fields = line.split(maxsplit=1)
        if not fields or len(found) >= DEVICES_MAX:
            continue
        try:
            name = read.__wrapped__(fields[0])  # not through the memory of what phones ask
        except BadName:
            continue
        if name.device is not None and name.is_configuration:
            found.add(intern(name.device))
    return frozenset(found)


class Inventory:
    """Which cluster names which devices."""

    def __init__(self) -> None:
        self._devices: Mapping[str, frozenset[str]] = {}

    def __len__(self) -> int:
        return sum(len(named) for named in self._devices.values())

    def count(self, cluster: str) -> int:
        """How many devices the cluster names."""
        return len(self._devices.get(cluster, ()))

    def put(self, cluster: str, named: frozenset[str]) -> None:
        """This is what the cluster names now."""
        self._devices = {**self._devices, cluster: named}

    def keep_only(self, clusters: Iterable[str]) -> None:
        """Drop what others have named."""
        kept = set(clusters)
        self._devices = {name: named for name, named in self._devices.items() if name in kept}

    def place(self, device: str, order: Iterable[str]) -> str | None:
        """The first in order that names the device."""
        for cluster in order:
            if device in self._devices.get(cluster, ()):
                return cluster
        return None
