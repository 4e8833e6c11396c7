"""Self-tests before a change and after it, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from appliance.report.control import Tested
from appliance.report.text import printable

SHOWN_MAX = 100
"""self-tests that are told; a large site has thousands of addresses"""


class Finding(NamedTuple):
    """What one self-test found; `ok` is None where it could not be made yet."""

    name: str
    ok: bool | None
    why: str


Findings = Mapping[str, Finding]
"""Self-tests by name, in the order in which they are shown."""


def by_name(found: Iterable[Finding]) -> Findings:
    """Findings by their names; of several with one name the last counts."""
    return {each.name: each for each in found}


def compared(before: Findings, after: Findings) -> tuple[Tested, ...]:
    """Each test of both sides, in the order of the later ones; what is not tested any more comes last."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        Tested(
            printable(name),
            before[name].ok if name in before else None,
            after[name].ok if name in after else None,
            printable(after[name].why if name in after else "no part of the new configuration"),
        )
        for name in names
    )


def shown(tests: Sequence[Tested]) -> tuple[Tested, ...]:
    """As many as a line of the socket takes: those that got worse first, then in their order."""
    if len(tests) <= SHOWN_MAX:
        return tuple(tests)
    bad = [each for each in tests if each.before and each.after is False]
    first = [*bad, *(each for each in tests if each not in bad)][:SHOWN_MAX]
    return (*first, Tested(f"{len(tests) - SHOWN_MAX} more", None, None, ""))
