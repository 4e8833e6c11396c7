"""The client of the Unix sockets: plain and blocking, for commands."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from appliance.control.protocol import LINE_MAX, Call, Reply, VerbError, Whose, decode_reply, encode_call

TIMEOUT = 60.0  # s of silence of the daemon

WHO = {"control": "root and the group admin"}
"""Who may ask a daemon, by the name of its socket; else root and the daemon's own user."""


class Absent(VerbError):
    """No daemon runs there."""


def ask(path: Path, verb: str, args: dict[str, Any] | None = None, timeout: float | None = None) -> Any:
    """The data of a verb that answers once; `VerbError`."""
    with Connection(path, timeout) as connection:
        return connection.ask(verb, args)


def stream(path: Path, verb: str, args: dict[str, Any] | None = None) -> Iterator[Any]:
    """The data of a verb, item by item; `VerbError`, also where no daemon answers."""
    with Connection(path) as connection:
        yield from connection.stream(verb, args)


class Connection:
    """Several calls, one after the other. Open within its `with`, which raises as `stream`."""

    def __init__(self, path: Path, timeout: float | None = None) -> None:
        """`timeout` is how many seconds of silence are borne, TIMEOUT where it is not given."""
        self._path = path
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wire.settimeout(TIMEOUT if timeout is None else timeout)
        self._lines = self._wire.makefile("rb")

    def __enter__(self) -> Self:
        try:
            _connect(self._wire, self._path)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def ask(self, verb: str, args: dict[str, Any] | None = None) -> Any:
        """The data of a verb that answers once; `VerbError`."""
        self._send(verb, args)
        reply = self._reply()
        if reply.end:
            raise self._unanswered()
        return reply.data

    def stream(self, verb: str, args: dict[str, Any] | None = None) -> Iterator[Any]:
        """The data of a verb, item by item; `VerbError`."""
        self._send(verb, args)
        while not (reply := self._reply()).end:
            yield reply.data

    def _send(self, verb: str, args: dict[str, Any] | None) -> None:
        try:
            self._wire.sendall(encode_call(Call(1, verb, args or {})))
        except OSError as error:
            raise _unasked(error, self._path) from None

    def _reply(self) -> Reply:
        try:
            line = self._lines.readline(LINE_MAX + 1)
        except OSError as error:
            raise _unasked(error, self._path) from None
        if not line:
            raise self._unanswered()
        reply = decode_reply(line)
        if reply.error is not None:
            raise reply.error
        return reply

    def _unanswered(self) -> VerbError:
        return VerbError(Whose.OURS, "the daemon closed before it had answered", str(self._path))

    def _close(self) -> None:
        self._lines.close()
        self._wire.close()


def _connect(wire: socket.socket, path: Path) -> None:
    none = f"no {path.stem} runs with this configuration"
    try:
        wire.connect(str(path))
    except OSError as error:
        # Where one was killed its socket is still there, and refuses.
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            raise Absent(Whose.OURS, none, str(path)) from None
        if error.errno == errno.EACCES:
            who = WHO.get(path.stem, "root and the proxy's own user")
            raise VerbError(Whose.OURS, f"only {who} may ask it", str(path)) from None
        raise _unasked(error, path) from None


def _unasked(error: OSError, path: Path) -> VerbError:
    why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
    return VerbError(Whose.OURS, f"the daemon cannot be asked: {why}", str(path))
