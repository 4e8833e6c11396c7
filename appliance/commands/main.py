"""`appliance`: the sub-commands and what they share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import appliance
from appliance.commands import config, explain, find, forget, get, proxy, status
from appliance.commands.answer import Failure, fail
from appliance.config.faults import ConfigurationError
from appliance.control.protocol import VerbError

DEFAULT = Path("/data/appliance.conf")

COMMANDS = (proxy, config, status, find, explain, forget, get)


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
    options = parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
    except ConfigurationError as error:
        return fail(*str(error).splitlines())
    except VerbError as error:
        where = f" ({error.where})" if error.where else ""
        return fail(f"{error.text}{where}")
    except Failure as error:
        return fail(str(error))
    except BrokenPipeError:
        # The reader of our output has enough: what is left in the buffer must not be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return int(status)
