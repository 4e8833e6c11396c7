"""A long time at half load: memory and descriptors stay flat, and the loop is never late."""

from __future__ import annotations

import socket
import sys
import threading
import time
from dataclasses import dataclass
from statistics import median
from types import TracebackType
from typing import Self

from tests.bench import load, usage
from tests.bench.load import Endpoint, Figures, Load
from tests.bench.servers import Ground, start_proxy
from tests.bench.site import Phone, Site, phones
from tests.bench.upstream import ADDRESSES, upstreams

PHONES = 1500  # of each cluster and of the local store together
LEARN = 10.0  # s at full load, to know what half of it is
CLIENTS = 100
PROBE = 0.02  # s between two looks at the loop
PATIENCE = 1.0  # s for its answer
MB = 1e6


@dataclass(frozen=True, slots=True)
class Soak:
    """What came of it. Memory (MB) and descriptors are lists over the time, at even distances."""

    minutes: float
    boots_per_min: float
    failed: int
    retries: int
    memory_mb: tuple[float, ...]
    descriptors: tuple[int, ...]
    lag_p50_ms: float
    lag_p99_ms: float
    lag_max_ms: float
    unanswered: int
    first_p99_ms: float

    @property
    def memory_growth(self) -> float:
        """The last third of the time as part of the first one after the start."""
        return _growth(self.memory_mb)

    @property
    def descriptor_growth(self) -> float:
        """The same of descriptors."""
        return _growth(self.descriptors)


def run(ground: Ground, site: Site, minutes: float) -> Soak:
    """Phones of three clusters and of the local store, half over HTTP; `LoadFailed`, `NotRunning`."""
    places = [*ADDRESSES, "local"]
    some = phones(PHONES, places)
    site.write_phones(some)
    plan = site.boots(_shuffled(some), ("tftp", "http"))
    with (
        upstreams(ground, site) as clusters,
        start_proxy(ground, clusters.settings(site.root("local"))) as running,
    ):
        where = running.tftp, running.http
        full = Load(plan, LEARN, clients=CLIENTS, phone_address=True)
        learnt = load.run(ground.tools.loadgen, full, *where)
        rate = learnt.boots / learnt.seconds / 2
        _say(f"half load is {60 * rate:.0f} phones a minute, for {minutes:g} minutes")
        half = Load(plan, 60 * minutes, rate=rate, phone_address=True, report=max(1.0, minutes * 60 / 90))
        reports: list[Figures] = []
        used: list[usage.Usage] = []

        def report(figures: Figures) -> None:
            reports.append(figures)
            used.append(usage.of_session(running.process.pid))

        with Lag(running.tftp) as lag:
            reports.append(load.run(ground.tools.loadgen, half, *where, report=report))
    return Soak(
        minutes=minutes,
        boots_per_min=60 * sum(each.boots for each in reports) / sum(each.seconds for each in reports),
        failed=sum(each.failed for each in reports),
        retries=sum(each.retries for each in reports),
        memory_mb=tuple(round(each.rss_bytes / MB, 1) for each in used),
        descriptors=tuple(each.descriptors for each in used),
        lag_p50_ms=lag.percentile(0.50),
        lag_p99_ms=lag.percentile(0.99),
        lag_max_ms=lag.percentile(1.0),
        unanswered=lag.unanswered,
        first_p99_ms=max(each.first_ms["p99"] for each in reports),
    )


class Lag:
    """How late the proxy's loop is, as told from outside: asked again and again while the `with` lasts."""

    def __init__(self, where: Endpoint) -> None:
        self.unanswered = 0
        self._where = where
        self._times: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._probe, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def percentile(self, share: float) -> float:
        """ms; infinite where there was no answer at all."""
        times = sorted(self._times)
        return times[min(len(times) - 1, int(share * len(times)))] if times else float("inf")

    def _probe(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due += PROBE
            # A socket each: a late answer must not be taken for the next one's.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
                took = refusal_ms(wire, self._where)
            if took is None:
                self.unanswered += 1
            else:
                self._times.append(took)


def refusal_ms(wire: socket.socket, where: Endpoint) -> float | None:
    """How long the server takes to refuse a write request, which needs neither store nor cluster:
    how late its loop is. None where it does not answer in time.
    """
    wire.settimeout(PATIENCE)
    started = time.monotonic()
    wire.sendto(b"\0\2loop-lag\0octet\0", where)
    try:
        wire.recv(600)
    except TimeoutError:
        return None
    return (time.monotonic() - started) * 1000


def _shuffled(some: list[Phone]) -> list[Phone]:
    """In an order in which transports and places do not go in step."""
    return sorted(some, key=lambda phone: phone.device[::-1])


def _growth(values: tuple[float, ...] | tuple[int, ...]) -> float:
    third = max(1, len(values) // 3)
    start = median(values[third // 2 : third // 2 + third] or values)
    return median(values[-third:]) / start if start else 1.0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
