"""One client's HTTP connection: request after request, each answered before the next is looked at.

What takes no waiting is answered in the loop's own callback, as to wake a greenlet for it would take
as long as the answer. What does, a file to be looked for or a client that reads slowly, has a greenlet.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable

import gevent

from appliance.cluster.body import Broken
from appliance.config.model import IPAddress
from appliance.http import response
from appliance.http.answer import Answer
from appliance.http.request import BadRequest, Request, RequestReader
from appliance.report.record import Result
from appliance.serve.exchange import Exchange
from appliance.serve.lookup import Asker
from appliance.serve.surroundings import Surroundings
from appliance.serve.wire import Wire

HEAD_TIMEOUT = 10.0  # s from a request's first byte to its last
IDLE_TIMEOUT = 15.0  # s without a next request
BATCH = 8  # requests that are answered before others get a turn


class Connection:
    """One connection. `closed` is called once, when it is over. `last`: no further request is taken."""

    __slots__ = (
        "_around",
        "_asker",
        "_begun",
        "_buffer",
        "_closed",
        "_exchange",
        "_reader",
        "_who",
        "client",
        "greenlet",
        "last",
        "wire",
    )

    def __init__(
        self,
        around: Surroundings,
        connected: socket.socket,
        client: IPAddress,
        buffer: memoryview,
        closed: Callable[[Connection], None],
    ) -> None:
        """The buffer is for what is sent at once, and may be shared by all connections. `OSError`."""
        self.client = client
        self.last = False
        self.greenlet: gevent.Greenlet[..., None] | None = None  # of the request that is waited for
        self._around = around
        self._buffer = buffer
        self._closed: Callable[[Connection], None] | None = closed
        self._who = str(client)
        self._asker = Asker(client)
        self._reader = RequestReader()
        self._begun = False  # a head has begun to arrive
        self._exchange: Exchange | None = None
        self.wire = Wire(connected, self._readable)
        self.wire.deadline = time.monotonic() + IDLE_TIMEOUT
        self.wire.listen()

    @property
    def answering(self) -> bool:
        """Whether a request has been taken whose answer is not out yet."""
        return self._exchange is not None

    def overdue(self) -> None:
        """In the loop: the deadline of the wire has passed."""
        if not self.wire.expire():
            self.close()

    def close(self) -> None:
        """End the connection."""
        closed, self._closed = self._closed, None
        if closed is None:
            return
        self.wire.close()
        closed(self)
        if self._exchange is not None:
            self._end(Result.BROKEN_OFF, "stopped")

    def _readable(self) -> None:
        """In the loop: the one boundary of what clients send. Nothing of it raises further."""
        try:
            data = self.wire.receive()
            if data:
                self._answer_all(self._reader.take(data))
            elif data is not None:
                self.close()
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one connection
            self._fault(error)

    def _go_on(self, request: Request | None = None) -> None:
        """In the loop: see whether more requests are there already."""
        if self._closed is None:
            return
        try:
            self.wire.listen()
            self._answer_all(self._reader.next() if request is None else request)
        except Exception as error:  # noqa: BLE001  as above
            self._fault(error)

    def _fault(self, error: Exception) -> None:
        if isinstance(error, BadRequest):
            self._around.counters.drop(f"malformed HTTP request: {error.text}")
            self._say(b"".join(response.error(error.status, error.text)))
        elif isinstance(error, OSError):
            self._around.counters.peers_gone += 1
        else:
            self._around.fault(error)
            self._end(Result.FAULT, "")
        self.close()

    def _say(self, last_words: bytes) -> None:
        try:
            self.wire.offer(last_words, b"")
        except OSError:
            pass

    def _answer_all(self, request: Request | None) -> None:
        """Answer what has arrived, request by request, until one has to wait."""
        for _ in range(BATCH):
            if request is None:
                self._expect()
                return
            if not self._answer(request):
                return
            request = self._reader.next()
        if request is None:
            self._expect()
        else:
            # Who asks on and on must not keep the loop to itself; nor be answered faster than it reads.
            self.wire.pause()
            self.wire.call_when_writable(self._go_on, request)

    def _expect(self) -> None:
        """Wait for a request, or for the rest of one."""
        if not self._reader.begun:
            self._begun = False
            self.wire.deadline = time.monotonic() + IDLE_TIMEOUT
        elif not self._begun:
            self._begun = True
            self.wire.deadline = time.monotonic() + HEAD_TIMEOUT

    def _answer(self, request: Request) -> bool:
        """Answer a request; False where it takes longer, or where it was the last one."""
        self._around.counters.requests_http += 1
        self._begun = False
        via = request.headers.get("via")
        asker = self._asker if via is None else Asker(self.client, via)
        exchange = self._exchange = Exchange(self._around, self._who, asker, request)
        answer = exchange.at_once()
        try:
            done = exchange.delivery is not None and exchange.delivery.at_once(self.wire)
        except OSError as fault:
            self._end(Result.PEER_GONE, fault.strerror or "")
            self.close()
            return False
        if not done:
            self.wire.pause()
            self.wire.deadline = math.inf
            self.greenlet = gevent.spawn(self._answer_later, exchange, answer)
            return False
        self._end(exchange.result, exchange.detail)
        assert answer is not None
        if answer.stays and not self.last:
            return True
        self.close()
        return False

    def _answer_later(self, exchange: Exchange, answer: Answer | None) -> None:
        """In a greenlet: the rest of an answer, or all of it."""
        stays = False
        try:
            answer = answer or exchange.find()
            stays = answer is not None and self._finish(exchange, answer)
        except OSError as fault:
            exchange.result, exchange.detail = Result.PEER_GONE, fault.strerror or "timed out"
        except gevent.GreenletExit:
            exchange.result, exchange.detail = Result.BROKEN_OFF, "stopped"
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one connection
            exchange.result, exchange.detail = Result.FAULT, ""
            self._around.fault(error)
        finally:
            self.greenlet = None
            self._end(exchange.result, exchange.detail)
            if not stays or self.last:
                self.close()
            elif self._reader.begun:
                self.wire.call_when_writable(self._go_on)
            else:
                self.wire.listen()
                self._expect()

    def _finish(self, exchange: Exchange, answer: Answer) -> bool:
        """Send what is left; whether the connection stays."""
        assert exchange.delivery is not None
        try:
            exchange.delivery.finish(self.wire, self._buffer)
        except Broken as fault:
            if exchange.delivery.begun:
                exchange.result, exchange.detail = Result.BROKEN_OFF, str(fault)
                # Content-Length is out already: a reset says more clearly than an end that it is not whole.
                self.wire.reset()
                return False
            answer = exchange.broken(str(fault))
            exchange.delivery.finish(self.wire, self._buffer)
        return answer.stays

    def _end(self, result: Result, detail: str) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.result, exchange.detail = result, detail
            exchange.end()
