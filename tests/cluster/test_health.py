from __future__ import annotations

import pytest

from appliance.cluster.breaker import PROBE_EVERY, State
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
            health.failed(spoken, what, at - 0.01, at, connected=what != "refused")
    return health


@pytest.mark.parametrize(
    ("events", "protocols", "silent"),
    [
        ([], (HTTP, TFTP), None),
        ([("answered", HTTP, 1)], (HTTP, TFTP), None),
        ([("silent", HTTP, 1)], (HTTP, TFTP), None),
        ([("refused", HTTP, 1)], (TFTP,), None),
        ([("silent", HTTP, 1), ("silent", HTTP, 2)], (TFTP,), None),
        ([("refused", HTTP, 1), ("answered", TFTP, 2)], (TFTP,), None),
        ([("refused", HTTP, 1), ("refused", TFTP, 3)], (), 97),
        ([("refused", TFTP, 3), ("refused", HTTP, 1)], (), 97),
        ([("refused", HTTP, 1), ("answered", HTTP, 61)], (HTTP, TFTP), None),
        ([("refused", TFTP, 1)], (HTTP,), None),
        ([("silent", TFTP, 1)], (HTTP, TFTP), None),
    ],
)
def test_protocols_of_auto(events: Events, protocols: tuple[Protocol, ...], silent: float | None) -> None:
    """They do not come back by time alone: a probe has to be answered."""
    health = after(events)
    assert (health.protocols(), health.silent(100)) == (protocols, silent)
    assert health.troubled is (len(protocols) < 2)


@pytest.mark.parametrize("protocol", [HTTP, TFTP])
@pytest.mark.parametrize(
    ("what", "protocols", "silent"), [("answered", 1, None), ("silent", 1, None), ("refused", 0, 99)]
)
def test_a_protocol_that_is_set_is_kept_to(
    protocol: Protocol, what: str, protocols: int, silent: float | None
) -> None:
    health = after([(what, protocol, 1)], protocol)
    assert health.protocols() == (protocol,) * protocols
    assert health.silent(100) == silent
    assert list(health.breakers) == [protocol]


@pytest.mark.parametrize(
    ("protocol", "events", "due"),
    [
        (AUTO, [], {}),
        (AUTO, [("answered", HTTP, 1)], {}),
        (HTTP, [("refused", HTTP, 1)], {HTTP: PROBE_EVERY}),
        (TFTP, [("refused", TFTP, 1)], {TFTP: PROBE_EVERY}),
        (AUTO, [("refused", HTTP, 1)], {HTTP: PROBE_EVERY}),
        (AUTO, [("refused", TFTP, 1)], {TFTP: PROBE_EVERY}),
        (AUTO, [("refused", TFTP, 1), ("answered", HTTP, 1)], {TFTP: PROBE_EVERY}),
        (AUTO, [("refused", HTTP, 1), ("answered", TFTP, 1)], {HTTP: HTTP_AGAIN}),
        (AUTO, [("refused", HTTP, 1), ("silent", TFTP, 1)], {HTTP: PROBE_EVERY}),
        (AUTO, [("refused", HTTP, 1), ("refused", TFTP, 1)], {HTTP: PROBE_EVERY, TFTP: PROBE_EVERY}),
        (
            AUTO,
            [("refused", HTTP, 1), ("answered", TFTP, 1), ("refused", TFTP, 1.1)],
            {HTTP: PROBE_EVERY, TFTP: PROBE_EVERY + 0.1},
        ),
    ],
)
def test_when_probes_are_due(protocol: Protocol, events: Events, due: dict[Protocol, float]) -> None:
    health = after(events, protocol)
    for spoken in (HTTP, TFTP):
        assert spoken not in health.due(1 + due.get(spoken, 1e6) - 0.01)
        assert spoken not in due or spoken in health.due(1 + due[spoken] + 0.01)
    health.out_of_use = "an address of this box itself"
    assert health.due(1e6) == ()


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
    health = after([("answered", HTTP, 1), ("silent", HTTP, 2), ("answered", TFTP, 3), ("refused", TFTP, 4)])
    assert (health.answers, health.failures) == (2, 2)
    assert (health.last_answer, health.last_failure) == (3, 4)
    assert health.why == "refused"
    assert health.latency_ms == 12.5
    assert health.out_of_use == ""
    shown = [(spoken, each.state, each.since, each.why) for spoken, each in health.breakers.items()]
    assert shown == [(HTTP, State.CLOSED, 1, "silent"), (TFTP, State.OPEN, 4, "refused")]
