"""Three clusters for the proxy to ask: nginx, counted by its log; and one that is dead: silent."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.pin import GENERATOR
from tests.bench.running import Running, start
from tests.bench.servers import Ground, Settings, nginx_argv
from tests.bench.site import COMMON, Site
from tests.netns.process import wait_for
from tests.serve.proxy import free_port

ADDRESSES = {"east": "127.200.0.1", "north": "127.200.0.2", "west": "127.200.0.3"}
MARK = "/end-of-phase"


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The clusters that run; `alive` are their names. nginx answers for all of them."""

    alive: tuple[str, ...]
    port: int
    log: Path
    running: Running

    def settings(self, local: Path) -> Settings:
        """The configuration of a proxy that has them; all three, the dead one first."""
        order = sorted(ADDRESSES, key=lambda name: name in self.alive)
        clusters = {
            f"clusters/{name}": {
                "addresses": ADDRESSES[name],
                "http_port": self.port,
                "tftp_port": self.port,
            }
            for name in order
        }
        return {"local": {"root": local}, **clusters}

    def requests(self) -> Counter[tuple[str, str]]:
        """How often each cluster was asked for each name since the last call."""
        # nginx writes its log now and then: a request of ours marks how far it has to come.
        before = len(self._phases())
        with socket.create_connection((ADDRESSES[self.alive[0]], self.port), timeout=5) as wire:
            wire.sendall(f"GET {MARK} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
            while wire.recv(4096):
                pass
        wait_for(lambda: len(self._phases()) > before, "the upstream's log")
        return self._phases()[-2]

    def _phases(self) -> list[Counter[tuple[str, str]]]:
        """The log, cut at the marks; what stands behind the last mark is last."""
        phases = [Counter[tuple[str, str]]()]
        for line in self.log.read_text().splitlines():
            address, name = line.split()
            if name == MARK:
                phases.append(Counter())
            else:
                phases[-1][address, name] += 1
        return phases


@contextmanager
def upstreams(ground: Ground, site: Site, dead: str = "") -> Iterator[Upstreams]:
    """The clusters, without the dead one, which keeps silent."""
    alive = tuple(name for name in ADDRESSES if name != dead)
    port = free_port()
    log = ground.folder / f"upstream-{port}.log"
    servers = [
        f"server {{ listen {ADDRESSES[name]}:{port} backlog=4096; root {site.root(name)}; }}"
        for name in alive
    ]
    argv = nginx_argv(ground, f"upstream-{port}", servers, f"{log} bench buffer=64k flush=100ms")
    where = (ADDRESSES[alive[0]], port)
    with start("upstream", argv, ground.folder, GENERATOR, http=where) as running:
        if dead:
            with _silence(ADDRESSES[dead], port):
                yield Upstreams(alive, port, log, running)
        else:
            yield Upstreams(alive, port, log, running)
    log.unlink(missing_ok=True)


def ideal(boots: int, alive: Sequence[str], known: bool) -> int:
    """How many requests would do, for so many phones that boot once.

    A phone that is not known: every cluster for its first file and for its configuration, then its home
    for the second trust list. A known one: its home for each of the three. What phones share is asked
    for once a cluster: the generic trust list and the common files.
    """
    each = 3 if known else 2 * len(alive) + 1
    return boots * each + len(alive) * (1 + len(COMMON))


@contextmanager
def _silence(address: str, port: int) -> Iterator[None]:
    """An address that answers nobody, neither UDP nor TCP: a cluster whose power is off."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as second,
    ):
        datagrams.bind((address, port))
        listener.bind((address, port))
        listener.listen(0)
        # These fill its queue: the kernel drops what comes after them.
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex((address, port))
        yield
