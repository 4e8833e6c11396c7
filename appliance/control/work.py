"""The work of an unprivileged child of control: `python -m appliance.control.work`.

One JSON object comes by standard input, `{"task": …, "args": …}`, and one goes out by standard output, either
`{"data": …}` or `{"fault": …}`. Bytes are base64. Before a byte is read the process is another user, has no
capability and little of everything.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import pwd
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from appliance.config.bundle import Origin, decode, encode
from appliance.config.difference import difference
from appliance.config.faults import ConfigurationError
from appliance.config.peer import with_identity

USER = "nobody"

PR_SET_NO_NEW_PRIVS = 38  # Linux

LIMITS = (
    (resource.RLIMIT_CPU, 10),  # s
    (resource.RLIMIT_AS, 1024 * 1024 * 1024),  # bytes
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NOFILE, 16),
)

INPUT_MAX = 32 * 1024 * 1024
"""bytes of standard input"""


def compare(args: Mapping[str, Any]) -> object:
    """What differs between the texts `old` and `new`, by the names `old_name` and `new_name`."""
    old, new = (base64.b64decode(args[key]) for key in ("old", "new"))
    return asdict(difference(old, new, args["old_name"], args["new_name"]))


def bundle(args: Mapping[str, Any]) -> object:
    """The bundle of `configuration` and `files`, by their `origin`; secrets under a `passphrase` that is not
    empty.
    """
    files = {path: base64.b64decode(content) for path, content in args["files"].items()}
    configuration = base64.b64decode(args["configuration"])
    made = encode(Origin(**args["origin"]), configuration, files, args["passphrase"] or None)
    return {"bundle": _text(made)}


def unbundle(args: Mapping[str, Any]) -> object:
    """What is in a `bundle`; one for a peer gets the identity in the configuration `own`."""
    found = decode(base64.b64decode(args["bundle"]), args["passphrase"] or None)
    configuration = found.configuration
    if found.origin.for_peer:
        configuration = with_identity(configuration, base64.b64decode(args["own"]), "the bundle")
    return {
        "configuration": _text(configuration),
        "files": {path: _text(content) for path, content in found.files.items()},
        "sealed": found.sealed and not args["passphrase"],
    }


TASKS: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "compare": compare,
    "bundle": bundle,
    "unbundle": unbundle,
}


def load_ahead() -> None:
    """Have Python load what it would on first use: the other user may not be able to read where it is."""
    difference(b"a = 1\n", b"\x1b\n", "", "")


def restrict() -> None:
    """Give up what this process may do, for good; `OSError`, `KeyError` where there is no such user."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    for limit, value in LIMITS:
        resource.setrlimit(limit, (value, value))
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)


def main() -> int:
    """Do one task."""
    load_ahead()
    restrict()
    asked = json.loads(sys.stdin.buffer.read(INPUT_MAX))
    try:
        answer = {"data": TASKS[asked["task"]](asked["args"])}
    except (ConfigurationError, ValueError) as error:  # no bundle, a passphrase that is too short
        answer = {"fault": str(error)}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    return 0


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    sys.exit(main())
