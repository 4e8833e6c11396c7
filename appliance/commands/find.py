"""`appliance find`: who has a file, asked past all that is remembered."""

from __future__ import annotations

import argparse
from typing import Any

from appliance.commands.answer import Subparsers, show, show_json, table
from appliance.commands.arguments import name
from appliance.config import load
from appliance.control import client
from appliance.report.parts import join


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "find",
        parents=[shared, reporting],
        help="ask the store and every cluster for a file",
        description="Ask the store and every cluster for a file, past all that is remembered: who has it, "
        "how large, and how long each took. A device's name stands for its configuration. "
        "Exit status 1 where nobody has it.",
    )
    command.add_argument("name", type=name, metavar="NAME-or-DEVICE")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print who has the file."""
    socket = load.read(options.config).paths.run / "proxy.sock"
    data = join(client.stream(socket, "find", {"name": options.name}))
    having = [place["place"] for place in data["places"] if place["has_it"]]
    if options.json:
        show_json(data)
        return 0 if having else 1
    device = f" of {data['device']}" if data["device"] else ""
    found = places(data["places"])
    if data["home"]:
        found += f"\n\nremembered home: {data['home']}"
    if len(having) > 1:
        found += f"\n\nmore than one place has it; it is served from the first: {', '.join(having)}"
    proxies = [f"{place['place']} ({place['proxy']})" for place in data["places"] if place["proxy"]]
    if proxies:
        found += f"\n\nitself a proxy, which answers others from its own store alone: {', '.join(proxies)}"
    show(f"{data['name']}: a {data['kind']} file{device}\n\n{found}")
    return 0 if having else 1


def places(found: list[dict[str, Any]]) -> str:
    """What each place said, as a table."""
    words = {True: "yes", False: "no", None: "not known"}
    rows = [
        (place["place"], words[place["has_it"]], place["size_bytes"], _took(place["took_ms"]), place["text"])
        for place in found
    ]
    return table([("PLACE", "HAS IT", "BYTES", "TOOK", ""), *rows])


def _took(took_ms: float | None) -> str:
    return "" if took_ms is None else f"{took_ms:.1f} ms"
