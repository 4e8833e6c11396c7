"""What is in force when nothing has been yet: the confirmed configuration, or where that cannot be used the
newest good revision of the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.config import load
from appliance.config.atomic import replace_file
from appliance.config.faults import ConfigurationError, Fault
from appliance.config.history import History
from appliance.config.migrate import migrate
from appliance.config.model import Configuration
from appliance.control import marker
from appliance.control.disk import MODE, content
from appliance.control.places import Places, places, salvaged
from appliance.report.control import Change, Result
from appliance.report.text import printable

FAULT_MAX = 2000  # characters of a fault that is told


@dataclass(frozen=True, slots=True)
class Start:
    """`fault` says why the confirmed file is not used, empty where it is. `last` is the last change, as its
    marker tells of it: one that is pending there was never confirmed.
    """

    places: Places
    text: bytes
    configuration: Configuration
    fault: str
    last: Change | None


def begin(confirmed: Path) -> Start:
    """What a start finds; ConfigurationError where neither the file nor the history can be used."""
    text = b""
    try:
        text = migrate(_content(confirmed), str(confirmed))
        configuration = load.parse(text, str(confirmed))
    except ConfigurationError as error:
        return _fallen_back(confirmed, text, error)
    there = places(confirmed, configuration.paths)
    return Start(there, text, configuration, "", _last(there))


def prepare(confirmed: Path) -> Start:
    """Write the file in force, before any daemon reads it; ConfigurationError, OSError."""
    start = begin(confirmed)
    start.places.in_force.parent.mkdir(parents=True, exist_ok=True)
    replace_file(start.places.in_force, start.text, MODE)
    return start


def _fallen_back(confirmed: Path, text: bytes, error: ConfigurationError) -> Start:
    there = places(confirmed, salvaged(text))
    last = _last(there)
    history = History(there.history)
    unconfirmed = last.revision if last is not None and last.result is Result.PENDING else None
    found = history.newest_good(unconfirmed)
    if found is None:
        raise error
    revision, text = found
    good = migrate(text, f"revision {revision.number}")
    configuration = load.parse(good, f"revision {revision.number}")
    instead = f"revision {revision.number} of {revision.time} is in force instead of {confirmed}"
    fault = f"{instead}: {error.faults[0]}"
    there = places(confirmed, configuration.paths)
    return Start(there, good, configuration, printable(fault, FAULT_MAX), last)


def _content(path: Path) -> bytes:
    try:
        return content(path)
    except OSError as error:
        fault = Fault("", "", error.strerror or "nothing", "a file that can be read")
        raise ConfigurationError(str(path), [fault]) from error


def _last(there: Places) -> Change | None:
    try:
        return marker.read(there.marker)
    except (marker.BadMarker, OSError):
        return None  # the confirmed file comes into force whatever stands there
