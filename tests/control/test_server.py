"""The server, asked by plain sockets: whatever one client does, the others are answered."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket

from appliance.control.protocol import LINE_MAX, VerbError, Whose
from appliance.control.server import CLIENTS_MAX, Server

BEYOND = 10 * 1024 * 1024  # bytes of a line that no daemon takes


class Daemon:
    """A daemon with a verb for each way to answer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Exception] = []
        self.closed: list[str] = []
        verbs = {
            "echo": lambda args: args,
            "stream": self.stream,
            "refuse": self.refuse,
            "fail": lambda args: args["absent"],
            "fail late": self.fail_late,
            "large": lambda args: "x" * LINE_MAX,
            "no data": lambda args: object(),
            "slow": self.slow,
        }
        self.server = Server(path, verbs, self.faults.append)

    def stream(self, args: dict[str, Any]) -> Iterator[int]:
        try:
            yield from range(args["count"])
        finally:
            self.closed.append("stream")

    def fail_late(self, args: dict[str, Any]) -> Iterator[int]:
        yield 1
        raise KeyError("late")

    def refuse(self, args: dict[str, Any]) -> object:
        raise VerbError(Whose.CONFIGURATION, "not so", "tftp")

    def slow(self, args: dict[str, Any]) -> object:
        gevent.sleep(args["seconds"])
        return "slept"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "run/proxy.sock")
    daemon.server.bind(-1, -1)
    daemon.server.start()
    yield daemon
    assert ask(daemon, "echo", {"still": "there"})["data"] == {"still": "there"}
    daemon.server.close()
    assert not daemon.path.exists()


def connect(daemon: Daemon) -> socket.socket:
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wire.settimeout(10)
    wire.connect(str(daemon.path))
    return wire


def line(verb: str, args: dict[str, Any] | None = None, number: int = 7) -> bytes:
    return json.dumps({"v": 1, "id": number, "verb": verb, "args": args or {}}).encode() + b"\n"


def answers(wire: socket.socket) -> Iterator[Any]:
    with wire.makefile("rb") as lines:
        for answer in lines:
            assert len(answer) <= LINE_MAX
            yield json.loads(answer)


def ask(daemon: Daemon, verb: str, args: dict[str, Any] | None = None) -> Any:
    with connect(daemon) as wire:
        wire.sendall(line(verb, args))
        return next(answers(wire))


def test_an_answer(daemon: Daemon) -> None:
    assert ask(daemon, "echo", {"a": [1, "\u00fc"]}) == {"id": 7, "data": {"a": [1, "\u00fc"]}}
    assert daemon.faults == []


def test_many_calls_on_one_connection(daemon: Daemon) -> None:
    with connect(daemon) as wire:
        wire.sendall(b"".join(line("echo", number=number) for number in range(100)))
        wire.shutdown(socket.SHUT_WR)
        assert [answer["id"] for answer in answers(wire)] == list(range(100))


def test_a_line_in_pieces(daemon: Daemon) -> None:
    with connect(daemon) as wire:
        for byte in line("echo", {"a": 1}):
            wire.sendall(bytes([byte]))
            gevent.sleep(0)
        assert next(answers(wire)) == {"id": 7, "data": {"a": 1}}


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_stream(daemon: Daemon, count: int) -> None:
    with connect(daemon) as wire:
        wire.sendall(line("stream", {"count": count}) + line("echo"))
        wire.shutdown(socket.SHUT_WR)
        *data, end, after = answers(wire)
    assert data == [{"id": 7, "data": number} for number in range(count)]
    assert end == {"id": 7, "end": True}
    assert after == {"id": 7, "data": {}}


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (line("nonsense"), {"whose": "peer", "text": "no such verb; there are: echo, fail, fail late"}),
        (line("\ud800"), {"whose": "peer", "text": "no such verb; there are: echo, fail, fail late"}),
        (line("refuse"), {"whose": "configuration", "text": "not so", "where": "tftp"}),
        (line("large"), {"whose": "ours", "text": "does not fit a line"}),
        (line("fail"), {"whose": "ours", "text": "the daemon failed; see its log"}),
        (line("no data"), {"whose": "ours", "text": "the daemon failed; see its log"}),
        (line("stream"), {"whose": "ours", "text": "the daemon failed; see its log"}),
        (b"nonsense\n", {"whose": "peer", "text": "no JSON"}),
        (b"\n", {"whose": "peer", "text": "no JSON"}),
        (b"\xff\n", {"whose": "peer", "text": "no JSON"}),
        (b"[" * 60_000 + b"\n", {"whose": "peer", "text": "no JSON"}),
        (b"{}\n", {"whose": "peer", "text": "a call is an object"}),
        (b'{"v":2}\n', {"whose": "peer", "text": "speaks version 1"}),
    ],
)
def test_an_error_ends_one_call(daemon: Daemon, sent: bytes, error: dict[str, str]) -> None:
    with connect(daemon) as wire:
        wire.sendall(sent + line("echo", {"a": 1}))
        wire.shutdown(socket.SHUT_WR)
        first, second = answers(wire)
    assert set(first) == {"id", "error"}
    assert error["text"] in first["error"]["text"]
    assert error.items() - {("text", error["text"])} <= first["error"].items()
    assert second == {"id": 7, "data": {"a": 1}}
    assert len(daemon.faults) == (1 if "see its log" in error["text"] else 0)


def test_a_stream_that_fails_on_its_way(daemon: Daemon) -> None:
    with connect(daemon) as wire:
        wire.sendall(line("fail late"))
        wire.shutdown(socket.SHUT_WR)
        data, error = answers(wire)
    assert data == {"id": 7, "data": 1}
    assert error["error"]["whose"] == "ours"
    assert "late" not in error["error"]["text"]
    assert [type(fault) for fault in daemon.faults] == [KeyError]


def test_a_client_that_goes_in_the_middle_of_a_stream(daemon: Daemon) -> None:
    with connect(daemon) as wire:
        wire.sendall(line("stream", {"count": 1_000_000}))
        wire.recv(10)
    while daemon.closed != ["stream"]:
        gevent.sleep(0.001)
    assert daemon.faults == []


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_bound(daemon: Daemon, end: bytes) -> None:
    with connect(daemon) as wire:
        with pytest.raises(BrokenPipeError):
            wire.sendall(b"x" * BEYOND + end)
        assert "longer than 64 KiB" in next(answers(wire))["error"]["text"]


def test_the_longest_line(daemon: Daemon) -> None:
    room = LINE_MAX - len(line("echo", {"a": ""}))
    assert len(line("echo", {"a": "x" * room})) == LINE_MAX
    assert len(ask(daemon, "echo", {"a": "x" * room})["data"]["a"]) == room
    with connect(daemon) as wire:
        wire.sendall(line("echo", {"a": "x" * (room + 1)}))
        assert "longer than 64 KiB" in next(answers(wire))["error"]["text"]


def test_half_a_line(daemon: Daemon) -> None:
    with connect(daemon) as wire:
        wire.sendall(line("echo")[:-1])
        wire.shutdown(socket.SHUT_WR)
        (answer,) = answers(wire)
    assert "without its end" in answer["error"]["text"]


@pytest.mark.parametrize("sent", [b"", b"x", line("echo"), line("echo")[:-1], b"x" * BEYOND])
def test_a_client_that_goes_without_hearing_the_answer(daemon: Daemon, sent: bytes) -> None:
    for _ in range(3):
        with connect(daemon) as wire:
            wire.settimeout(0.1)
            try:
                wire.sendall(sent)
            except OSError:
                pass  # the daemon has refused it already
    gevent.sleep(0.01)
    assert daemon.faults == []


def test_twenty_clients_while_others_stall(daemon: Daemon) -> None:
    deaf, mute, half = connect(daemon), connect(daemon), connect(daemon)
    deaf.sendall(line("stream", {"count": 1_000_000}))  # never reads: its stream stands still
    half.sendall(line("echo")[:10])
    asking = [gevent.spawn(ask, daemon, "slow", {"seconds": 0.05}) for _ in range(20)]
    assert [greenlet.get() for greenlet in asking] == [{"id": 7, "data": "slept"}] * 20
    for wire in (deaf, mute, half):
        wire.close()


def test_more_clients_than_there_are_places_wait(daemon: Daemon) -> None:
    held = [connect(daemon) for _ in range(CLIENTS_MAX)]
    one_more = gevent.spawn(ask, daemon, "echo")
    gevent.sleep(0.02)
    assert not one_more.ready()
    for wire in held:
        wire.close()
    assert one_more.get() == {"id": 7, "data": {}}


def test_a_client_that_stalls_loses_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.control.server.IDLE_MAX", 0.05)
    daemon = Daemon(tmp_path / "proxy.sock")
    daemon.server.bind(-1, -1)
    daemon.server.start()
    mute, deaf = connect(daemon), connect(daemon)
    deaf.sendall(line("stream", {"count": 1_000_000}))
    assert mute.recv(1) == b""
    while daemon.closed != ["stream"]:
        gevent.sleep(0.001)
    daemon.server.close()


def test_who_may_use_the_path(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o660


def test_nobody_is_answered_before_the_start(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "proxy.sock")
    daemon.server.bind(-1, -1)
    asking = gevent.spawn(ask, daemon, "echo")
    gevent.sleep(0.02)
    assert not asking.ready()
    daemon.server.start()
    assert asking.get() == {"id": 7, "data": {}}
    daemon.server.close()


def test_the_path_of_a_dead_daemon_is_taken_over(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "proxy.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(daemon.path))
        dead.listen()
    assert daemon.path.exists()
    daemon.server.bind(-1, -1)
    daemon.server.start()
    assert ask(daemon, "echo") == {"id": 7, "data": {}}
    daemon.server.close()


def test_the_path_of_a_living_daemon_is_refused(daemon: Daemon) -> None:
    with pytest.raises(OSError, match="another daemon answers there") as refused:
        Daemon(daemon.path).server.bind(-1, -1)
    assert (refused.value.errno, refused.value.filename) == (errno.EADDRINUSE, str(daemon.path))


def test_the_path_of_a_daemon_that_is_overrun_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.control.server.CONNECT_MAX", 0.05)
    path = tmp_path / "proxy.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(OSError, match="another daemon answers there"):
            Daemon(path).server.bind(-1, -1)
    assert path.exists()


def test_a_path_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "proxy.sock").mkdir()
    with pytest.raises(OSError, match=r"proxy\.sock"):
        Daemon(tmp_path / "proxy.sock").server.bind(-1, -1)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Daemon(tmp_path / "file/proxy.sock").server.bind(-1, -1)


def test_a_path_that_somebody_else_removed(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "run/proxy.sock")
    daemon.server.bind(-1, -1)
    daemon.server.start()
    os.unlink(daemon.path)
    daemon.server.close()
    daemon.server.close()
