"""Asking a cluster over TFTP."""

from __future__ import annotations

import time
from collections.abc import Iterator

from gevent import socket

from appliance.cluster.body import Broken
from appliance.cluster.upstream import Absent, Refused, Target, Unreachable
from appliance.tftp.packet import ErrorCode, Mode, Options
from appliance.tftp.receiver import Got, Receiver
from appliance.tftp.timing import Timing

OFFER: Options = (("blksize", "1428"), ("tsize", "0"), ("windowsize", "8"))
TIMING = Timing(timeout=0.5, retries=5, timeout_max=2.0)
DATAGRAM_MAX = 65536


class TftpFile:
    """A transfer that runs; see `upstream.Opened`."""

    def __init__(self, target: Target, name: str, offer: Options, size_max: int) -> None:
        self._target = str(target.address), target.port
        family = socket.AF_INET6 if target.address.version == 6 else socket.AF_INET
        self._wire = socket.socket(family, socket.SOCK_DGRAM)
        # Without this an unconnected socket does not hear of a closed port.
        level, option = (socket.IPPROTO_IPV6, 25) if family == socket.AF_INET6 else (socket.IPPROTO_IP, 11)
        self._wire.setsockopt(level, option, 1)  # IPV6_RECVERR, IP_RECVERR: not named by Python
        self._server = socket.getaddrinfo(*self._target, family, flags=socket.AI_NUMERICHOST)[0][4]
        self._tid: int | None = None
        self._receiver = Receiver(name.encode(), Mode.OCTET, offer, TIMING, size_max)

    @property
    def size(self) -> int | None:
        """See `upstream.Opened`."""
        return self._receiver.size

    def ask(self) -> None:
        """Send the request and wait for the first answer; raises as `open_file`, or `_NotAgreed`."""
        self._send(self._receiver.start(time.monotonic()))
        while not self._receiver.opened and self._receiver.outcome is None:
            self._step()
        match self._receiver.outcome:
            case None:
                return
            case outcome if outcome.end in (Got.COMPLETE, Got.LENGTH_DIFFERS):
                return
            case outcome if outcome.end is Got.OPTIONS_REFUSED:
                raise _NotAgreed
            case outcome if outcome.end is Got.PEER_ERROR and outcome.code == ErrorCode.NOT_FOUND:
                raise Absent
            case outcome if outcome.end is Got.PEER_ERROR:
                raise Refused(f"TFTP error {outcome.code}")
            case outcome:
                raise Unreachable(f"no TFTP answer: {outcome.end.value}")

    def pieces(self) -> Iterator[bytes]:
        """See `upstream.Opened`."""
        while True:
            piece = self._receiver.take()
            outcome = self._receiver.outcome
            if outcome is not None and outcome.end is not Got.COMPLETE:
                code = "" if outcome.code is None else f" (error {outcome.code})"
                raise Broken(f"the cluster's transfer failed: {outcome.end.value}{code}")
            if piece:
                yield piece
            elif outcome is not None:
                return
            else:
                try:
                    self._step()
                except Unreachable as gone:
                    raise Broken(f"the cluster's transfer failed: {gone}") from None

    def close(self) -> None:
        """See `upstream.Opened`."""
        self._send(self._receiver.abort(ErrorCode.UNDEFINED, "not wanted any more"))
        self._wire.close()

    def _step(self) -> None:
        """Wait for one datagram of the server, or for the deadline."""
        now = time.monotonic()
        deadline = self._receiver.deadline
        if deadline is not None and deadline <= now:
            self._send(self._receiver.tick(now))
            return
        self._wire.settimeout(None if deadline is None else deadline - now)
        try:
            datagram, source = self._wire.recvfrom(DATAGRAM_MAX)
        except TimeoutError:
            return
        except OSError as error:
            raise Unreachable(f"no TFTP answer: {error.strerror}") from None
        if source[0] != self._server[0] or source[1] != (self._tid or source[1]):
            return
        if self._tid is None:
            # From here on the kernel keeps strangers out; one from the server's other port, which
            # RFC 1350 section 4 wants told ERROR 5, hears "port unreachable" and ends as well.
            self._tid = source[1]
            self._wire.connect(source)
        self._send(self._receiver.receive(datagram, time.monotonic()))

    def _send(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            try:
                if self._tid is None:
                    self._wire.sendto(datagram, self._server)
                else:
                    self._wire.send(datagram)
            except OSError:
                return  # as if it had been lost on the way: the timer sends it again


class _NotAgreed(Exception):
    """The server does not cope with the offered options."""


def open_file(target: Target, name: str, size_max: int) -> TftpFile:
    """Ask for a file; `Absent`, `Refused` or `Unreachable` where it does not come.

    A server that answers the offer wrongly is asked once more without options. `name` is the
    client's own spelling; a file of over `size_max` bytes is broken off.
    """
    for offer in (OFFER, ()):
        file = TftpFile(target, name, offer, size_max)
        try:
            file.ask()
        except _NotAgreed:
            file.close()
        except BaseException:
            file.close()
            raise
        else:
            return file
    raise Refused("TFTP options not agreed")
