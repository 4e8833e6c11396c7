"""Two proxies, each a cluster of the other (tftp.md 3c, row 54)."""

from __future__ import annotations

import time

import pytest

from tests.serve.conftest import StartProxy
from tests.serve.proxy import Proxy, free_port
from tests.serve.upstreams import ask_both

BUDGET = 1.0  # s
SLACK = 1.5  # s, for two cores that others use as well
NOT_FOUND, UNAVAILABLE = 1, 0


@pytest.mark.parametrize("nat", ["no", "yes"])
@pytest.mark.parametrize("protocol", ["http", "tftp"])
def test_two_that_ask_each_other(protocol: str, nat: str, start: StartProxy) -> None:
    """Row 54: what one asks of the other goes no further.

    On loopback both ask from 127.0.0.1, which only the second knows as a cluster's address; and with
    `nat` neither does. Without a mark (TFTP) it then comes round once, and waits for itself.
    """
    addresses = ("127.0.0.1", "127.0.0.2")
    ports = {"tftp": (free_port(), free_port()), "http": (free_port(), free_port())}
    proxies = [
        start(
            {
                "lookup": {"budget": BUDGET},
                "tftp": {"port": ports["tftp"][here], "http_port": ports["http"][here]},
                "clusters/other": {
                    "addresses": addresses[1 - here],
                    "protocol": protocol,
                    f"{protocol}_port": ports[protocol][1 - here],
                    "nat": nat,
                },
            },
            addresses[here],
        )
        for here in (0, 1)
    ]
    silent = nat == "yes" and protocol == "tftp"
    for number, proxy in enumerate(proxies):
        started = time.monotonic()
        outcomes = ask_both(proxy, str(number), "127.0.2.1")
        assert outcomes == [UNAVAILABLE if silent else NOT_FOUND] * 2
        assert time.monotonic() - started < BUDGET + SLACK
    for proxy in proxies:
        proxy.settle()
        assert _requests(proxy) <= (20 if silent else 6)


def _requests(proxy: Proxy) -> int:
    counters = proxy.counters()
    return int(counters["requests_tftp"] + counters["requests_http"])
