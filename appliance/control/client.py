"""The client of the Unix sockets: plain and blocking, for commands."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance.control.protocol import LINE_MAX, Call, VerbError, Whose, decode_reply, encode_call

TIMEOUT = 60.0  # s of silence of the daemon


def ask(path: Path, verb: str, args: dict[str, Any] | None = None) -> Any:
    """The data of a verb that answers once; `VerbError`."""
    for data in stream(path, verb, args):
        return data
    raise _unanswered(path)


def stream(path: Path, verb: str, args: dict[str, Any] | None = None) -> Iterator[Any]:
    """The data of a verb, item by item; `VerbError`, also where no daemon answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(TIMEOUT)
        try:
            _connect(wire, path)
            wire.sendall(encode_call(Call(1, verb, args or {})))
            with wire.makefile("rb") as lines:
                while line := lines.readline(LINE_MAX + 1):
                    reply = decode_reply(line)
                    if reply.error is not None:
                        raise reply.error
                    if reply.end:
                        return
                    yield reply.data
        except OSError as error:
            why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise VerbError(Whose.OURS, f"the daemon cannot be asked: {why}", str(path)) from None
    raise _unanswered(path)


def _connect(wire: socket.socket, path: Path) -> None:
    none = "no proxy runs with this configuration"
    why = {
        errno.ENOENT: none,
        errno.ECONNREFUSED: none,  # one was killed, and its socket is still there
        errno.EACCES: "only root and the proxy's own user may ask it",
    }
    try:
        wire.connect(str(path))
    except OSError as error:
        if error.errno not in why:
            raise
        raise VerbError(Whose.OURS, why[error.errno], str(path)) from None


def _unanswered(path: Path) -> VerbError:
    return VerbError(Whose.OURS, "the daemon closed before it had answered", str(path))
