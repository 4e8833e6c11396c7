"""The arguments of a verb: of the right names and types, or refused. Pure."""

from __future__ import annotations

import math
from typing import Any

from appliance.control.protocol import VerbError, Whose

WINDOW_MAX = 3600.0
"""s to confirm a change, at most"""


def arguments(args: dict[str, Any], **types: type) -> tuple[Any, ...]:
    """The values of these arguments, in this order; the empty one of its type for what is not given.
    `VerbError` for another type, or another argument.
    """
    unknown = sorted(args.keys() - types.keys())
    if unknown:
        raise VerbError(Whose.PEER, f"no such argument; there are: {', '.join(types) or 'none'}", unknown[0])
    for name, kind in types.items():
        if name in args and type(args[name]) is not kind:
            raise VerbError(Whose.PEER, f"not of the type {kind.__name__}", name)
    return tuple(args.get(name, kind()) for name, kind in types.items())


def commitment(args: dict[str, Any]) -> tuple[str, float | None]:
    """`comment`, and `confirm_s`: None where it is left to the change itself; `VerbError`."""
    rest = {key: value for key, value in args.items() if key != "confirm_s"}
    (comment,) = arguments(rest, comment=str)
    window = args.get("confirm_s")
    if window is None:
        return comment, None
    if type(window) not in (int, float) or not math.isfinite(window) or not 0 <= window <= WINDOW_MAX:
        raise VerbError(Whose.PEER, f"not 0 to {WINDOW_MAX:g} seconds", "confirm_s")
    return comment, float(window)
