"""The client, against a thread that answers what the test says: it is blocking, so no gevent here."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.control import client
from appliance.control.protocol import LINE_MAX, Call, VerbError, Whose, decode_call

STALL = None
"""As an answer: say nothing until the client has gone."""


class Daemon:
    """Takes one call, and answers with some bytes."""

    def __init__(self, path: Path, answer: bytes | None) -> None:
        self.path = path
        self.calls: list[Call] = []
        self._answer = answer
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wire.settimeout(10)
        self._wire.bind(str(path))
        self._wire.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._wire.close()

    def _serve(self) -> None:
        wire, _ = self._wire.accept()
        with wire, wire.makefile("rb") as lines:
            wire.settimeout(10)
            self.calls.append(decode_call(lines.readline()))
            if self._answer is STALL:
                lines.read()
            else:
                try:
                    wire.sendall(self._answer)
                except BrokenPipeError:
                    pass  # the client has heard enough


Answering = Callable[[bytes | None], Daemon]


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    daemons: list[Daemon] = []

    def start(answer: bytes | None) -> Daemon:
        daemons.append(Daemon(tmp_path / "proxy.sock", answer))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.close()


@pytest.mark.parametrize("data", ['{"a":[1,"\\u00fc"]}', "null", "[]", "0"])
def test_an_answer(answering: Answering, data: str) -> None:
    daemon = answering(f'{{"id":1,"data":{data}}}\n'.encode())
    assert client.ask(daemon.path, "status") == json.loads(data)
    daemon.close()
    assert daemon.calls == [Call(1, "status", {})]


def test_arguments(answering: Answering) -> None:
    daemon = answering(b'{"id":1,"data":1}\n')
    client.ask(daemon.path, "find", {"name": "Gr\u00fc\u00dfe\n\udcff"})
    daemon.close()
    assert daemon.calls == [Call(1, "find", {"name": "Gr\u00fc\u00dfe\n\udcff"})]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_stream(answering: Answering, count: int) -> None:
    items = "".join(f'{{"id":1,"data":{number}}}\n' for number in range(count))
    daemon = answering(f'{items}{{"id":1,"end":true}}\n'.encode())
    assert list(client.stream(daemon.path, "records")) == list(range(count))


def test_who_has_heard_enough_may_go(answering: Answering) -> None:
    daemon = answering(b'{"id":1,"data":1}\n' * 100_000)
    items = client.stream(daemon.path, "records")
    assert next(items) == 1
    items.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "whose", "text", "where"),
    [
        (
            b'{"id":1,"error":{"whose":"peer","text":"no such verb","where":"verb"}}\n',
            Whose.PEER,
            "no such verb",
            "verb",
        ),
        (b"nonsense\n", Whose.PEER, "no JSON", ""),
        (b"\n", Whose.PEER, "no JSON", ""),
        (b"{}\n", Whose.PEER, "not understood", ""),
        (b'{"id":1,"da', Whose.PEER, "no JSON", ""),
        (b'{"id":1,"data":"' + b"x" * LINE_MAX + b'"}\n', Whose.PEER, "no JSON", ""),
        (b"", Whose.OURS, "the daemon closed before it had answered", "proxy.sock"),
        (b'{"id":1,"end":true}\n', Whose.OURS, "the daemon closed before it had answered", "proxy.sock"),
    ],
)
def test_an_error(answering: Answering, answer: bytes, whose: Whose, text: str, where: str) -> None:
    daemon = answering(answer)
    with pytest.raises(VerbError, match=text) as refused:
        client.ask(daemon.path, "status")
    assert refused.value.whose is whose
    assert refused.value.where.endswith(where)


@pytest.mark.parametrize(
    "last", [b"", b"nonsense\n", b'{"id":1,"error":{"whose":"ours","text":"","where":""}}\n']
)
def test_a_stream_without_its_end(answering: Answering, last: bytes) -> None:
    daemon = answering(b'{"id":1,"data":1}\n{"id":1,"data":2}\n' + last)
    items = client.stream(daemon.path, "records")
    assert (next(items), next(items)) == (1, 2)
    with pytest.raises(VerbError):
        next(items)


def test_a_daemon_that_does_not_answer(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.05)
    daemon = answering(STALL)
    with pytest.raises(VerbError, match="the daemon cannot be asked: no answer") as refused:
        client.ask(daemon.path, "status")
    assert refused.value.whose is Whose.OURS


def test_no_daemon(tmp_path: Path) -> None:
    path = tmp_path / "proxy.sock"
    with pytest.raises(VerbError, match=r"^no proxy runs with this configuration$") as refused:
        client.ask(path, "status")
    assert (refused.value.whose, refused.value.where) == (Whose.OURS, str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(VerbError, match=r"^no proxy runs with this configuration$") as refused:
        client.ask(path, "status")
    assert (refused.value.whose, refused.value.where) == (Whose.OURS, str(path))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EACCES, "only root and the proxy's own user may ask it"),
        (errno.EAGAIN, "the daemon cannot be asked: Resource temporarily unavailable"),
    ],
)
def test_a_daemon_that_does_not_let_us_in(
    number: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel says depends on who runs the tests: root is always let in."""

    class Wire(socket.socket):
        def connect(self, address: object, /) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", Wire)
    with pytest.raises(VerbError) as refused:
        client.ask(tmp_path / "proxy.sock", "status")
    assert (refused.value.text, refused.value.where) == (text, str(tmp_path / "proxy.sock"))


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(VerbError, match="the daemon cannot be asked: AF_UNIX path too long"):
        client.ask(tmp_path / ("x" * 120), "status")
