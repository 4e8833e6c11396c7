"""Proxies for the tests; whatever was sent to one, it has made no mistake and ends when asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.serve.proxy import Proxy, Settings

StartProxy = Callable[..., Proxy]

QUICK: Settings = {"tftp": {"timeout": 0.1, "retries": 2}}
"""A peer that has said nothing is given up after 0.7 s (0.1 + 0.2 + 0.4)."""


@contextmanager
def sound(settings: Settings | None = None, listen: str = "127.0.0.1") -> Iterator[Proxy]:
    """A proxy that is looked at when the test is over."""
    with Proxy(settings, listen) as proxy:
        yield proxy
        assert proxy.counters()["faults"] == 0
        for line in proxy.log().splitlines():
            assert isinstance(json.loads(line), dict), line  # and no traceback of anybody between them
        assert proxy.stop() == 0


@pytest.fixture
def start() -> Iterator[StartProxy]:
    """Starts a proxy for one test: `start(settings, listen)`."""
    with ExitStack() as stack:
        yield lambda settings=None, listen="127.0.0.1": stack.enter_context(sound(settings, listen))
