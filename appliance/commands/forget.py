"""`appliance forget`: drop what the proxy remembers."""

from __future__ import annotations

import argparse

from appliance.commands.answer import Subparsers, show, show_json
from appliance.commands.arguments import name
from appliance.config import load
from appliance.control import client


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "forget",
        parents=[shared, reporting],
        help="drop what is remembered of a file or device",
        description="Drop what is remembered of a file or device, at once. Running transfers go on.",
    )
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("name", type=_name, nargs="?", metavar="DEVICE-or-NAME")
    which.add_argument("--all", action="store_true", help="everything")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Forget, and tell how much there was."""
    args = {"name": "" if options.all else options.name}
    data = client.ask(load.read(options.config).paths.run / "proxy.sock", "forget", args)
    if options.json:
        show_json(data)
    else:
        show(
            f"dropped: {data['negative_entries']} remembered as missing, {data['homes']} homes, "
            f"{data['copies']} copies, {data['fetches']} shared fetches"
        )
    return 0


def _name(text: str) -> str:
    if not text:  # never everything by a variable that was not set
        raise argparse.ArgumentTypeError("an empty name; --all is everything")
    return name(text)
