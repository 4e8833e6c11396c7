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
        if span is not None and content is not None:
            if not span and content.read(self._size, 1):
                raise Broken("longer than was told")
            self._send_span(content, span, wire, buffer)
        self._put(wire, b"")

    def _send_span(self, content: Content, span: range, wire: Wire, buffer: memoryview) -> None:
        turn, most = 0, LARGE_PIECE
        while self.sent < len(span):
            offset, left = span[self.sent], len(span) - self.sent
            cached = content.cached(offset, buffer[: min(left, most)])
            if cached is None:
                piece = content.read(offset, min(PIECE, left))
                self._check(content, offset, piece)
                self._put(wire, piece)
                continue
            self._check(content, offset, cached)  # waits for nothing: with its last byte the file is whole
            done = self._offer(wire, cached)
            count = self.sent - (offset - span.start)
            turn += count
            if not done or turn >= TURN:
                wire.wait()
                turn, most = 0, min(LARGE_PIECE, max(PIECE, 2 * count))

    def _check(self, content: Content, offset: int, piece: bytes | memoryview) -> None:
        """Whether the file is as long as was told, as far as that is seen before this piece is sent."""
        if not piece:
            raise Broken("shorter than was told")
        if offset + len(piece) == self._size and content.read(self._size, 1):
            # Waits for the end, so that what a cluster cuts short is never taken for whole.
            raise Broken("longer than was told")

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
