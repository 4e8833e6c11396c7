"""`appliance`: the sub-commands and what they share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import appliance
from appliance.commands import (
    config,
    control,
    explain,
    find,
    forget,
    get,
    move,
    network,
    proxy,
    status,
    trust,
)
from appliance.commands.answer import Failure, fail, standard_output
from appliance.config.faults import ConfigurationError
from appliance.control.protocol import VerbError

DEFAULT = Path("/data/appliance.conf")

COMMANDS = (proxy, control, config, network, status, find, explain, move, forget, get, trust)


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    whole = argparse.ArgumentParser(
        prog="appliance",
        description="A proxy TFTP appliance for IP phones.",
        epilog="Exit status: 0, 1 when a command failed (it says why), 2 when it was called wrongly.",
    )
    whole.add_argument("--version", action="version", version=f"appliance {appliance.__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        default=Path(os.environ.get("APPLIANCE_CONFIG") or DEFAULT),
        help=f"the configuration (default: $APPLIANCE_CONFIG, else {DEFAULT})",
    )
    reporting = argparse.ArgumentParser(add_help=False)
    reporting.add_argument("--json", action="store_true", help="print one JSON object")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands, shared, reporting)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    if sys.stderr is None:  # closed by whoever called: nobody is to be told, and no socket may become it
        sys.stderr = open(os.devnull, "w", errors="backslashreplace")  # noqa: SIM115
    try:
        options = _options(arguments)
        return int(options.run(options))
    except ConfigurationError as error:
        *lines, last = str(error).splitlines()
        if error.base == str(DEFAULT) and isinstance(error.__cause__, FileNotFoundError):
            last += " (give -c FILE, or set APPLIANCE_CONFIG)"
        return fail(*lines, last)
    except VerbError as error:
        where = f" ({error.where})" if error.where else ""
        return fail(f"{error.text}{where}")
    except Failure as error:
        return fail(str(error))
    except BrokenPipeError:
        return 1  # the reader of our output has enough
    except KeyboardInterrupt:
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return parser().parse_args(arguments)
    except SystemExit as ended:
        if not ended.code:
            with standard_output():
                pass  # --help and --version: argparse has printed, and does not look whether it went out
        raise
