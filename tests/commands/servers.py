"""Servers of one answer each, in a thread: `appliance get` blocks, or runs its own loop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class Server:
    """Answers one client, with what the test says. `asked` is what that client sent first."""

    scheme = ""
    kind = socket.SOCK_STREAM

    def __init__(self, *answers: bytes) -> None:
        self.asked = b""
        self._answers = answers
        self._wire = socket.socket(socket.AF_INET, self.kind)
        self._wire.settimeout(10)
        self._wire.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        if self.kind == socket.SOCK_STREAM:
            self._wire.listen()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(20)
        self._wire.close()
        assert not self._thread.is_alive()

    def url(self, name: str) -> str:
        """The URL of a file there."""
        return f"{self.scheme}://127.0.0.1:{self._wire.getsockname()[1]}/{name}"

    def _serve(self) -> None:
        raise NotImplementedError


class HttpServer(Server):
    """Sends the answers one after the other, and closes."""

    scheme = "http"

    def _serve(self) -> None:
        wire, _ = self._wire.accept()
        with wire:
            self.asked = wire.recv(65536)
            for answer in self._answers:
                wire.sendall(answer)


class TftpServer(Server):
    """Sends one datagram to each that it gets."""

    scheme = "tftp"
    kind = socket.SOCK_DGRAM

    def _serve(self) -> None:
        for number, answer in enumerate(self._answers):
            datagram, peer = self._wire.recvfrom(65536)
            self.asked = self.asked or datagram
            self._wire.sendto(answer, peer)
            if number + 1 == len(self._answers) and answer[:2] != b"\0\5":
                self._wire.recvfrom(65536)  # the last ACK


def blocks(body: bytes, size: int = 512) -> Sequence[bytes]:
    """The DATA datagrams of a file."""
    return [
        b"\0\3" + (number + 1).to_bytes(2, "big") + body[number * size : (number + 1) * size]
        for number in range(len(body) // size + 1)
    ]
