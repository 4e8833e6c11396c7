"""Clients that are slow, silent, many, or without an end, over HTTP."""

from __future__ import annotations

import random
import threading
import time

from tests.netns.process import wait_for
from tests.serve.browser import Browser, get
from tests.serve.conftest import StartProxy
from tests.serve.phone import timed_fetch
from tests.serve.proxy import Proxy

FILE = random.Random(12).randbytes(3000)
LARGE = random.Random(13).randbytes(16 << 20)
HEAD_TIMEOUT = 10  # s


def connections(proxy: Proxy) -> int:
    return int(proxy.status()["held"]["http_connections"])


def test_slow_head(start: StartProxy) -> None:
    """A byte now and then does not buy more time for a head."""
    proxy = start()
    with Browser(proxy.http) as browser:
        started = time.monotonic()
        try:
            while time.monotonic() - started < 3 * HEAD_TIMEOUT:
                browser.send(b"G")
                if browser.closed(0.25):
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert HEAD_TIMEOUT - 1 < time.monotonic() - started < 2 * HEAD_TIMEOUT
    wait_for(lambda: connections(proxy) == 0, "the connection is gone")


def test_connections_of_one_client_are_bounded(start: StartProxy) -> None:
    """Half-open ones keep no place that another address needs, and are free again when they end."""
    proxy = start({"tftp": {"transfers_per_client_max": 20, "transfers_max": 30}})
    proxy.write("file.bin", FILE)
    get(proxy.http, "file.bin")
    before = proxy.descriptors()
    browsers = [Browser(proxy.http) for _ in range(40)]
    for browser in browsers[:20]:
        browser.send(b"GET /file.bin HT")
    assert all(browser.closed() for browser in browsers[20:])
    wait_for(lambda: connections(proxy) == 20, "the others stay")
    assert get(proxy.http, "file.bin", source="127.0.0.5").body == FILE
    wait_for(lambda: connections(proxy) == 20, "that one has ended")
    more = [Browser(proxy.http, "127.0.0.6") for _ in range(20)]
    wait_for(lambda: connections(proxy) == 30, "all places are taken")
    assert sum(browser.closed(0.05) for browser in more) == 10
    with Browser(proxy.http, "127.0.0.7") as late:
        assert late.closed()
    assert timed_fetch(proxy.tftp, "file.bin", "127.0.0.7")[0] == FILE
    for browser in browsers + more:
        browser.close()
    wait_for(lambda: connections(proxy) == 0, "all are gone")
    proxy.settle(before + 1)
    assert get(proxy.http, "file.bin").body == FILE


def test_requests_without_an_end(start: StartProxy) -> None:
    """One that asks faster than it can be answered holds up nobody else."""
    proxy = start()
    proxy.write("file.bin", FILE)
    for request in (
        b"GET /.. HTTP/1.1\r\n\r\n",
        b"HEAD /file.bin HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",
    ):
        over = threading.Event()

        def ask(request: bytes = request, over: threading.Event = over) -> None:
            with Browser(proxy.http) as browser:
                browser.wire.setblocking(False)
                while not over.is_set():
                    for call in (
                        lambda: browser.wire.send(request * 1000),
                        lambda: browser.wire.recv(1 << 20),
                    ):
                        try:
                            call()
                        except BlockingIOError:
                            pass

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            wait_for(lambda: proxy.counters()["requests_http"] > 500, "it has begun")
            times = [timed_fetch(proxy.tftp, "file.bin", "127.0.0.5")[1] for _ in range(10)]
        finally:
            over.set()
            thread.join()
        assert max(times) < 5.0


def test_connections_without_an_end(start: StartProxy) -> None:
    """Nor does one that does nothing but connect."""
    proxy = start()
    proxy.write("file.bin", FILE)
    over = threading.Event()

    def connect() -> None:
        while not over.is_set():
            Browser(proxy.http).reset()

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        times = [timed_fetch(proxy.tftp, "file.bin", "127.0.0.5")[1] for _ in range(20)]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert max(times) < 5.0
    wait_for(lambda: connections(proxy) == 0, "all are gone")


def test_answers_that_nobody_reads(start: StartProxy) -> None:
    """They wait at the client's pace, not in memory; and end with it."""
    proxy = start()
    proxy.write("file.bin", FILE)
    proxy.write("large.bin", LARGE)
    get(proxy.http, "large.bin")
    before, memory = proxy.descriptors(), proxy.memory()
    browsers = [Browser(proxy.http, f"127.0.2.{number}") for number in range(1, 101)]
    for browser in browsers:
        browser.send(b"GET /large.bin HTTP/1.1\r\nHost:x\r\n\r\n" * 10)
    wait_for(lambda: proxy.counters()["requests_http"] >= 101, "all are asked")
    assert timed_fetch(proxy.tftp, "file.bin")[1] < 1.0
    assert proxy.memory() - memory < 40 << 20
    for browser in browsers:
        browser.close()
    wait_for(lambda: connections(proxy) == 0, "all are gone")
    proxy.settle(before + 1)
