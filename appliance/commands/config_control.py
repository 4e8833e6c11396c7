"""`appliance config`: the verbs that ask control."""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.commands import config_text
from appliance.commands.answer import Failure, Subparsers, show, show_json, standard_output, table
from appliance.config import load
from appliance.config.atomic import replace_file
from appliance.control import client

PIECE = 30 * 1024  # bytes of one call; a multiple of 3

SECRET_MAX = 4096  # bytes of a file that holds a passphrase


def add(verbs: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Their places among the verbs."""

    def verb(name: str, run: Any, help_: str, description: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, parents=[shared, reporting], help=help_, description=description)
        made.set_defaults(run=run)
        return made

    made = verb("show", run_show, "the configuration in force", "The text in force, or of a revision.")
    made.add_argument("revision", nargs="?", type=int, default=0, metavar="N", help="a revision")
    made = verb(
        "diff",
        run_diff,
        "what differs between two revisions",
        "What differs from revision N to revision M, line by line. 0 is what is in force.",
    )
    made.add_argument("old", nargs="?", type=int, metavar="N", help="default: the one before the newest")
    made.add_argument("new", nargs="?", type=int, default=0, metavar="M", help="default: what is in force")
    verb("history", run_history, "the revisions", "The revisions that are kept, the newest first.")
    made = verb("commit", run_commit, "put a file in force", _CONFIRMING.format("Put a file in force. "))
    made.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    _commitment(made)
    made = verb("rollback", run_rollback, "commit an old revision", _CONFIRMING.format("Commit a revision. "))
    made.add_argument("revision", type=int, metavar="N", help="a revision of the history")
    _commitment(made)
    made = verb("confirm", run_end, "keep a change that waits", "Keep a change that waits.")
    made.set_defaults(verb="confirm")
    made = verb("revert", run_end, "undo a change that waits", "Go back to what was confirmed, at once.")
    made.set_defaults(verb="revert")
    made = verb(
        "export",
        run_export,
        "the box as one file",
        "Write the configuration in force and the files that go with it (keys, trust, system) as one file. "
        "Keys are in it under a passphrase alone; without one they are left out.",
    )
    made.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: standard output")
    made.add_argument(
        "--for-peer",
        action="store_true",
        help="for the second box of a pair: without name, addresses and keys of this one",
    )
    _passphrase(made)
    made = verb(
        "import", run_import, "commit what was exported", _CONFIRMING.format("Commit an exported file. ")
    )
    made.add_argument("file", type=Path, metavar="FILE", help="what `export` wrote")
    _passphrase(made)
    _commitment(made)


_CONFIRMING = (
    "{}A change of interfaces or of SSH is reverted unless `appliance config confirm` follows within two "
    "minutes; --confirm sets another time, or asks for it with other changes; 0 confirms at once."
)


def run_show(options: argparse.Namespace) -> int:
    """Print a text."""
    text = "".join(client.stream(_path(options), "show", {"revision": options.revision}))
    if options.json:
        show_json({"revision": options.revision, "text": text})
    else:
        with standard_output() as out:
            out.write(text)
    return 0


def run_diff(options: argparse.Namespace) -> int:
    """Print a difference."""
    path, old = _path(options), options.old
    if old is None:
        numbers = [each["number"] for each in client.stream(path, "history")]
        if len(numbers) < 2:
            raise Failure("there is one revision only")
        old = numbers[1]
    found: dict[str, list[Any]] = {"lines": [], "settings": []}
    for piece in client.stream(path, "diff", {"old": old, "new": options.new}):
        for key, entries in piece.items():
            found[key] += entries
    if options.json:
        show_json(found)
    else:
        show("\n".join(found["lines"]) or "no difference")
    return 0


def run_history(options: argparse.Namespace) -> int:
    """Print the revisions."""
    found = list(client.stream(_path(options), "history"))
    if options.json:
        show_json({"revisions": found})
        return 0
    rows = [(each["number"], each["time"], each["author"], each["state"], each["comment"]) for each in found]
    show(table([("REVISION", "TIME", "AUTHOR", "", "COMMENT"), *rows]))
    return 0


def run_commit(options: argparse.Namespace) -> int:
    """Commit a file."""
    with _given(options, _content(options.file)) as connection:
        return _committed(options, connection.ask("commit", _commit_args(options)))


def run_rollback(options: argparse.Namespace) -> int:
    """Commit a revision."""
    args = {"revision": options.revision, **_commit_args(options)}
    return _committed(options, client.ask(_path(options), "rollback", args))


def run_end(options: argparse.Namespace) -> int:
    """Confirm a change, or revert it."""
    data = client.ask(_path(options), options.verb)
    if options.json:
        show_json(data)
    else:
        show(config_text.change(data))
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Write a bundle."""
    if options.file is None and (options.json or sys.stdout.isatty()):
        raise Failure("say a FILE to write to")
    args = {"for_peer": options.for_peer, "passphrase": _secret(options)}
    told, *pieces = client.stream(_path(options), "export", args)
    bundle = b"".join(base64.b64decode(piece["data"]) for piece in pieces)
    if options.file is None:
        with standard_output() as out:
            out.buffer.write(bundle)
    else:
        try:
            replace_file(options.file, bundle, 0o600)
        except OSError as fault:
            raise Failure(f"{options.file}: {fault.strerror}") from None
    if options.json:
        show_json(told)
    else:
        print(config_text.exported(told), file=sys.stderr)
    return 0


def run_import(options: argparse.Namespace) -> int:
    """Commit a bundle."""
    args = {"passphrase": _secret(options), **_commit_args(options)}
    with _given(options, _content(options.file)) as connection:
        return _committed(options, connection.ask("import", args))


def _path(options: argparse.Namespace) -> Path:
    return load.read(options.config).paths.run / "control.sock"


@contextmanager
def _given(options: argparse.Namespace, content: bytes) -> Iterator[client.Connection]:
    """A connection on which control has been given this."""
    with client.Connection(_path(options)) as connection:
        for start in range(0, len(content), PIECE):
            data = base64.b64encode(content[start : start + PIECE]).decode()
            connection.ask("put", {"data": data})
        yield connection


def _committed(options: argparse.Namespace, data: dict[str, Any]) -> int:
    if options.json:
        show_json(data)
    else:
        show(config_text.committed(data))
    return 0


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise Failure(f"{path}: {fault.strerror}") from None


def _secret(options: argparse.Namespace) -> str:
    """The first line of the passphrase's file; empty without one."""
    if options.passphrase_file is None:
        return ""
    try:
        text = _content(options.passphrase_file)[:SECRET_MAX].decode()
    except UnicodeDecodeError:
        raise Failure(f"{options.passphrase_file}: no text") from None
    secret = text.partition("\n")[0].rstrip("\r")
    if not secret:
        raise Failure(f"{options.passphrase_file}: its first line is empty")
    return secret


def _commit_args(options: argparse.Namespace) -> dict[str, Any]:
    args: dict[str, Any] = {"comment": options.comment}
    return args if options.confirm is None else {**args, "confirm_s": options.confirm}


def _commitment(command: argparse.ArgumentParser) -> None:
    command.add_argument("--confirm", type=float, metavar="SECONDS", help="revert unless confirmed by then")
    command.add_argument("--comment", default="", metavar="TEXT", help="why, for the history")


def _passphrase(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="its first line seals or opens the keys: 8 characters or more",
    )
