"""The server of a daemon's Unix socket, on gevent. Which verbs there are is the daemon's matter."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import gevent
from gevent import socket
from gevent.pool import Pool

from appliance.control.peers import Peer, peer
from appliance.control.protocol import LINE_MAX, Call, Reply, VerbError, Whose, decode_call, encode_reply

CLIENTS_MAX = 32
CLIENTS_OF_A_USER_MAX = 16  # root and our own user excepted: nobody else fills all places alone
CONNECT_MAX = 1.0  # s for another daemon at our path to take a connection
IDLE_MAX = 60.0  # s for a client to send the whole of its next line, or to take an answer

Verb = Callable[[dict[str, Any]], object]
"""From arguments to data; an iterator is sent as a stream. Raises `VerbError`."""

Table = Mapping[str, Verb]
"""Each verb with what answers it."""


class Server:
    """Answers calls. `fault` is told of what is our own mistake, as the exception."""

    def __init__(
        self, path: Path, verbs: Table | Callable[[Peer], Table], fault: Callable[[Exception], None]
    ) -> None:
        """`verbs` are those of all clients, or tell of each peer which it has for its connection."""
        self._path = path
        self._verbs = verbs
        self._fault = fault
        self._clients = Pool(CLIENTS_MAX)
        self._users: Counter[int] = Counter()
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
        with client:
            try:
                who = peer(client)
                self._users[who.uid] += 1
                try:
                    self._converse(client, who)
                finally:
                    self._users[who.uid] -= 1
            except OSError:
                pass  # the client went, or stalled

    def _converse(self, client: socket.socket, who: Peer) -> None:
        table = self._verbs if isinstance(self._verbs, Mapping) else self._verbs(who)
        crowd = self._users[who.uid] > CLIENTS_OF_A_USER_MAX and who.uid not in (0, os.geteuid())
        with client.makefile("rb") as lines:
            while line := _line(lines):
                if len(line) > LINE_MAX or not line.endswith(b"\n"):
                    _refuse(client, "a line longer than 64 KiB, or without its end")
                    return
                if crowd:
                    _refuse(client, f"this user has {CLIENTS_OF_A_USER_MAX} connections already")
                    return
                for reply in self._answer(line, table):
                    client.sendall(reply)

    def _answer(self, line: bytes, table: Table) -> Iterator[bytes]:
        call = Call(0, "", {})
        try:
            call = decode_call(line)
            verb = table.get(call.verb)
            if verb is None:
                raise VerbError(Whose.PEER, f"no such verb; there are: {', '.join(sorted(table))}")
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


def _line(lines: BinaryIO) -> bytes:
    """The next line. Who sends it byte by byte has no more time than others."""
    with gevent.Timeout(IDLE_MAX, TimeoutError):
        return lines.readline(LINE_MAX + 1)


def _refuse(client: socket.socket, why: str) -> None:
    client.sendall(encode_reply(Reply(0, error=VerbError(Whose.PEER, why))))
