"""netascii: a newline is CR LF, a carriage return alone is CR NUL (RFC 764, named by RFC 1350).

Both directions work on a stream cut anywhere.
"""

from __future__ import annotations


class Encoder:
    """Local text to netascii. Every byte stands for itself but LF and CR, so nothing is held back."""

    def feed(self, data: bytes) -> bytes:
        """The netascii form of the next bytes of the file."""
        return data.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")


class Decoder:
    """netascii to local text. A CR at the end of a piece waits for what follows it."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The local form of the next bytes; a CR before anything but LF and NUL stays a CR."""
        data = self._held + data
        self._held = b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r\0", b"\r")

    def finish(self) -> bytes:
        """What was held back when the stream ended."""
        held, self._held = self._held, b""
        return held
