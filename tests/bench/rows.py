"""The rows of the bench: what is measured, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import Load
from tests.bench.measure import Measure
from tests.bench.site import SIZES, Site, phones

CLIENTS = 100  # where a row does not say otherwise
LOCAL = "local"
FILES = "files"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long everything takes: seconds of warming up and of measuring, phones of the boot rows."""

    rounds: int
    warmup: float
    seconds: float
    phones: int
    patience: float  # s in which the phones of a boot row may all boot


FULL = Pace(rounds=3, warmup=1.0, seconds=4.0, phones=2000, patience=40.0)
QUICK = Pace(rounds=1, warmup=0.3, seconds=1.0, phones=300, patience=8.0)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is counted: its name, how many a second are worth 1, and how many a measurement has of it.

    `each` is what one of them is called beside its CPU time, and `units` how many there were.
    """

    name: str
    each: str
    units: Callable[[Measure], float]
    per_s: float = 1.0

    def value(self, measure: Measure) -> float:
        """The figure of the row."""
        return self.units(measure) * self.per_s / measure.figures.seconds

    def cpu_ms(self, measure: Measure) -> float | None:
        """The server's CPU time for one; None where there was none, or it is not known."""
        units = self.units(measure)
        return 1000 * measure.cpu_s / units if units and measure.cpu_s is not None else None


TRANSFERS = Unit("transfers/s", "transfer", lambda measure: measure.figures.transfers)
ANSWERS = Unit("answers/s", "answer", lambda measure: measure.figures.missing)
MEGABYTES = Unit("MB/s", "MB", lambda measure: measure.figures.bytes / 1e6)
BOOTS = Unit("boots/min", "boot", lambda measure: measure.figures.boots, per_s=60.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `root` is the place whose folder the servers serve, `speaks` the protocol."""

    name: str
    title: str
    unit: Unit
    plan: Callable[[Site, Pace], Path]
    root: str = FILES
    clients: int = CLIENTS
    speaks: str = "tftp"
    blksize: int = 512
    windowsize: int = 1
    phone_address: bool = False

    def load(self, plan: Path, pace: Pace) -> Load:
        """What the clients do in this row."""
        return Load(
            plan,
            pace.seconds,
            clients=self.clients,
            warmup=pace.warmup,
            blksize=self.blksize,
            windowsize=self.windowsize,
            keep_alive=self.speaks == "http",
            phone_address=self.phone_address,
        )


def _one(name: str, transport: str = "tftp") -> Callable[[Site, Pace], Path]:
    assert name in SIZES
    return lambda site, pace: site.fetch(FILES, name, transport)


ROWS = (
    Row("storm-100", "8 KiB, 512-byte blocks, 100 clients", TRANSFERS, _one("8k.bin")),
    Row("storm-500", "8 KiB, 512-byte blocks, 500 clients", TRANSFERS, _one("8k.bin"), clients=500),
    Row("storm-2000", "8 KiB, 512-byte blocks, 2,000 clients", TRANSFERS, _one("8k.bin"), clients=2000),
    Row("not-found", "not found, 100 clients", ANSWERS, lambda site, pace: site.absent()),
    Row("blocks-1428", "4 MiB, blksize 1428, 4 clients", MEGABYTES, _one("4m.bin"), clients=4, blksize=1428),
    Row(
        "window-1",
        "32 MiB, blksize 1428, windowsize 16, 1 client",
        MEGABYTES,
        _one("32m.bin"),
        clients=1,
        blksize=1428,
        windowsize=16,
    ),
    Row(
        "window-8",
        "32 MiB, blksize 1428, windowsize 16, 8 clients",
        MEGABYTES,
        _one("32m.bin"),
        clients=8,
        blksize=1428,
        windowsize=16,
    ),
    Row(
        "boots-local",
        "phones boot, files in the local store",
        BOOTS,
        lambda site, pace: site.boots(phones(pace.phones, [LOCAL])),
        root=LOCAL,
        phone_address=True,
    ),
    Row("http-8k", "HTTP, 8 KiB, 100 kept connections", TRANSFERS, _one("8k.bin", "http"), speaks="http"),
    Row("http-4m", "HTTP, 4 MiB, 4 connections", MEGABYTES, _one("4m.bin", "http"), clients=4, speaks="http"),
)

PROXIED = {
    "boots-cold": "phones boot, three clusters, none of them known",
    "boots-warm": "the same phones again",
    "boots-dead-cold": "as boots-cold, one of the three clusters dead and known to be",
    "boots-dead-warm": "the same phones again",
}
"""Rows of the proxy alone, in the order in which they are measured."""

NAMES = (*(row.name for row in ROWS), *PROXIED)
TITLES = {**{row.name: row.title for row in ROWS}, **PROXIED}
UNITS = {**{row.name: row.unit for row in ROWS}, **dict.fromkeys(PROXIED, BOOTS)}
