"""The shapes of `appliance find`, `move`, `explain` and `forget`: what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.report.record import Step


@dataclass(frozen=True, slots=True)
class Finding:
    """What one place said. `has_it` is None where it did not say. `proxy` is the appliance that a cluster
    says to be itself, None where it says nothing of the kind.
    """

    place: str
    has_it: bool | None
    size_bytes: int | None
    address: str | None
    took_ms: float | None
    text: str
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What all places said of one name, the local store first, then the clusters in order. `home` is the
    place that is remembered as the device's.
    """

    name: str
    kind: str
    device: str | None
    home: str | None
    places: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """What all places said of a device's configuration. `signer` is who has signed it in the new cluster, and
    `signer_accepted` whether the phone takes that by the trust lists it has of its present one; None where
    that is not known. `done`: nothing is left to do; `left` tells it.
    """

    device: str
    to: str
    home_before: str | None
    places: tuple[Finding, ...]
    signer: str | None
    signer_accepted: bool | None
    done: bool
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be done for a request."""

    name: str
    client: str
    steps: tuple[Step, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was dropped."""

    negative_entries: int
    fetches: int
    homes: int
    copies: int


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the configuration again. `in_force`: it is gone by now; else `faults` say why
    not, and all is as before. `restart` names settings that have changed and count from the next start on.
    """

    in_force: bool
    configuration: str
    clusters_removed: tuple[str, ...]
    clusters_changed: tuple[str, ...]
    clusters_added: tuple[str, ...]
    restart: tuple[str, ...]
    faults: tuple[str, ...]
