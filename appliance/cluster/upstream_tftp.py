"""Asking a cluster over TFTP."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from ipaddress import ip_address

from gevent import socket

from appliance.cluster.body import Broken
from appliance.cluster.upstream import Absent, Refused, Target, Unasked, Unconnected, Unreachable, Waiting
from appliance.network.sockaddr import family, sockaddr
from appliance.tftp.packet import ErrorCode, Mode, Options
from appliance.tftp.receiver import Got, Receiver
from appliance.tftp.timing import Timing

OFFER: Options = (("blksize", "1428"), ("tsize", "0"), ("windowsize", "8"))
TIMING = Timing(timeout=0.5, retries=3, timeout_max=1.0)  # gives up after `upstream.SILENCE_MAX`
TEXT_MAX = 80  # characters of an ERROR's text
DATAGRAM_MAX = 65536
IP_RECVERR, IPV6_RECVERR = 11, 25  # Linux numbers that Python does not name

# DATA, ERROR and OACK: what else comes says nothing of where the transfer is.
ANSWERS = (b"\0\3", b"\0\5", b"\0\6")

# A full buffer or a firewall: as if the datagram had been lost on the way, the timer sends it again.
_PASSING = {errno.ENOBUFS, errno.EAGAIN, errno.EPERM}


class NotAgreed(Exception):
    """The server does not cope with the offered options."""


class TftpFile:
    """A transfer that runs; see `upstream.Opened`."""

    validator = ""
    via = ""
    keepable = True  # a short block ends the file, and nothing else does

    def __init__(
        self, target: Target, name: bytes, mode: Mode, offer: Options, size_max: int | None = None
    ) -> None:
        self._address = target.address
        try:
            self._server = sockaddr(target.address, target.port)
            self._wire = socket.socket(family(target.address), socket.SOCK_DGRAM)
        except OSError as error:
            raise Unasked(f"no TFTP socket: {error.strerror}") from None
        # Without this an unconnected socket does not hear of a closed port.
        if target.address.version == 6:
            self._wire.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            self._wire.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        self._tid: int | None = None
        self.receiver = Receiver(name, mode, offer, TIMING, size_max)

    @property
    def size(self) -> int | None:
        """See `upstream.Opened`."""
        return self.receiver.size

    def ask(self) -> None:
        """Send the request and wait for the first answer; raises as `open_file`, or `NotAgreed`."""
        self._send(self.receiver.start(time.monotonic()))
        while not self.receiver.opened and self.receiver.outcome is None:
            self._step()
        match self.receiver.outcome:
            case None:
                return
            case outcome if outcome.end in (Got.COMPLETE, Got.LENGTH_DIFFERS):
                return
            case outcome if outcome.end is Got.OPTIONS_REFUSED:
                raise NotAgreed
            case outcome if outcome.end is Got.PEER_ERROR and outcome.code == ErrorCode.NOT_FOUND:
                raise Absent
            case outcome if outcome.end is Got.PEER_ERROR:
                text = outcome.text
                cut = text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"
                raise Refused(f"TFTP error {outcome.code}: {cut}")
            case outcome if outcome.end is Got.TOO_LARGE:
                raise Refused("larger than allowed")
            case outcome:
                raise Unreachable(f"no TFTP answer: {outcome.end.value}")

    def pieces(self) -> Iterator[bytes]:
        """See `upstream.Opened`."""
        while True:
            piece = self.receiver.take()
            outcome = self.receiver.outcome
            if outcome is not None and outcome.end is not Got.COMPLETE:
                code = "" if outcome.code is None else f" (error {outcome.code})"
                raise Broken(f"the transfer failed: {outcome.end.value}{code}")
            if piece:
                yield piece
            elif outcome is not None:
                return
            else:
                try:
                    self._step()
                except Unreachable as gone:
                    raise Broken(f"the transfer failed: {gone}") from None

    def close(self) -> None:
        """See `upstream.Opened`."""
        try:
            self._send(self.receiver.abort(ErrorCode.UNDEFINED, "not wanted any more"))
        except Unreachable:
            pass  # nobody left to be told
        self._wire.close()

    def _step(self) -> None:
        """Wait for one datagram of the server, or for the deadline."""
        now = time.monotonic()
        deadline = self.receiver.deadline
        if deadline is not None and deadline <= now:
            self._send(self.receiver.tick(now))
            return
        self._wire.settimeout(None if deadline is None else deadline - now)
        try:
            datagram, source = self._wire.recvfrom(DATAGRAM_MAX)
        except TimeoutError:
            return
        except OSError as error:
            raise self._gone(error) from None
        if ip_address(source[0]).packed != self._address.packed or source[1] != (self._tid or source[1]):
            return
        if self._tid is None:
            if datagram[:2] not in ANSWERS:
                return
            # From here on the kernel keeps strangers out; one from the server's other port, which
            # RFC 1350 section 4 wants told ERROR 5, hears "port unreachable" and ends as well.
            self._tid = source[1]
            try:
                self._wire.connect(source)
            except OSError as error:
                raise self._gone(error) from None
        self._send(self.receiver.receive(datagram, time.monotonic()))

    def _send(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            try:
                if self._tid is None:
                    self._wire.sendto(datagram, self._server)
                else:
                    self._wire.send(datagram)
            except OSError as error:
                if error.errno not in _PASSING:
                    raise self._gone(error) from None

    def _gone(self, error: OSError) -> Unreachable:
        """Nobody hears us: before the first answer that is what a refused connection is elsewhere."""
        kind = Unconnected if self._tid is None else Unreachable
        return kind(f"no TFTP answer: {error.strerror}")


def open_file(target: Target, name: str, size_max: int, waiting: Waiting) -> TftpFile:
    """Ask for a file; `Absent`, `Refused` or `Unreachable` where it does not come.

    A server that answers the offer wrongly is asked once more without options. `name` is the
    client's own spelling; a file of over `size_max` bytes is broken off. `waiting` is kept while it runs.
    """
    for offer in (OFFER, ()):
        waiting.begin(time.monotonic())
        file = TftpFile(target, name.encode(), Mode.OCTET, offer, size_max)
        try:
            file.ask()
        except NotAgreed:
            file.close()
        except BaseException:
            file.close()
            raise
        else:
            waiting.pause()
            return file
    raise Refused("TFTP options not agreed")
