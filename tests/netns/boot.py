"""Phones that boot: the files of phones.md 2.3 in their order, over HTTP with TFTP as the way out, or over
TFTP alone.

Run inside a host as a program of its own (`boots` does): phones as JSON on standard input, what they got
on standard output. Phones at one address boot in turn, all others at once. Written with the bare
phones' sockets, so that nothing of the product judges itself.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tests.netns.phone import FETCHES, NOT_FOUND, WHOLE, Answer, Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.netns.lab import Host
    from tests.netns.process import Process

HTTP_PORT, TFTP_PORT = 6970, 69


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone at the address `source`, and what it does when it starts.

    `signed`: it holds a trust list, and asks for what is signed. `encrypted`: its first configuration
    sends it to the encrypted one. `common` are the files it asks for last. With `names` it does not
    boot, but asks for these. It goes on again and again for `seconds`, once where that is 0: `pause`
    seconds pass before each file, `rest` after each round. Silence of `patience` seconds is too long for it.
    """

    server: str
    mac: str
    source: str
    http: bool = True
    signed: bool = True
    encrypted: bool = False
    common: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    seconds: float = 0.0
    pause: float = 0.0
    rest: float = 0.0
    patience: float = 6.0


@dataclass(frozen=True, slots=True)
class Got:
    """One file: how it ended (words of `phone`), over which transport, and how long all that took."""

    name: str
    status: str
    over: str
    size: int
    digest: str
    seconds: float
    detail: str


def boots(host: Host, phones: Sequence[Phone], timeout: float = 90.0) -> list[tuple[Got, ...]]:
    """Run these phones in `host`; what each got, in the order in which it asked."""
    from tests.netns.process import REPOSITORY

    done = host.run(_argv(), timeout, text_in=_text(phones), folder=REPOSITORY)
    assert done.returncode == 0, f"phones: {done.stderr}"
    return _read(done.stdout)


class Load:
    """Phones that go on in the background for their `seconds`."""

    def __init__(self, host: Host, phones: Sequence[Phone]) -> None:
        self._seconds = max(phone.seconds for phone in phones)
        text = host.lab.scratch("phones")
        text.write_text(_text(phones))
        self._found: Path = host.lab.scratch("got")
        self._process: Process = host.start([*_argv(), str(text), str(self._found)], name="phones")

    def result(self) -> list[tuple[Got, ...]]:
        """Wait for their end; what each got."""
        from tests.netns.process import wait_for

        wait_for(lambda: not self._process.running, "the phones come to their end", self._seconds + 60)
        assert self._found.exists(), self._process.output()
        return _read(self._found.read_text())


def _argv() -> list[str]:
    return [sys.executable, "-m", "tests.netns.boot"]


def _text(phones: Sequence[Phone]) -> str:
    return json.dumps([asdict(phone) for phone in phones])


def _read(text: str) -> list[tuple[Got, ...]]:
    return [tuple(Got(**got) for got in each) for each in json.loads(text)]


def start_up(phone: Phone) -> Iterator[Got]:
    """What a phone asks for from its start on; without a trust list of its own it takes the common one."""
    yield fetch(phone, f"CTLSEP{phone.mac}.tlv")
    own = fetch(phone, f"ITLSEP{phone.mac}.tlv")
    yield own
    if own.status == NOT_FOUND:
        yield fetch(phone, "ITLFile.tlv")
    ending = ".sgn" if phone.signed else ""
    plain = f"SEP{phone.mac}.cnf.xml"
    configuration = fetch(phone, plain + ending)
    yield configuration
    if configuration.status == NOT_FOUND:
        yield fetch(phone, f"XMLDefault.cnf.xml{ending}")
    elif phone.encrypted:
        yield fetch(phone, f"{plain}.enc.sgn")
    for name in phone.common:
        yield fetch(phone, name)


def fetch(phone: Phone, name: str) -> Got:
    """One file. "Not found" over HTTP is an answer; all else that is no file sends a phone to TFTP."""
    time.sleep(phone.pause)
    start = time.monotonic()
    if phone.http:
        answer = _ask(phone, name, "http", HTTP_PORT)
        if answer.status in (WHOLE, NOT_FOUND):
            return _got(answer, "http", start)
    return _got(_ask(phone, name, "tftp", TFTP_PORT), "tftp", start)


def _ask(phone: Phone, name: str, transport: str, port: int) -> Answer:
    job = Job(phone.server, transport, port, source=phone.source, patience=phone.patience)
    return FETCHES[transport](job, name)


def _got(answer: Answer, over: str, start: float) -> Got:
    seconds = round(time.monotonic() - start, 4)
    return Got(answer.name, answer.status, over, answer.size, answer.digest, seconds, answer.detail)


def _live(phone: Phone) -> Iterator[Got]:
    end = time.monotonic() + phone.seconds
    while True:
        if phone.names:
            yield from (fetch(phone, name) for name in phone.names)
        else:
            yield from start_up(phone)
        if time.monotonic() + phone.rest >= end:
            return
        time.sleep(phone.rest)


def main() -> None:
    """Read the phones, let them live, write what they got. Two paths may stand for input and output."""
    text = open(sys.argv[1]).read() if len(sys.argv) > 1 else sys.stdin.read()  # noqa: SIM115
    lists = ("common", "names")
    phones = [Phone(**{**each, **{key: tuple(each[key]) for key in lists}}) for each in json.loads(text)]
    got: list[tuple[Got, ...]] = [()] * len(phones)
    queues: dict[str, list[int]] = defaultdict(list)
    for index, phone in enumerate(phones):
        queues[phone.source].append(index)

    def work(turns: list[int]) -> None:
        for index in turns:
            got[index] = tuple(_live(phones[index]))

    threads = [threading.Thread(target=work, args=(turns,)) for turns in queues.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = json.dumps([[asdict(each) for each in every] for every in got])
    if len(sys.argv) > 1:
        with open(sys.argv[2], "w") as file:
            file.write(written)
    else:
        sys.stdout.write(written)


if __name__ == "__main__":
    main()
