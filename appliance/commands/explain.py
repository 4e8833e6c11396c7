"""`appliance explain`: why a phone gets a file, or got it."""

from __future__ import annotations

import argparse
from typing import Any

from appliance.commands.answer import Subparsers, fail, print_json, steps
from appliance.config import load
from appliance.control import client


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "explain",
        parents=[shared, reporting],
        help="the decision for a request, step by step",
        description="With NAME alone: what would be done if a phone asked for it now. With --last N: the "
        "last N real requests, of a file or device where NAME is given, of a client where --client is.",
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a file, or with --last a device as well")
    command.add_argument("--client", metavar="IP", default="", help="the phone's address")
    command.add_argument("--last", type=int, metavar="N", help="real requests, the newest last")
    command.set_defaults(run=run, usage=command.error)


def run(options: argparse.Namespace) -> int:
    """Print one explanation, or several requests."""
    if options.last is None and options.name is None:
        options.usage("a NAME, or --last N, is needed")
    socket = load.read(options.config).paths.run / "proxy.sock"
    args = {"name": options.name or "", "client": options.client}
    if options.last is None:
        data = client.ask(socket, "explain", args)
        if options.json:
            print_json(data)
        else:
            print(f"{data['name']}\n{steps(data['steps'])}  {'':11}  {data['result']}")
        return 0
    records = list(client.stream(socket, "records", {**args, "last": options.last}))
    if options.json:
        print_json({"requests": records})
    elif not records:
        return fail("no such request is remembered")
    else:
        print("\n\n".join(_request(record) for record in records))
    return 0


def _request(record: dict[str, Any]) -> str:
    what = f"{record['kind']} file" if record["kind"] else "no file"
    device = f" of {record['device']}" if record["device"] else ""
    source = f" from {record['source']}" if record["source"] else ""
    address = f" ({record['address']})" if record["address"] else ""
    detail = f": {record['detail']}" if record["detail"] else ""
    options = "".join(f", {name} {value}" for name, value in record["options"].items())
    return (
        f"{record['time']}  {record['client']}  {record['transport']}  {record['name']}  ({what}{device})\n"
        f"{steps(record['steps'])}"
        f"  {record['duration_ms']:8.1f} ms  {record['result']}{source}{address}{detail}, "
        f"{record['bytes']} bytes, {record['retransmits']} sent again{options}"
    )
