"""An HTTP client of plain bytes: what it sends is the test's to say."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PATIENCE = 5.0  # s for an answer that must come


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `fields` with names in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes


class Browser:
    """One connection."""

    def __init__(self, server: tuple[str, int], source: str = "") -> None:
        self.wire = socket.create_connection(server, PATIENCE, (source, 0) if source else None)
        self._lines = self.wire.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._lines.close()
        self.wire.close()

    def reset(self) -> None:
        """End it without a word, and without a trace in the kernel."""
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def send(self, *pieces: bytes) -> None:
        """Send these, each in a call of its own."""
        for piece in pieces:
            self.wire.sendall(piece)

    def reply(self, head_only: bool = False) -> Reply:
        """The next answer; AssertionError where there is none, or no whole one."""
        words = self._lines.readline().split(b" ", 2)
        assert words[0] == b"HTTP/1.1", words
        fields: dict[str, str] = {}
        while line := self._lines.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            assert name.lower() not in fields
            fields[name.lower()] = value.strip()
        length = int(fields["content-length"])
        body = b"" if head_only else self._lines.read(length)
        assert head_only or len(body) == length
        return Reply(int(words[1]), fields, body)

    def get(self, name: str, *fields: str, method: str = "GET") -> Reply:
        """Ask for a file and take the answer."""
        self.send("\r\n".join([f"{method} /{name} HTTP/1.1", "Host:x", *fields, "", ""]).encode())
        return self.reply(method == "HEAD")

    def closed(self, patience: float = PATIENCE) -> bool:
        """Whether the server ends the connection within this time, with nothing more to read."""
        self.wire.settimeout(patience)
        try:
            return self.wire.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        finally:
            self.wire.settimeout(PATIENCE)


def get(server: tuple[str, int], name: str, *fields: str, source: str = "") -> Reply:
    """One file over a connection of its own."""
    with Browser(server, source) as browser:
        return browser.get(name, *fields)
