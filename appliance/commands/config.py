"""`appliance config`: what is wrong with a configuration."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from appliance.commands.answer import Subparsers, print_json
from appliance.config import load
from appliance.config.faults import ConfigurationError


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser("config", help="check a configuration", description="The configuration.")
    verbs = command.add_subparsers(metavar="VERB", required=True)
    check = verbs.add_parser(
        "check",
        parents=[shared, reporting],
        help="tell every fault of a file",
        description="Tell every fault of a file at once: section, key, what was found, what is allowed.",
    )
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: the configuration in use")
    check.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check a file; 1 where it has faults."""
    path = options.file or options.config
    try:
        configuration = load.read(path)
    except ConfigurationError as error:
        if not options.json:
            raise
        print_json({"file": str(path), "valid": False, "faults": [asdict(fault) for fault in error.faults]})
        return 1
    if options.json:
        print_json({"file": str(path), "valid": True, "faults": []})
        return 0
    names = ", ".join(cluster.name for cluster in configuration.clusters) or "none"
    print(f"{path}: no faults; clusters: {names}")
    return 0
