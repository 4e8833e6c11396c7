"""A call manager's TFTP: blocks of 512 bytes, one at a time; of the options it knows tsize."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from collections import deque
from typing import Any, cast

from tests.netns.cucm_served import SLOW, SLOW_PIECES, TRICKLE, Fault, Files, announced

BLOCK = 512  # bytes, RFC 1350
RETRANSMIT, TRIES = 1.0, 5


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
        self._transport = cast(asyncio.DatagramTransport, transport)

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
        length = announced(fault, len(body))
        if tsize and length is not None and not await self._say(b"\0\6tsize\0%d\0" % length, 0):
            return
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
            if fault is Fault.TRICKLE:
                await asyncio.sleep(TRICKLE)
            elif fault is Fault.SLOW and number % (count // SLOW_PIECES + 1) == 0:
                await asyncio.sleep(SLOW)

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
