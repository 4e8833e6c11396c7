"""Where control keeps what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from appliance.config import load
from appliance.config.faults import ConfigurationError
from appliance.config.model import Paths


@dataclass(frozen=True, slots=True)
class Places:
    """`confirmed` is the configuration that was confirmed last, `in_force` the one that the proxy reads."""

    confirmed: Path
    in_force: Path
    history: Path
    marker: Path
    audit: Path
    socket: Path


def places(confirmed: Path, paths: Paths) -> Places:
    """The places of one box, by the path of its configuration and what that says of folders."""
    return Places(
        confirmed=confirmed,
        in_force=paths.run / "running.conf",
        history=paths.data / "history",
        marker=paths.data / "change.json",
        audit=paths.data / "log" / "audit.log",
        socket=paths.run / "control.sock",
    )


def salvaged(text: bytes) -> Paths:
    """The folders that a configuration with faults means: those of its [paths] where that is whole, else the
    usual ones.
    """
    section = re.search(rb"^[ \t]*\[[ \t]*paths[ \t]*\][^\n]*\n((?:(?![ \t]*\[).*\n?)*)", text, re.MULTILINE)
    for attempt in (section[1] if section else b"", b""):
        try:
            return load.parse(b"version = 1\n[paths]\n" + attempt, "[paths]").paths
        except ConfigurationError:
            continue
    raise AssertionError("the defaults have no fault")
