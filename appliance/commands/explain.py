"""`appliance explain`: why a phone gets a file, or got it."""

from __future__ import annotations

import argparse
from typing import Any

from appliance.commands.answer import Subparsers, fail, show, show_json, steps
from appliance.commands.arguments import address, number
from appliance.config import load
from appliance.control import client
from appliance.report.record import KEPT

LAST = 10
"""requests of a client, where --last does not say how many"""


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "explain",
        parents=[shared, reporting],
        help="the decision for a request, step by step",
        description="With NAME alone: what would be done if a phone asked for it now. With --last N: the "
        "last N real requests, of a file or device where NAME is given, of a client where --client is. "
        f"With --client alone: the last {LAST} of that client.",
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a file, or with --last a device as well")
    command.add_argument("--client", type=address, metavar="IP", help="the phone's address")
    command.add_argument(
        "--last",
        type=number(1, KEPT),
        metavar="N",
        help=f"real requests (1 to {KEPT}), the newest last",
    )
    command.set_defaults(run=run, usage=command.error)


def run(options: argparse.Namespace) -> int:
    """Print one explanation, or several requests."""
    last = options.last
    if last is None and options.name is None:
        if not options.client:
            options.usage("a NAME, --last N or --client IP is needed")
        last = LAST
    socket = load.read(options.config).paths.run / "proxy.sock"
    args = {"name": options.name or "", "client": options.client or ""}
    if last is None:
        data = client.ask(socket, "explain", args)
        if options.json:
            show_json(data)
        else:
            name = data["name"] or '""'
            show(f"{name}\n{steps(data['steps'])}  {'':11}  {data['result']}")
        return 0
    records = list(client.stream(socket, "records", {**args, "last": last}))
    if options.json:
        show_json({"requests": records})
    elif not records:
        return fail("no such request is remembered")
    else:
        show("\n\n".join(_request(record) for record in records))
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
