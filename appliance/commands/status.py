"""`appliance status`: the running proxy at a glance."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from appliance.commands import config_text
from appliance.commands.answer import Subparsers, show, show_json, table
from appliance.config import load
from appliance.control import client
from appliance.control.protocol import VerbError
from appliance.report.parts import join

CONTROL_MAX = 5.0  # s of silence of control, which this goes on without


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
    run = load.read(options.config).paths.run
    data = join(client.stream(run / "proxy.sock", "status"))
    control = _control(run)
    if options.json:
        show_json({**data, "control": control} if control else data)
    else:
        parts = (
            _head(data),
            _listeners(data),
            _workers(data),
            _clusters(data),
            _duplicates(data),
            _counters(data),
            _change(control),
        )
        show("\n\n".join(part for part in parts if part))
    return 0


def _control(run: Path) -> dict[str, Any] | None:
    """What control says, where one runs and answers whoever asks."""
    try:
        return dict(client.ask(run / "control.sock", "status", timeout=CONTROL_MAX))
    except VerbError:
        return None


def _change(control: dict[str, Any] | None) -> str:
    if control is None:
        return ""
    fault = [f"configuration: {control['fault']}"] if control["fault"] else []
    return "\n".join([*fault, config_text.waiting(control["pending"])] if control["pending"] else fault)


def _head(data: dict[str, Any]) -> str:
    held, store, devices, copies = data["held"], data["store"], data["devices"], data["copies"]
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
            ("devices with a home", _with_fault(devices["homes"], devices["fault"])),
            ("remembered as missing", held["negative_entries"]),
            ("files kept on disk", _with_fault(copies["entries"], copies["fault"])),
            ("bytes of kept files", copies["disk_bytes"]),
            ("bodies in memory", f"{held['memory_bytes']} of at most {held['memory_max_bytes']} bytes"),
            ("bodies on disk", f"{held['disk_bytes']} of at most {held['disk_max_bytes']} bytes"),
        ]
    )


def _with_fault(count: int, fault: str) -> str:
    return f"{count} ({fault})" if fault else str(count)


def _listeners(data: dict[str, Any]) -> str:
    rows = [
        (
            entry["transport"],
            entry["address"],
            entry["port"],
            ", ".join(entry["interfaces"]),
            "; ".join(part for part in ("listens" if entry["listening"] else "", entry["why"]) if part),
        )
        for entry in data["listeners"]
    ]
    return table([("LISTENER", "ADDRESS", "PORT", "INTERFACES", ""), *rows])


def _workers(data: dict[str, Any]) -> str:
    rows: list[tuple[object, ...]] = [
        ("WORKER", "PROCESS", "TRANSFERS", "HTTP CONNECTIONS", "REQUESTS", "RESTARTS", "")
    ]
    for each in data["workers"]:
        held = (each["transfers"], each["http_connections"], each["requests"], each["restarts"])
        rows.append((each["number"], each["pid"], *held, each["why"] or "answers"))
    return table(rows) if data["workers"] else ""


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
    why = address["out_of_use"] or cluster["out_of_use"]
    if why:
        return f"out of use: {why}"
    silent = [each["protocol"] for each in address["protocols"] if each["state"] == "open"]
    if silent and len(silent) < len(address["protocols"]):
        return f"answers, not over {silent[0].upper()}"
    return {None: "not asked yet", True: "answers", False: "does not answer"}[address["answering"]]


def _duplicates(data: dict[str, Any]) -> str:
    devices = data["devices"]
    rows: list[tuple[object, ...]] = [("IN SEVERAL CLUSTERS", "HOME", "ALSO IN")]
    rows += [(each["device"], each["home"], ", ".join(each["others"])) for each in devices["duplicates"]]
    more = devices["duplicates_count"] - len(devices["duplicates"])
    if more:
        rows.append((f"and {more} more", "", ""))
    return table(rows) if devices["duplicates_count"] else ""


def _counters(data: dict[str, Any]) -> str:
    counters = dict(data["counters"])
    results, dropped = counters.pop("results"), counters.pop("dropped")
    rows = [(name.replace("_", " "), value) for name, value in counters.items()]
    rows += [(f"ended: {name}", value) for name, value in sorted(results.items())]
    rows += [(f"not answered: {name}", value) for name, value in sorted(dropped.items())]
    return table([("COUNTED", "SINCE THE START"), *rows])
