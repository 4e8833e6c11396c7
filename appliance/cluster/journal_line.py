"""One line of the journal of homes, and what all lines together say. Pure.

A line is the CRC-32 of the rest (8 hex digits), a space, and one JSON object. A power cut can tear a line
or leave a block of zeros: such a line is not ours any more, and those around it still stand.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from appliance.cluster.homes import DEVICE_MAX, Entry, Home, Known
from appliance.cluster.neighbours import Named

LINE_MAX = 65_536  # bytes with the end of line
ADDRESS_MAX = 64  # characters
TIME_MAX = 1e12  # s; nothing that a clock of ours has ever shown


def encode(entry: Entry) -> bytes:
    """The line, with its end."""
    found: dict[str, object]
    if isinstance(entry, Named):
        found = {"address": entry.address, "device": entry.device, "time": entry.time}
    elif (home := entry.home) is None:
        found = {"device": entry.device, "forgotten": True}
    else:
        found = {"device": entry.device, "place": home.place, "seen": home.seen, "compared": home.compared}
        if home.missed:
            found["missed"] = home.missed
        if home.duplicates:
            found["duplicates"] = home.duplicates
        if home.by_hand:
            found["by_hand"] = True
        if home.following is not None:
            found["following"] = home.following
    text = json.dumps(found, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> Entry | None:
    """What a line says; None where it is torn or foreign."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if len(line) > LINE_MAX or checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        found = json.loads(text)
        return _entry(found) if isinstance(found, dict) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _entry(found: dict[str, object]) -> Entry:
    device = _text(found.pop("device"), DEVICE_MAX)
    entry: Entry
    if "address" in found:
        entry = Named(_text(found.pop("address"), ADDRESS_MAX), device, _time(found.pop("time")))
    elif found.pop("forgotten", None) is True:
        entry = Known(device, None)
    else:
        home = Home(
            place=_text(found.pop("place")),
            seen=_time(found.pop("seen")),
            compared=_time(found.pop("compared")),
            missed=_texts(found.pop("missed", [])),
            duplicates=_texts(found.pop("duplicates", [])),
            by_hand=found.pop("by_hand", None) is True,
            following=_text(found.pop("following")) if "following" in found else None,
        )
        entry = Known(device, home)
    if found:
        raise ValueError("more than we write")
    return entry


def _text(value: object, most: int = LINE_MAX) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise ValueError("not a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return tuple(_text(each) for each in value)


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= TIME_MAX:
        raise ValueError("not a time")
    return float(value)


@dataclass(slots=True)
class Contents:
    """What the lines of a journal say: homes by device, times by address and device, both oldest first.

    `lines` counts those that are there, `skipped` those of them that are torn or foreign.
    """

    homes: dict[str, Home] = field(default_factory=dict)
    addresses: dict[str, dict[str, float]] = field(default_factory=dict)
    lines: int = 0
    skipped: int = 0


def contents(lines: Iterable[bytes]) -> Contents:
    """All lines together: what is said later counts. The same text is kept once."""
    found = Contents()
    texts: dict[str, str] = {}
    for line in lines:
        if line == b"\n":
            continue  # written to get away from a torn line
        found.lines += 1
        match decode(line):
            case Known(device, home):
                found.homes.pop(device, None)
                if home is not None:
                    place = texts.setdefault(home.place, home.place)
                    found.homes[texts.setdefault(device, device)] = replace(home, place=place)
            case Named(address, device, time):
                times = found.addresses.pop(address, {})
                times.pop(device, None)
                times[texts.setdefault(device, device)] = time
                found.addresses[address] = times
            case None:
                found.skipped += 1
    return found
