"""A call manager's HTTP: no validators, `no-store`, kept connections (phones.md 1.3)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator
from urllib.parse import unquote

from tests.netns.cucm_served import SLOW, SLOW_PIECES, TRICKLE, Fault, Files, announced

IDLE = 5.0  # s until a connection without a request is closed (phones.md 1.3)
_NO_STORE = "Cache-Control: no-store\r\n"


class Http:
    """One connection a client; several requests on each."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._numbers = itertools.count()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the client goes, is idle for too long, or a fault ends the connection."""
        number = next(self._numbers)
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            going_on = True
            while going_on:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE)
                line, *fields = head.decode("latin-1").split("\r\n")
                name = unquote(line.split(" ")[1]).removeprefix("/")
                vias = [field[4:].strip() for field in fields if field.lower().startswith("via:")]
                self._files.note("http", name, ", ".join(vias), number)
                going_on = await self._answer(name, writer)
        writer.close()

    async def _answer(self, name: str, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again."""
        body, fault = self._files.read(name), self._files.faults.get(name)
        if fault is Fault.SILENT:
            await asyncio.sleep(3600)
        status = ""
        if fault is Fault.REFUSED:
            status = "500 Internal Server Error"
        elif self._files.searching(name):
            status = "503 Busy"
        if status or body is None:
            line = f"HTTP/1.1 {status or '404 Not Found'}\r\n"
            writer.write(f"{line}Content-length: 0\r\n{_NO_STORE}\r\n".encode())
            await writer.drain()
            return True
        writer.write(_head(fault, len(body)))
        async for piece in _pieces(fault, body):
            writer.write(piece)
            await writer.drain()
        if fault is Fault.RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return fault in (None, Fault.TRICKLE, Fault.SLOW, Fault.CHUNKED, Fault.ANNOUNCES_LESS)


def _head(fault: Fault | None, size: int) -> bytes:
    length = announced(fault, size)
    field = "" if length is None else f"Content-length: {length}\r\n"
    if fault in (Fault.CHUNKED, Fault.CHUNKED_CUT):
        field = "Transfer-Encoding: chunked\r\n"
    return f"HTTP/1.1 200 OK\r\n{field}{_NO_STORE}Content-type: */*\r\n\r\n".encode()


async def _pieces(fault: Fault | None, body: bytes) -> AsyncIterator[bytes]:
    half = body[: len(body) // 2]
    match fault:
        case Fault.BREAK_OFF | Fault.RESET:
            yield half
            await asyncio.sleep(0.2)  # the half arrives before the end does
        case Fault.CHUNKED | Fault.CHUNKED_CUT:
            for piece in (half, body[len(half) :])[: 2 if fault is Fault.CHUNKED else 1]:
                yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
            if fault is Fault.CHUNKED:
                yield b"0\r\n\r\n"
        case Fault.TRICKLE | Fault.SLOW:
            size = 1 if fault is Fault.TRICKLE else len(body) // SLOW_PIECES + 1
            for start in range(0, len(body), size):
                yield body[start : start + size]
                await asyncio.sleep(TRICKLE if fault is Fault.TRICKLE else SLOW)
        case Fault.ENDLESS | Fault.ENDLESS_LENGTH:
            yield body
            while True:
                yield bytes(65536)
        case _:
            yield body
