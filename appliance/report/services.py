"""The shape of what `appliance control` tells of the services of the box."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceShown:
    """One service: whether the configuration wants it now, whether it is as wanted, and what there is to say
    of it, which is the reason where it is not.
    """

    name: str
    wanted: bool
    ok: bool
    text: str
