"""A call manager's file server: HTTP on 6970 in the exact form of phones.md 1.3, and TFTP on 69.

Run inside a host as a program of its own (`cucm.Cucm` does). It serves a folder, whose files may change
while it runs, without any validator. What it shall do wrong is said over a Unix socket, a JSON object a
line each way; every request is noted, and told there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

HTTP_PORT, TFTP_PORT = 6970, 69
IDLE = 5.0  # s until a connection without a request is closed (phones.md 1.3)
BLOCK = 512  # bytes, RFC 1350
LIE = 100  # bytes by which a length is wrong
RETRANSMIT, TRIES = 1.0, 5
TRICKLE = 1.0  # s between two pieces that trickle
SLOW, SLOW_PIECES = 0.5, 12  # s between two pieces of a slow file, and their number
HEAD_MAX = 8192  # bytes


class Fault(StrEnum):
    """What one file can suffer. Over TFTP a piece is a block, and a length is that of tsize."""

    BREAK_OFF = "breaks off in the middle"
    RESET = "breaks off by a reset"
    ANNOUNCES_MORE = "announces more than there is"
    ANNOUNCES_LESS = "announces less than there is"
    NO_LENGTH = "has no length"
    CHUNKED = "comes in chunks"
    CHUNKED_CUT = "comes in chunks and breaks off"
    TRICKLE = "trickles"
    SLOW = "is slow"
    ENDLESS = "does not end"
    ENDLESS_LENGTH = "has a length and does not end"
    SILENT = "does not come"
    REFUSED = "is refused by a status or an error of its own"


class Files:
    """What is served, and how; shared by both protocols."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: dict[str, Fault] = {}
        self.busy = 0.0  # s for which a file is searched, and 503 is said (phones.md 1.3, step 5)
        self.asked: list[dict[str, object]] = []
        self._since: dict[str, float] = {}

    def note(self, over: str, name: str, via: str = "", connection: int = 0) -> None:
        """Remember a request."""
        asked = {"over": over, "name": name, "via": via, "connection": connection, "at": time.monotonic()}
        self.asked.append(asked)

    def read(self, name: str) -> bytes | None:
        """The file as it is now."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def searching(self, name: str) -> bool:
        """Whether a file is still being looked for; begins to look for it."""
        if not self.busy:
            return False
        since = self._since.setdefault(name, time.monotonic())
        return time.monotonic() - since < self.busy

    def tell(self, question: dict[str, Any]) -> object:
        """The answer to a line of the Unix socket."""
        match question:
            case {"asked": start}:
                return self.asked[start:]
            case {"fault": name, "kind": None}:
                self.faults.pop(name, None)
            case {"fault": name, "kind": kind}:
                self.faults[name] = Fault(kind)
            case {"busy": seconds}:
                self.busy = seconds
                self._since.clear()
        return len(self.asked)


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
                via = [field.partition(":")[2].strip() for field in fields if field.lower().startswith("via:")]
                self._files.note("http", name, ", ".join(via), number)
                going_on = await self._answer(name, writer)
        writer.close()

    async def _answer(self, name: str, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again."""
        body, fault = self._files.read(name), self._files.faults.get(name)
        if fault is Fault.SILENT:
            await asyncio.sleep(3600)
        if fault is Fault.REFUSED or (busy := self._files.searching(name)) or body is None:
            status = "500 Internal Server Error" if fault else "503 Busy" if busy else "404 Not Found"
            writer.write(f"HTTP/1.1 {status}\r\nContent-length: 0\r\nCache-Control: no-store\r\n\r\n".encode())
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
    lies = {Fault.ANNOUNCES_MORE: LIE, Fault.ANNOUNCES_LESS: -LIE}
    length = f"Content-length: {size + (lies.get(fault, 0) if fault else 0)}\r\n"
    if fault in (Fault.CHUNKED, Fault.CHUNKED_CUT):
        length = "Transfer-Encoding: chunked\r\n"
    elif fault in (Fault.NO_LENGTH, Fault.ENDLESS):
        length = ""
    return f"HTTP/1.1 200 OK\r\n{length}Cache-Control: no-store\r\nContent-type: */*\r\n\r\n".encode()


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


class Tftp(asyncio.DatagramProtocol):
    """The port of requests; each transfer has a port of its own."""

    def __init__(self, files: Files, address: str) -> None:
        self._files = files
        self._address = address
        self._running: set[asyncio.Task[None]] = set()

    def datagram_received(self, datagram: bytes, peer: tuple[str | Any, int]) -> None:
        """Start a transfer."""
        strings = datagram[2:].split(b"\0")
        if datagram[:2] != b"\0\1" or len(strings) < 3:
            return
        name = strings[0].decode("latin-1").removeprefix("/")
        options = [each.decode("latin-1").lower() for each in strings[2:-1:2]]
        self._files.note("tftp", name)
        task = asyncio.create_task(self._transfer(name, options, peer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _transfer(self, name: str, options: list[str], peer: tuple[str, int]) -> None:
        body, fault = self._files.read(name), self._files.faults.get(name)
        if fault is Fault.SILENT:
            return
        loop = asyncio.get_running_loop()
        end = (self._address, 0)
        transport, transfer = await loop.create_datagram_endpoint(lambda: Transfer(peer), local_addr=end)
        try:
            if fault is Fault.REFUSED or body is None:
                code, text = (0, b"not defined") if fault else (1, b"File not found")
                transfer.send(struct.pack("!HH", 5, code) + text + b"\0")
            else:
                await transfer.run(body, fault, "tsize" in options)
        finally:
            transport.close()


class Transfer(asyncio.DatagramProtocol):
    """Lock-step, blocks of 512 bytes; of the options it knows tsize, and lies when it shall."""

    def __init__(self, peer: tuple[str, int]) -> None:
        self._peer = peer
        self._heard: deque[bytes] = deque()
        self._woken = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is there."""
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, datagram: bytes, peer: tuple[str | Any, int]) -> None:
        """From the client, or left out."""
        if peer == self._peer:
            self._heard.append(datagram)
            self._woken.set()

    def send(self, datagram: bytes) -> None:
        """To the client."""
        assert self._transport is not None
        self._transport.sendto(datagram, self._peer)

    async def run(self, body: bytes, fault: Fault | None, tsize: bool) -> None:
        """Send the file, or what the fault makes of it."""
        lies = {Fault.ANNOUNCES_MORE: LIE, Fault.ANNOUNCES_LESS: -LIE}
        if tsize and fault is not Fault.NO_LENGTH and fault is not Fault.ENDLESS:
            size = len(body) + (lies.get(fault, 0) if fault else 0)
            if not await self._say(b"\0\6tsize\0" + str(size).encode() + b"\0", 0):
                return
        pauses = {Fault.TRICKLE: TRICKLE, Fault.SLOW: SLOW}
        endless = fault in (Fault.ENDLESS, Fault.ENDLESS_LENGTH)
        count = len(body) // BLOCK + 1
        for number in itertools.count(1) if endless else range(1, count + 1):
            block = body[(number - 1) * BLOCK : number * BLOCK]
            if fault in (Fault.BREAK_OFF, Fault.RESET) and number > count // 2:
                if fault is Fault.RESET:
                    self.send(b"\0\5\0\0broken\0")
                return
            if endless:
                block = block.ljust(BLOCK, b"\0")
            if not await self._say(struct.pack("!HH", 3, number % 65536) + block, number % 65536):
                return
            await asyncio.sleep(pauses.get(fault, 0) if fault else 0)

    async def _say(self, datagram: bytes, number: int) -> bool:
        """Send until it is acknowledged; whether it was."""
        for _ in range(TRIES):
            self.send(datagram)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRANSMIT):
                    while True:
                        while self._heard:
                            answer = self._heard.popleft()
                            if answer == struct.pack("!HH", 4, number):
                                return True
                            if answer[:2] == b"\0\5":
                                return False
                        self._woken.clear()
                        await self._woken.wait()
        return False


async def serve(arguments: argparse.Namespace) -> None:
    """Open the ports, say so, and run until the process is ended."""
    files = Files(arguments.root)
    loop = asyncio.get_running_loop()

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = files.tell(json.loads(await reader.readline()))
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    if arguments.http:
        http = Http(files)
        await asyncio.start_server(http.serve, arguments.address, HTTP_PORT, limit=HEAD_MAX)
    if arguments.tftp:
        end = (arguments.address, TFTP_PORT)
        await loop.create_datagram_endpoint(lambda: Tftp(files, arguments.address), local_addr=end)
    await asyncio.start_unix_server(control, arguments.control)
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Read the arguments, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--tftp", action="store_true")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
