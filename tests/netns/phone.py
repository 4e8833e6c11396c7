"""Bare phones: TFTP without options and two-line HTTP requests, as IP phones speak them.

Run inside a host as a program of its own (`ask` does): jobs as JSON on standard input, answers as
JSON on standard output. All jobs of one run start together, each in a thread. Written with plain
sockets only, so that nothing of the product judges itself.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.netns.lab import Host

RETRANSMIT = 1.0  # s; what phones do, RFC 1350 leaves it open
BLOCK = 512  # bytes, RFC 1350

WHOLE, NOT_FOUND, UNAVAILABLE, SILENT, BROKEN = "whole", "not found", "unavailable", "silent", "broken"


@dataclass(frozen=True, slots=True)
class Job:
    """What one phone does: fetch `names` in turn, or boot when it has a `mac` (12 upper-case hex digits).

    `source` is the phone's own address ("" for any); after `patience` seconds of silence it gives up.
    """

    server: str
    transport: str  # "tftp" or "http"
    port: int
    names: tuple[str, ...] = ()
    mac: str = ""
    source: str = ""
    patience: float = 6.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One file: how it ended, its length in bytes and SHA-256 when whole, the time in seconds it took."""

    name: str
    status: str
    size: int = 0
    digest: str = ""
    seconds: float = 0.0
    detail: str = ""


Fetch = Callable[[Job, str], Answer]


def ask(host: Host, jobs: Sequence[Job], timeout: float = 60.0) -> list[tuple[Answer, ...]]:
    """Run these phones in `host`, all at once; the answers of each, in the order in which it asked."""
    from tests.netns.process import REPOSITORY

    argv = [sys.executable, "-m", "tests.netns.phone"]
    text = json.dumps([asdict(job) for job in jobs])
    done = host.run(argv, timeout, text_in=text, folder=REPOSITORY)
    assert done.returncode == 0, f"phone: {done.stderr}"
    return [tuple(Answer(**answer) for answer in answers) for answers in json.loads(done.stdout)]


def boot(job: Job, fetch: Fetch) -> tuple[Answer, ...]:
    """A phone's order: CTL, ITL (its own, else the common one), configuration (or default), the rest."""
    answers = [fetch(job, f"CTLSEP{job.mac}.tlv"), fetch(job, f"ITLSEP{job.mac}.tlv")]
    if answers[-1].status != WHOLE:
        answers.append(fetch(job, "ITLFile.tlv"))
    answers.append(fetch(job, f"SEP{job.mac}.cnf.xml"))
    if answers[-1].status == NOT_FOUND:
        answers.append(fetch(job, "XMLDefault.cnf.xml"))
    answers += [fetch(job, name) for name in job.names]
    return tuple(answers)


def fetch_tftp(job: Job, name: str) -> Answer:
    """RFC 1350 and nothing else: octet, no options; the last datagram is repeated each second."""
    family = _family(job.server)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((job.source, 0))
        last = b"\0\1" + name.encode() + b"\0octet\0"
        peer = (job.server, job.port)
        body = bytearray()
        tid: tuple[str, int] | None = None
        block = 1
        heard = time.monotonic()
        sock.sendto(last, peer)
        sock.settimeout(RETRANSMIT)
        while True:
            try:
                datagram, sender = sock.recvfrom(65536)
            except TimeoutError:
                if time.monotonic() - heard > job.patience:
                    return Answer(name, SILENT, len(body), detail=f"after block {block - 1}")
                sock.sendto(last, peer)
                continue
            if len(datagram) < 4 or (tid is not None and sender[:2] != tid):
                continue
            tid = peer = sender[:2]
            opcode, number = struct.unpack("!HH", datagram[:4])
            if opcode == 5:
                return _refused(name, number, datagram[4:].split(b"\0")[0])
            if opcode != 3:
                return Answer(name, BROKEN, detail=f"opcode {opcode}")
            if number != block % 65536:
                if number == (block - 1) % 65536 and block > 1:
                    sock.sendto(last, peer)  # the peer has not had our ACK
                continue
            heard = time.monotonic()
            body += datagram[4:]
            block += 1
            last = b"\0\4" + datagram[2:4]
            sock.sendto(last, peer)
            if len(datagram) < 4 + BLOCK:
                return _whole(name, bytes(body))


def fetch_http(job: Job, name: str) -> Answer:
    """The request of a phone, byte for byte: two lines, one connection a file."""
    authority = f"[{job.server}]" if ":" in job.server else job.server
    request = f"GET /{name} HTTP/1.1\r\nHost:{authority}:{job.port}\r\n\r\n".encode()
    try:
        with socket.socket(_family(job.server), socket.SOCK_STREAM) as sock:
            sock.settimeout(job.patience)
            sock.bind((job.source, 0))
            sock.connect((job.server, job.port))
            sock.sendall(request)
            with sock.makefile("rb") as stream:
                status = stream.readline().split(b" ", 2)
                length = -1
                while (line := stream.readline().strip()) != b"":
                    key, _, value = line.partition(b":")
                    length = int(value) if key.lower() == b"content-length" else length
                body = stream.read(max(length, 0))
    except TimeoutError:
        return Answer(name, SILENT)
    except OSError as error:
        return Answer(name, BROKEN, detail=str(error))
    code = status[1].decode("latin-1") if len(status) > 1 else "no status"
    if code != "200":
        return Answer(name, {"404": NOT_FOUND, "503": UNAVAILABLE}.get(code, BROKEN), detail=code)
    if len(body) != length:  # a phone cannot tell an end from a break without Content-Length
        return Answer(name, BROKEN, len(body), detail=f"{len(body)} of {length} bytes")
    return _whole(name, body)


FETCHES: dict[str, Fetch] = {"tftp": fetch_tftp, "http": fetch_http}


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET


def _whole(name: str, body: bytes) -> Answer:
    return Answer(name, WHOLE, len(body), hashlib.sha256(body).hexdigest())


def _refused(name: str, code: int, text: bytes) -> Answer:
    status = {0: UNAVAILABLE, 1: NOT_FOUND}.get(code, BROKEN)
    return Answer(name, status, detail=f"ERROR {code} {text.decode(errors='backslashreplace')}")


def _timed(fetch: Fetch) -> Fetch:
    def timed(job: Job, name: str) -> Answer:
        start = time.monotonic()
        answer = fetch(job, name)
        return replace(answer, seconds=round(time.monotonic() - start, 4))

    return timed


def main() -> None:
    """Read the jobs, do them all at once, write the answers."""
    jobs = [Job(**{**each, "names": tuple(each["names"])}) for each in json.load(sys.stdin)]
    answers: list[tuple[Answer, ...]] = [()] * len(jobs)
    together = threading.Barrier(len(jobs))

    def work(index: int, job: Job) -> None:
        fetch = _timed(FETCHES[job.transport])
        together.wait()
        answers[index] = boot(job, fetch) if job.mac else tuple(fetch(job, name) for name in job.names)

    threads = [threading.Thread(target=work, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump([[asdict(answer) for answer in each] for each in answers], sys.stdout)


if __name__ == "__main__":
    main()
