"""`appliance proxy`: the proxy in the foreground."""

from __future__ import annotations

import argparse
import sys

from appliance.commands.answer import Failure, Subparsers
from appliance.config import load


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "proxy",
        parents=[shared],
        help="serve phones, in the foreground",
        description="Serve phones over TFTP and HTTP until SIGTERM, which lets running transfers end "
        "(30 s at most; a second one ends them). SIGHUP reads the configuration again. "
        "Started as root, it becomes the user tftp (else nobody) once its ports are open. "
        "The log goes to standard error: text on a terminal, else a JSON object a line.",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve; 0 after an orderly end, 1 when nobody was left to serve."""
    configuration = load.read(options.config)
    # gevent takes a while to load, which no other command has to wait for.
    from appliance.control.server import Server
    from appliance.serve import nursery
    from appliance.serve.proxy import NotStarted, Proxy
    from appliance.serve.verbs import Verbs

    try:
        human_log = sys.stderr.isatty()
        wire = nursery.start(configuration, human_log) if configuration.tftp.workers > 1 else None
        proxy = Proxy(configuration, options.config, human_log, wire)
        server = Server(configuration.paths.run / "proxy.sock", Verbs(proxy).table(), proxy.log.fault)
        proxy.open()
        proxy.give_up_root(server)
    except NotStarted as fault:
        raise Failure(str(fault)) from None
    except OSError as fault:
        where = f"{fault.filename}: " if fault.filename else ""
        raise Failure(f"cannot start: {where}{fault.strerror or fault}") from None
    except KeyError as fault:
        raise Failure(f"cannot give up root: {fault.args[0]}") from None
    server.start()
    try:
        proxy.run()
    finally:
        server.close()
    return 1 if proxy.failed else 0
