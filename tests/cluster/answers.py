"""Ways in which a cluster's HTTP server answers."""

from __future__ import annotations

from collections.abc import Iterator

import gevent

from tests.cluster.servers import HANG_UP, STALL, Asked, reply

FILE = b"<device/>" * 1000
LARGE = b"0123456789abcdef" * 100_000


def has(asked: Asked) -> list[bytes | None]:
    return [reply(200, FILE)]


def has_not(asked: Asked) -> list[bytes | None]:
    return [reply(404)]


def fails(asked: Asked) -> list[bytes | None]:
    return [reply(500)]


def breaks(asked: Asked) -> list[bytes | None]:
    return [reply(200, FILE)[:-1], HANG_UP]


def silent(asked: Asked) -> list[bytes | None]:
    return [STALL]


def stalls(asked: Asked) -> list[bytes | None]:
    """A large file whose second half does not come."""
    return [reply(200, LARGE)[: -len(LARGE) // 2], STALL]


def late(seconds: float) -> Iterator[bytes]:
    gevent.sleep(seconds)
    yield reply(200, FILE)
