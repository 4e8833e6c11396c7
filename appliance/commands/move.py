"""`appliance move`: make another cluster a phone's home, and tell what is left to do."""

from __future__ import annotations

import argparse

from appliance.commands.answer import Subparsers, show, show_json
from appliance.commands.arguments import name
from appliance.commands.find import places
from appliance.config import load
from appliance.control import client
from appliance.report.parts import join

_ACCEPTED = {
    True: "the phone accepts that",
    False: "not by the phone's trust lists",
    None: "whether the phone accepts that is not known",
}


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "move",
        parents=[shared, reporting],
        help="move a phone to another cluster",
        description="Make a cluster the home of a device, from its next boot on, where the cluster has the "
        "device's configuration; tell whether others still have it, and what is left to do. "
        "Exit status 1 while something is left.",
    )
    command.add_argument("device", type=name, metavar="DEVICE")
    command.add_argument("--to", required=True, metavar="CLUSTER", help="the new home")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print who has the device, and what is left to do."""
    args = {"device": options.device, "to": options.to}
    data = join(client.stream(load.read(options.config).paths.run / "proxy.sock", "move", args))
    if options.json:
        show_json(data)
        return 0 if data["done"] else 1
    before = f" (remembered home: {data['home_before']})" if data["home_before"] else ""
    left = "\n".join(f"left to do: {text}" for text in data["left"])
    end = left or f"done: {data['to']} is the home of {data['device']} from its next boot on"
    signer = f"signed by {data['signer']}: {_ACCEPTED[data['signer_accepted']]}\n\n" if data["signer"] else ""
    show(f"{data['device']} to {data['to']}{before}\n\n{places(data['places'])}\n\n{signer}{end}")
    return 0 if data["done"] else 1
