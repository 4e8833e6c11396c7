"""What asking one address of a cluster can yield, whichever protocol is spoken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from appliance.config.model import IPAddress


class Absent(Exception):
    """The cluster answered that it has no such file: 404, 410, ERROR 1."""


class Refused(Exception):
    """The address answers, but not with this file: any other status or ERROR. The text says which."""


class Unreachable(Exception):
    """The address gave no answer: refused, timed out, broke off. The text says which."""


@dataclass(slots=True)
class Waiting:
    """Since when (s) an address has been asked and has said nothing; None while it is not its turn."""

    since: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One address of a cluster and the port of the protocol that is spoken there."""

    address: IPAddress
    port: int


class Opened(Protocol):
    """A file that an address has begun to send."""

    @property
    def size(self) -> int | None:
        """Bytes, None where the cluster does not tell."""

    def pieces(self) -> Iterator[bytes]:
        """The file's bytes as they come; `cluster.body.Broken` where it ends before its end."""

    def close(self) -> None:
        """Let go, at any time."""
