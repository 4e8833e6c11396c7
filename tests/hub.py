"""gevent in tests: nothing hangs for long, and no greenlet dies unseen."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

PATIENCE = 20.0  # s of a whole test


@contextmanager
def watched() -> Iterator[None]:
    """Fails where the block takes too long, or a greenlet of it ended with an exception."""
    hub = gevent.get_hub()
    before, hub.exception_stream = hub.exception_stream, io.StringIO()
    try:
        with gevent.Timeout(PATIENCE):
            yield
        said = hub.exception_stream.getvalue()
    finally:
        hub.exception_stream = before
    assert said == ""
