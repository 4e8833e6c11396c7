"""The shapes of `appliance find`, `explain` and `forget`: what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.report.record import Step


@dataclass(frozen=True, slots=True)
class Finding:
    """What one place said. `has_it` is None where it did not say."""

    place: str
    has_it: bool | None
    size_bytes: int | None
    address: str | None
    took_ms: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What all places said of one name, the local store first, then the clusters in order."""

    name: str
    kind: str
    device: str | None
    places: tuple[Finding, ...]


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
