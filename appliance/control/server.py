"""The server of a daemon's Unix socket, on gevent. Which verbs there are is the daemon's matter."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.pool import Pool

from appliance.control.protocol import LINE_MAX, Call, Reply, VerbError, Whose, decode_call, encode_reply

CLIENTS_MAX = 32
CONNECT_MAX = 1.0  # s for another daemon at our path to take a connection
IDLE_MAX = 60.0  # s for a client to send its next line, or to take an answer

Verb = Callable[[dict[str, Any]], object]
"""From arguments to data; an iterator is sent as a stream. Raises `VerbError`."""


class Server:
    """Answers calls. `fault` is told of what is our own mistake, as the exception."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb], fault: Callable[[Exception], None]) -> None:
        self._path = path
        self._verbs = verbs
        self._fault = fault
        self._clients = Pool(CLIENTS_MAX)
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._accepting: gevent.Greenlet[..., None] | None = None

    def bind(self, uid: int, gid: int) -> None:
        """Take the path, from a daemon that is gone if need be; `OSError`. Nobody is answered yet."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.settimeout(CONNECT_MAX)
            # EAGAIN: it is there, but has more clients than it can take.
            if other.connect_ex(str(self._path)) in (0, errno.EAGAIN):
                raise OSError(errno.EADDRINUSE, "another daemon answers there", str(self._path))
        self._path.unlink(missing_ok=True)
        before = os.umask(0o117)
        try:
            self._wire.bind(str(self._path))
        finally:
            os.umask(before)
        os.chown(self._path, uid, gid)
        self._wire.listen(CLIENTS_MAX)

    def start(self) -> None:
        """Answer from now on."""
        self._accepting = gevent.spawn(self._accept)

    def close(self) -> None:
        """Answer no more."""
        if self._accepting is not None:
            self._accepting.kill()
        self._clients.kill()
        self._wire.close()
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            pass  # the folder is not ours any more: the next start takes the path over

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._wire.accept()
            except OSError:
                gevent.sleep(0.1)  # out of descriptors: some client will end
                continue
            self._clients.spawn(self._serve, client)
            gevent.sleep(0)  # who connects on and on must not keep the loop to itself

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(IDLE_MAX)
        with client, client.makefile("rb") as lines:
            try:
                while line := lines.readline(LINE_MAX + 1):
                    if len(line) > LINE_MAX or not line.endswith(b"\n"):
                        error = VerbError(Whose.PEER, "a line longer than 64 KiB, or without its end")
                        client.sendall(encode_reply(Reply(0, error=error)))
                        return
                    for reply in self._answer(line):
                        client.sendall(reply)
            except OSError:
                pass  # the client went, or stalled

    def _answer(self, line: bytes) -> Iterator[bytes]:
        call = Call(0, "", {})
        try:
            call = decode_call(line)
            verb = self._verbs.get(call.verb)
            if verb is None:
                raise VerbError(Whose.PEER, f"no such verb; there are: {', '.join(sorted(self._verbs))}")
            data = verb(call.args)
            if isinstance(data, Iterator):
                for item in data:
                    yield encode_reply(Reply(call.id, item))
                yield encode_reply(Reply(call.id, end=True))
            else:
                yield encode_reply(Reply(call.id, data))
        except VerbError as error:
            yield encode_reply(Reply(call.id, error=error))
        except Exception as error:  # noqa: BLE001  the one boundary of the verbs: a mistake of ours ends one call
            self._fault(error)
            yield encode_reply(Reply(call.id, error=VerbError(Whose.OURS, "the daemon failed; see its log")))
