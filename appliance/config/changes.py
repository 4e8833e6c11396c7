"""What differs between the configuration in force and another: a pure comparison, for the reload."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from appliance.config.model import Cluster, Configuration

RESTART = {
    "paths": ("data", "run"),
    "tftp": ("dscp", "workers", "transfers_max"),
    "local": ("name", "root"),
    "cache": ("size", "memory"),
}
"""Settings that are taken up at the start alone, by section: what they made is in use."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of clusters, in the order of their file. A cluster that is switched off counts as removed, one
    that is asked elsewhere or otherwise as changed. `restart` names settings that wait for the next start.
    """

    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


def changes(old: Configuration, new: Configuration) -> Changes:
    """What a reload from `old` to `new` means."""
    before = {cluster.name: cluster for cluster in old.clusters if cluster.enabled}
    after = {cluster.name: cluster for cluster in new.clusters if cluster.enabled}
    return Changes(
        removed=tuple(name for name in before if name not in after),
        changed=tuple(
            name for name in after if name in before and _asked(before[name]) != _asked(after[name])
        ),
        added=tuple(name for name in after if name not in before),
        restart=tuple(
            f"[{section}] {key}"
            for section, keys in RESTART.items()
            for key in keys
            if getattr(getattr(old, section), key) != getattr(getattr(new, section), key)
        ),
    )


def in_force(old: Configuration, new: Configuration) -> Configuration:
    """The configuration after a reload: the new one, but for what waits for the next start."""
    # A network of the local store stays one, though the store keeps its old name until then.
    names = {new.local.name: old.local.name}
    kept: dict[str, Any] = {
        "networks": tuple((network, names.get(place, place)) for network, place in new.networks)
    }
    for section, keys in RESTART.items():
        part = getattr(old, section)
        kept[section] = replace(getattr(new, section), **{key: getattr(part, key) for key in keys})
    assert set(kept) <= {field.name for field in fields(Configuration)}
    return replace(new, **kept)


def _asked(cluster: Cluster) -> tuple[object, ...]:
    """How a cluster is asked."""
    return cluster.addresses, cluster.protocol, cluster.http_port, cluster.tftp_port
