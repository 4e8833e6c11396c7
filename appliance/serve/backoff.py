"""How long a worker that has ended waits until it is started again: pure."""

from __future__ import annotations

FIRST = 0.1
"""s, so that one that cannot live is not started without end."""
LAST = 30.0
"""s at most."""
STEADY = 30.0
"""s of life after which an end says nothing of the next start."""


def pause(before: float, lived: float) -> float:
    """Seconds to wait after a life of `lived` s, where it was `before` the last time (0 for the first)."""
    if lived >= STEADY or before == 0:
        return FIRST
    return min(before * 2, LAST)
