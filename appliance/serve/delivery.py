"""An answer on its way to the client: its head, then a text or the bytes of a file."""

from __future__ import annotations

from appliance.cluster.body import Broken
from appliance.http.answer import Answer
from appliance.serve.content import Content
from appliance.serve.wire import Wire

PIECE = 64 * 1024  # bytes of one read that may have to wait; what is held for a client that is slow
LARGE_PIECE = 512 * 1024
"""bytes of one read from memory. With less, system calls cost more than the bytes; with more, a call
copies what the client does not take."""
TURN = 1024 * 1024  # bytes sent before others get a turn


class Delivery:
    """One answer. `content` is the file of an answer that has a span, and `size` what it was said to have."""

    __slots__ = ("_answer", "_content", "_head", "_size", "begun", "sent")

    def __init__(self, answer: Answer, content: Content | None, size: int) -> None:
        self.begun = False  # something is out already
        self.sent = 0  # bytes of the file
        self._answer = answer
        self._content = content
        self._size = size
        self._head = answer.head + answer.text

    def at_once(self, wire: Wire) -> bool:
        """Send what goes out without any waiting; whether that was all. `OSError` where the client goes."""
        span = self._answer.span
        if span is None:
            self._offer(wire, b"")
            return not self._head
        whole = None if self._content is None else self._content.whole()
        if whole is None or len(whole) != self._size:
            return False
        self._offer(wire, whole if len(span) == len(whole) else memoryview(whole)[span.start : span.stop])
        return not self._head and self.sent == len(span)

    def finish(self, wire: Wire, buffer: memoryview) -> None:
        """In a greenlet: send the rest. `Broken`, or `OSError` where the client goes.

        The buffer is not used while something is waited for: all connections share it.
        """
        span, content = self._answer.span, self._content
        turn = 0
        while span is not None and content is not None and self.sent < len(span):
            offset, left = span[self.sent], len(span) - self.sent
            # Not the end: that the file is whole, and unchanged, is seen by `read` alone.
            early = min(left, self._size - PIECE - offset, LARGE_PIECE)
            piece = content.cached(offset, buffer[:early]) if early > 0 else None
            if piece is None:
                self._put(wire, self._read(content, offset, min(PIECE, left)))
                continue
            before = self.sent
            taken = self._offer(wire, piece)
            turn += self.sent - before
            if not taken or turn >= TURN:
                wire.wait()
                turn = 0
        if span is not None and content is not None and not span and content.read(self._size, 1):
            raise Broken("longer than was told")
        self._put(wire, b"")

    def _read(self, content: Content, offset: int, length: int) -> bytes:
        piece = content.read(offset, length)
        if not piece:
            raise Broken("shorter than was told")
        if offset + len(piece) == self._size and content.read(self._size, 1):
            # Waits for the end, so that what a cluster cuts short is never taken for whole.
            raise Broken("longer than was told")
        return piece

    def _put(self, wire: Wire, piece: bytes) -> None:
        """Send all of a piece."""
        rest = memoryview(piece)
        while rest or self._head:
            before = self.sent
            taken = self._offer(wire, rest)
            rest = rest[self.sent - before :]
            if not taken:
                wire.wait()

    def _offer(self, wire: Wire, piece: bytes | memoryview) -> bool:
        """Send the rest of the head, and of a piece what fits; whether all of it did."""
        count = wire.offer(self._head, piece)
        if count:
            self.begun = True
        head = len(self._head)
        if count < head:
            self._head = self._head[count:]
            return False
        self._head = b""
        self.sent += count - head
        return count - head == len(piece)
