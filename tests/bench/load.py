"""One run of the load generator, and what it counted."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.bench.pin import GENERATOR, pinned

MARGIN = 20.0  # s over its own time after which the generator is ended
Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients do. `clients` at a time; or, with a `rate`, so many phones a second.

    `phones` ends the run after so many, `seconds` at the latest.
    """

    plan: Path
    seconds: float
    clients: int = 0
    rate: float = 0.0
    phones: int = 0
    warmup: float = 0.0
    report: float = 0.0
    blksize: int = 512
    windowsize: int = 1
    keep_alive: bool = False
    phone_address: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What the generator counted in `seconds`; `cpu_s` is its own.

    `missing` files were not found, and should not be. `refused`, `wrong` and `lost` ones went wrong.
    Times are from a request to the first packet of its answer, and to the end of its file.
    """

    seconds: float
    cpu_s: float
    boots: int
    transfers: int
    missing: int
    bytes: int
    retries: int
    lost: int
    refused: int
    wrong: int
    reconnects: int
    first_ms: dict[str, float]
    whole_ms: dict[str, float]

    @property
    def failed(self) -> int:
        """Files that did not come as they should."""
        return self.lost + self.refused + self.wrong


class LoadFailed(Exception):
    """The generator did not come to its end. The text says why."""


def run(
    loadgen: Path,
    load: Load,
    tftp: Endpoint,
    http: Endpoint,
    *,
    begun: Callable[[], None] = lambda: None,
    report: Callable[[Figures], None] = lambda figures: None,
) -> Figures:
    """Run it to its end; `LoadFailed`. `begun` is called as measuring begins, `report` by `load.report`."""
    argv = pinned(GENERATOR, [str(loadgen), *_options(load, tftp, http), str(load.plan)])
    last: Figures | None = None
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as popen:
        watchdog = threading.Timer(load.warmup + load.seconds + MARGIN, popen.kill)
        watchdog.start()
        try:
            assert popen.stdout is not None
            for line in popen.stdout:
                told = json.loads(line)
                match told["event"]:
                    case "begin":
                        begun()
                    case "report":
                        report(_figures(told))
                    case "end":
                        last = _figures(told)
        except BaseException:
            popen.kill()
            raise
        finally:
            watchdog.cancel()
    if last is None or popen.returncode:
        raise LoadFailed(f"the load generator ended with {popen.returncode}")
    return last


def _options(load: Load, tftp: Endpoint, http: Endpoint) -> list[str]:
    options = {
        "tftp": f"{tftp[0]}:{tftp[1]}",
        "http": f"{http[0]}:{http[1]}",
        "rate": load.rate,
        "clients": load.clients,
        "phones": load.phones,
        "warmup": load.warmup,
        "seconds": load.seconds,
        "report": load.report,
        "blksize": load.blksize,
        "windowsize": load.windowsize,
        "keep-alive": int(load.keep_alive),
        "phone-address": int(load.phone_address),
    }
    return [word for option, value in options.items() for word in (f"--{option}", str(value))]


def _figures(counted: dict[str, Any]) -> Figures:
    return Figures(**{field.name: counted[field.name] for field in fields(Figures)})
