"""`appliance status`: the running proxy at a glance."""

from __future__ import annotations

import argparse
from typing import Any

from appliance.commands.answer import Subparsers, show, show_json, table
from appliance.config import load
from appliance.control import client


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "status",
        parents=[shared, reporting],
        help="what the proxy listens to, holds and has done",
        description="Listeners (and why one is absent), the store, each cluster's addresses with their "
        "health, what is held, and what was counted since the start.",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the status."""
    data = client.ask(load.read(options.config).paths.run / "proxy.sock", "status")
    if options.json:
        show_json(data)
    else:
        show("\n\n".join((_head(data), _listeners(data), _clusters(data), _counters(data))))
    return 0


def _head(data: dict[str, Any]) -> str:
    held, store = data["held"], data["store"]
    return table(
        [
            ("version", data["version"]),
            ("configuration", data["configuration"]),
            ("running for", f"{data['uptime_s']:.0f} s"),
            (
                "store",
                f"{store['name']}: {store['root']}" + (f" ({store['fault']})" if store["fault"] else ""),
            ),
            ("transfers", f"{held['transfers']} of at most {held['transfers_max']}"),
            ("HTTP connections", held["http_connections"]),
            ("fetches, running or just ended", held["fetches"]),
            ("remembered as missing", held["negative_entries"]),
            ("bodies in memory", f"{held['memory_bytes']} of at most {held['memory_max_bytes']} bytes"),
            ("bodies on disk", f"{held['disk_bytes']} of at most {held['disk_max_bytes']} bytes"),
        ]
    )


def _listeners(data: dict[str, Any]) -> str:
    rows = [
        (
            entry["transport"],
            entry["address"],
            entry["port"],
            "listens" if entry["listening"] else entry["why"],
        )
        for entry in data["listeners"]
    ]
    return table([("LISTENER", "ADDRESS", "PORT", ""), *rows])


def _clusters(data: dict[str, Any]) -> str:
    rows: list[tuple[object, ...]] = [("CLUSTER", "ADDRESS", "STATE", "LATENCY", "ANSWERS", "FAILURES", "")]
    for cluster in data["clusters"]:
        rows += [
            (
                cluster["name"] + (f" ({cluster['description']})" if cluster["description"] else ""),
                address["address"],
                _state(cluster, address),
                "" if address["latency_ms"] is None else f"{address['latency_ms']:.0f} ms",
                address["answers"],
                address["failures"],
                address["last_failure"],
            )
            for address in cluster["addresses"]
        ]
    return table(rows)


def _state(cluster: dict[str, Any], address: dict[str, Any]) -> str:
    if not cluster["enabled"]:
        return "switched off"
    if address["out_of_use"]:
        return f"out of use: {address['out_of_use']}"
    return {None: "not asked yet", True: "answers", False: "does not answer"}[address["answering"]]


def _counters(data: dict[str, Any]) -> str:
    counters = dict(data["counters"])
    results, dropped = counters.pop("results"), counters.pop("dropped")
    rows = [(name.replace("_", " "), value) for name, value in counters.items()]
    rows += [(f"ended: {name}", value) for name, value in sorted(results.items())]
    rows += [(f"not answered: {name}", value) for name, value in sorted(dropped.items())]
    return table([("COUNTED", "SINCE THE START"), *rows])
