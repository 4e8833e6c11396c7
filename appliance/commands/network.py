"""`appliance network`: interfaces as they are, as they ought to be, and the changes between the two."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path

from appliance.commands.answer import Failure, Subparsers, show, show_json, table
from appliance.config import load
from appliance.config.model import Configuration
from appliance.control import client
from appliance.network.configured import Configured, NotApplied
from appliance.report.network import InterfaceShown, NetworkChanges, NetworkShown


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser("network", help="show and set up interfaces", description="The interfaces.")
    verbs = command.add_subparsers(metavar="VERB", required=True)
    shown = verbs.add_parser(
        "show",
        parents=[shared, reporting],
        help="interfaces, addresses and routes, and who made them",
        description="Interfaces, addresses and routes as they are, and who made them; what others made is "
        "left alone.",
    )
    shown.set_defaults(run=run_show)
    planned = verbs.add_parser(
        "plan",
        parents=[shared, reporting],
        help="the changes that a configuration would make",
        description="The changes that a configuration would make, in their order. Nothing is changed.",
    )
    planned.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="default: the configuration in use"
    )
    planned.set_defaults(run=run_plan)
    applied = verbs.add_parser(
        "apply",
        parents=[shared, reporting],
        help="make the interfaces what the configuration says",
        description="Have the control daemon make the interfaces what the configuration in force says.",
    )
    applied.add_argument(
        "--here",
        action="store_true",
        help="without the daemon, as root, by the file of -c; DHCP leases are used, but not asked for",
    )
    applied.set_defaults(run=run_apply)


def run_show(options: argparse.Namespace) -> int:
    """Print what there is."""
    configuration = load.read(options.config)
    try:
        found = _configured(configuration).show(configuration.interfaces, configuration.system)
    except OSError as error:
        raise Failure(f"the interfaces cannot be read: {error.strerror}") from None
    if options.json:
        show_json(asdict(found))
    else:
        show(_text(found))
    return 0


def run_plan(options: argparse.Namespace) -> int:
    """Print the changes that a configuration would make."""
    configuration = load.read(options.file or options.config)
    try:
        changes = _configured(configuration).plan(configuration.interfaces)
    except OSError as error:
        raise Failure(f"the interfaces cannot be read: {error.strerror}") from None
    return _tell(NetworkChanges(tuple(map(str, changes))), as_json=options.json)


def run_apply(options: argparse.Namespace) -> int:
    """Make the changes; 1 where some were refused."""
    configuration = load.read(options.config)
    if not options.here:
        data = client.ask(configuration.paths.run / "control.sock", "network_apply")
        found = NetworkChanges(tuple(data["changes"]), tuple(data.get("refused", ())))
        return _tell(found, as_json=options.json)
    if os.geteuid() != 0:
        raise Failure("only root can set up interfaces")
    try:
        changes = _configured(configuration).set_up(configuration.interfaces)
        found = NetworkChanges(tuple(map(str, changes)))
    except NotApplied as error:
        found = NetworkChanges(tuple(map(str, error.made)), tuple(map(str, error.refused)))
    except OSError as error:
        raise Failure(f"the interfaces cannot be set up: {error.strerror}") from None
    return _tell(found, as_json=options.json)


def _configured(configuration: Configuration) -> Configured:
    return Configured(configuration.paths.run)


def _tell(found: NetworkChanges, *, as_json: bool) -> int:
    if as_json:
        show_json(asdict(found))
    else:
        lines = [*found.changes, *(f"refused: {each}" for each in found.refused)]
        show("\n".join(lines) if lines else "nothing to change")
    return 1 if found.refused else 0


def _text(found: NetworkShown) -> str:
    rows: list[tuple[object, ...]] = [("INTERFACE", "STATE", "MTU", "ADDRESS", "BY")]
    for interface in found.interfaces:
        first = (interface.name, _state(interface), interface.mtu_bytes or "")
        held = [
            (each.address, each.origin + (", tentative" if each.tentative else ""))
            for each in interface.addresses
        ]
        for number, (address, origin) in enumerate(held or [("", "")]):
            rows.append((*(first if number == 0 else ("", "", "")), address, origin))
    parts = [table(rows)]
    if found.routes:
        ways = [(way.network, way.via, way.interface, way.metric, way.origin) for way in found.routes]
        parts.append(table([("NETWORK", "VIA", "INTERFACE", "METRIC", "BY"), *ways]))
    for interface in found.interfaces:
        for lease in interface.leases:
            left = "for ever" if lease.left_s is None else f"{lease.left_s:.0f} s left"
            parts.append(f"lease of {interface.name}, {lease.family}: {', '.join(lease.addresses)}, {left}")
    parts.append(f"name servers: {', '.join(found.name_servers) or 'none'}")
    if found.changes:
        parts.append("\n".join(["not as configured yet:", *(f"  {change}" for change in found.changes)]))
    return "\n\n".join(parts)


def _state(interface: InterfaceShown) -> str:
    if not interface.there:
        return "no such interface"
    state = "up" if interface.up and interface.carrier else "no carrier" if interface.up else "off"
    return state if interface.managed else f"{state}, not managed"
