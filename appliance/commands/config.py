"""`appliance config`: what is wrong with a configuration; its life is control's."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from appliance.commands import config_control
from appliance.commands.answer import Subparsers, show, show_json
from appliance.commands.machine import Misfit, misfits
from appliance.config import load
from appliance.config.faults import ConfigurationError, Fault
from appliance.config.model import Configuration
from appliance.network.addresses import own_addresses, own_interfaces
from appliance.services import zone


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "config", help="check and change the configuration", description="The configuration."
    )
    verbs = command.add_subparsers(metavar="VERB", required=True)
    check = verbs.add_parser(
        "check",
        parents=[shared, reporting],
        help="tell every fault of a file",
        description="Tell every fault of a file at once: section, key, what was found, what is allowed. "
        "What does not fit this machine as it is now is a warning, and no fault.",
    )
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: the configuration in use")
    check.set_defaults(run=run)
    config_control.add(verbs, shared, reporting)


def run(options: argparse.Namespace) -> int:
    """Check a file; 1 where it has faults."""
    path = options.file or options.config
    try:
        configuration = load.read(path)
    except ConfigurationError as error:
        if not options.json:
            raise
        show_json(_checked(path, error.faults, []))
        return 1
    store, timezone = _store(configuration), _zone(configuration)
    warnings = list(misfits(configuration, own_addresses(), own_interfaces(), store, timezone))
    if options.json:
        show_json(_checked(path, [], warnings))
        return 0
    names = ", ".join(
        cluster.name + ("" if cluster.enabled else " (switched off)") for cluster in configuration.clusters
    )
    show(f"{path}: no faults; clusters: {names or 'none'}")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _checked(path: Path, faults: Sequence[Fault], warnings: Sequence[Misfit]) -> dict[str, object]:
    return {
        "file": str(path),
        "valid": not faults,
        "faults": [asdict(fault) for fault in faults],
        "warnings": [asdict(warning) for warning in warnings],
    }


def _store(configuration: Configuration) -> str:
    """What is wrong with the store's folder."""
    root = configuration.local.root
    try:
        return "" if stat.S_ISDIR(os.stat(root).st_mode) else "not a folder"
    except FileNotFoundError:
        made = root == configuration.paths.data / "tftp"  # where nobody has chosen another one
        return "no such folder" + (": the proxy makes it when it starts, empty" if made else "")
    except OSError as error:
        return error.strerror or "cannot be read"


def _zone(configuration: Configuration) -> str:
    """What is wrong with the time zone."""
    try:
        zone.content(configuration.system.timezone)
    except zone.NoZone as error:
        return str(error)
    return ""
