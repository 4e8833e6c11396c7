"""`appliance control`: the privileged daemon in the foreground, and what comes before it."""

from __future__ import annotations

import argparse
import sys

from appliance.commands.answer import Failure, Subparsers


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "control",
        parents=[shared],
        help="keep configuration and interfaces, in the foreground",
        description="Keep the configuration with its history, and bring it into force: a change that must be "
        "confirmed is reverted when nobody does. Until SIGTERM. Listens on a Unix socket below [paths] run, "
        "for root and the group admin. The log goes to standard error: text on a terminal, else a JSON "
        "object a line.",
    )
    command.add_argument(
        "--prepare",
        action="store_true",
        help="only write what is confirmed as the file in force, before any daemon starts",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve; 0 after an orderly end."""
    confirmed = options.config.absolute()
    # Neither cryptography nor gevent, which take a while to load, is for other commands to wait for.
    if options.prepare:
        from appliance.control import start

        try:
            found = start.prepare(confirmed)
        except OSError as fault:
            raise _not_started(fault) from None
        if found.fault:
            print(f"warning: {found.fault}", file=sys.stderr)
        return 0
    from appliance.control.daemon import Daemon

    try:
        daemon = Daemon(confirmed, sys.stderr.isatty())
    except OSError as fault:
        raise _not_started(fault) from None
    daemon.run()
    return 0


def _not_started(fault: OSError) -> Failure:
    where = f"{fault.filename}: " if fault.filename else ""
    return Failure(f"cannot start: {where}{fault.strerror or fault}")
