from __future__ import annotations

import pytest

from appliance.cluster.health import HTTP_AGAIN, Health
from appliance.config.model import Protocol

AUTO, HTTP, TFTP = Protocol.AUTO, Protocol.HTTP, Protocol.TFTP

Events = list[tuple[str, Protocol, float]]
"""What happened, over which protocol, and when."""


def after(events: Events, protocol: Protocol = AUTO) -> Health:
    health = Health(protocol)
    for what, spoken, at in events:
        if what == "answered":
            health.answered(spoken, at - 0.0125, at)
        else:
            health.failed(spoken, what, at)
    return health


@pytest.mark.parametrize(
    ("events", "now", "protocols"),
    [
        ([], 0, (HTTP, TFTP)),
        ([("answered", HTTP, 0)], 1, (HTTP, TFTP)),
        ([("refused", HTTP, 0)], 0, (TFTP,)),
        ([("refused", HTTP, 0)], HTTP_AGAIN - 0.1, (TFTP,)),
        ([("refused", HTTP, 0)], HTTP_AGAIN, (HTTP, TFTP)),
        ([("refused", HTTP, 0), ("answered", TFTP, 1)], 2, (TFTP,)),
        ([("refused", HTTP, 0), ("refused", TFTP, 1)], 2, (TFTP,)),
        ([("refused", HTTP, 0), ("answered", HTTP, 60)], 61, (HTTP, TFTP)),
        ([("refused", HTTP, 0), ("refused", HTTP, 60)], 61, (TFTP,)),
        ([("refused", HTTP, 0), ("refused", HTTP, 60)], 120, (HTTP, TFTP)),
        ([("silent", TFTP, 0)], 1, (HTTP, TFTP)),
    ],
)
def test_protocols_of_auto(events: Events, now: float, protocols: tuple[Protocol, ...]) -> None:
    assert after(events).protocols(now) == protocols


@pytest.mark.parametrize("protocol", [HTTP, TFTP])
@pytest.mark.parametrize(
    "events", [[], [("refused", HTTP, 0)], [("silent", TFTP, 0)], [("answered", HTTP, 0)]]
)
def test_a_protocol_that_is_set_is_kept_to(protocol: Protocol, events: Events) -> None:
    assert after(events, protocol).protocols(1) == (protocol,)


@pytest.mark.parametrize(
    ("events", "answering"),
    [
        ([], None),
        ([("answered", HTTP, 1)], True),
        ([("refused", HTTP, 1)], False),
        ([("answered", HTTP, 1), ("refused", HTTP, 2)], False),
        ([("refused", HTTP, 1), ("answered", TFTP, 2)], True),
        ([("refused", HTTP, 0.5), ("answered", TFTP, 0.5)], True),
    ],
)
def test_answering(events: Events, answering: bool | None) -> None:
    assert after(events).answering is answering


def test_what_is_counted() -> None:
    health = after(
        [("answered", HTTP, 1), ("timed out", HTTP, 2), ("answered", TFTP, 3), ("refused", TFTP, 4)]
    )
    assert (health.answers, health.failures) == (2, 2)
    assert (health.last_answer, health.last_failure) == (3, 4)
    assert health.why == "refused"
    assert health.latency_ms == 12.5
    assert health.out_of_use == ""
