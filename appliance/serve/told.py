"""What a pump tells of a lane: its owner, a number of these, and the datagram where Python is to judge it."""

from __future__ import annotations

from typing import Any

NOTHING = 0  # the usual ACK: the next packets are out
DATAGRAM = 1  # another than the awaited ACK
GONE = 2  # the peer's port is closed
DONE = 3  # the last block is acknowledged
HUNGRY = 4  # more of the file is wanted soon

Told = tuple[Any, int, bytes | None]
