"""Whether a request has waited, told from its steps."""

from __future__ import annotations

import pytest

from tests.netns.waits import waited_for

KNOWN = "10.1.0.10: known not to answer for 4 s; asked again every 5 s"
KNOWN_TOO = "10.1.0.11: known not to answer for 7 s; asked again every 5 s"


@pytest.mark.parametrize(
    ("steps", "detail", "waited"),
    [
        (["home is b", "b: has it, 949 bytes (from 10.2.0.10 over HTTP)"], "", []),
        ([f"a: no answer: {KNOWN}", "passed over without an answer: a"], "", []),
        ([f"a: no answer: {KNOWN}; {KNOWN_TOO}", "passed over without an answer: a"], "", []),
        ([f"a: no answer: {KNOWN}", "a gives no answer: the others are asked"], "", []),
        ([f"a: no answer: {KNOWN}"], "no answer to go by from a", []),
        (["a: no answer: known not to answer for 0 s"], "no answer to go by from a", []),
        (["passed over without an answer: a, b"], "", ["a", "b"]),
        ([f"a: no answer: {KNOWN}", "passed over without an answer: a, b"], "", ["b"]),
        (["a gives no answer: the others are asked whether the phone has moved"], "", ["a"]),
        ([f"a: no answer: {KNOWN}"], "no answer to go by from a, b", ["b"]),
        (["a: no answer: 10.1.0.10: no HTTP connection: timed out"], "", ["a"]),
        ([f"a: no answer: {KNOWN}; 10.1.0.11: no HTTP connection: timed out"], "", ["a"]),
        (
            [f"a: no answer: {KNOWN}", "a: SEP00270DC00000.cnf.xml: no answer: 10.1.0.10: timed out"],
            "",
            ["a"],
        ),
    ],
)
def test_waited_for(steps: list[str], detail: str, waited: list[str]) -> None:
    record = {"steps": [{"at_ms": 0.0, "text": text} for text in steps], "detail": detail}
    assert waited_for(record) == waited
