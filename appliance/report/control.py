"""The shapes of what `appliance control` tells of the configuration's life: what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from appliance.report.services import ServiceShown


class Result(StrEnum):
    """What became of a change."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the configuration. `time` is that of its result, and `why` says what led to it."""

    revision: int
    sha256: str
    author: str
    comment: str
    time: str
    result: Result
    why: str


@dataclass(frozen=True, slots=True)
class Tested:
    """One self-test before a change and after it; None where it was not made. `why` is of the last one."""

    name: str
    before: bool | None
    after: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change that is in force and waits for its confirmation: `left_s` until it is reverted."""

    revision: int
    author: str
    comment: str
    left_s: float
    tests: tuple[Tested, ...]


@dataclass(frozen=True, slots=True)
class ControlStatus:
    """The configuration as it is now. `in_force` is the file that the proxy reads, `revision` its number;
    `fault` says why the confirmed file is not used, or what could not be put in force, empty where all is
    well. `last` is the change before, with what became of it.
    """

    version: str
    time: str
    uptime_s: float
    confirmed: str
    in_force: str
    revision: int
    phase: str
    fault: str
    pending: Waiting | None
    last: Change | None
    services: tuple[ServiceShown, ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """A change that is in force. With `confirm_s` above 0 it is reverted after as many seconds unless
    somebody confirms it. `restart` names settings that count from the next start on; `network` the changes
    that were made to interfaces; `proxy` says why the proxy does not go by it yet, empty where it does.
    """

    revision: int
    confirm_s: float
    restart: tuple[str, ...]
    network: tuple[str, ...]
    proxy: str
    tests: tuple[Tested, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a configuration could be committed; each fault is a line."""

    valid: bool
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle. `secrets` are those that it holds under the passphrase, `left_out` those that it does not;
    `others` are what has no place in any bundle.
    """

    bytes: int
    for_peer: bool
    secrets: int
    left_out: int
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RevisionShown:
    """One revision of the history. `state` is `in force` (or both), `confirmed` or empty."""

    number: int
    time: str
    author: str
    comment: str
    sha256: str
    state: str


@dataclass(frozen=True, slots=True)
class History:
    """The revisions that are kept, the newest first."""

    revisions: tuple[RevisionShown, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationShown:
    """The text of a configuration; `revision` is 0 for the one in force."""

    revision: int
    text: str
