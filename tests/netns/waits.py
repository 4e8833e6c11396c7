"""Whether a request has waited for a silent cluster, by the steps of its record.

A cluster that is known to be silent is not asked: its answer is "known not to answer", at once. One that
gave no answer otherwise, or that was passed over without one, has been waited for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_KNOWN = "known not to answer"
_AGAIN = re.compile(r"; asked again every \S+ s")
_FAILED = re.compile(r"(?P<place>[\w-]+):(?: \S+:)? no answer: (?P<why>.*)")
_UNANSWERED = (
    re.compile(r"passed over without an answer: (?P<places>[\w-]+(?:, [\w-]+)*)"),
    re.compile(r"(?P<places>[\w-]+) gives no answer: the others are asked"),
    re.compile(r"no answer to go by from (?P<places>[\w-]+(?:, [\w-]+)*)"),
)


def waited_for(record: Mapping[str, Any]) -> list[str]:
    """The clusters that this request has waited for in vain, by name."""
    known: set[str] = set()
    waited: set[str] = set()
    unanswered: set[str] = set()
    for text in (*(step["text"] for step in record["steps"]), record["detail"]):
        if failed := _FAILED.match(text):
            addresses = _AGAIN.sub("", failed["why"]).split("; ")
            (known if all(_KNOWN in each for each in addresses) else waited).add(failed["place"])
        for pattern in _UNANSWERED:
            if found := pattern.search(text):
                unanswered |= set(found["places"].split(", "))
    return sorted(waited | (unanswered - known))
