"""The bytes of the messages between the processes of one proxy, a datagram each.

    JSON array of the message's name and its fields, then a newline and raw bytes where a field is bytes

SOCK_SEQPACKET keeps datagrams apart. What can be read as no message is `Malformed`, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, get_type_hints

from appliance.report.counters import Counters
from appliance.report.record import Record, Result, Step
from appliance.serve.messages import VERDICTS, Answer, Ended, Message, Note

MESSAGE_MAX = 128 * 1024
"""bytes of a message."""
BATCH_MAX = 8 * 1024
"""characters of the records in one message: each may take twelve bytes."""
TEXT_MAX = 240
"""characters of a note, and of other texts that another machine has a part in: as many notes as a record
has steps fit a message, be each character of them twelve bytes in JSON."""


class Malformed(Exception):
    """Not a message, or a wrong one. The text says what."""


_BY_NAME: dict[str, type[Any]] = {each.__name__: each for each in Message.__args__}
_TYPES = {kind: get_type_hints(kind) for kind in (*_BY_NAME.values(), Record, Counters)}
_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in (*_BY_NAME.values(), Record)}


def encode(message: Message) -> bytes:
    """The bytes of a message; `ValueError` where these are too many."""
    kind = type(message)
    values: list[Any] = [kind.__name__]
    tail = b""
    for name in _FIELDS[kind]:
        value = getattr(message, name)
        if isinstance(value, bytes):
            tail = b"\n" + value
            continue
        values.append(_plain(value))
    data = json.dumps(values, separators=(",", ":")).encode() + tail
    if len(data) > MESSAGE_MAX:
        raise ValueError(f"a message of {len(data)} bytes")
    return data


def batches(records: list[Record]) -> list[Ended]:
    """Records in as few messages as hold them all."""
    found: list[Ended] = []
    batch: list[Record] = []
    size = 0
    for record in records:
        steps = sum(40 + len(step.text) for step in record.steps)
        length = 300 + len(record.name) + len(record.detail) + steps
        if batch and size + length > BATCH_MAX:
            found.append(Ended(tuple(batch)))
            batch, size = [], 0
        batch.append(record)
        size += length
    return [*found, Ended(tuple(batch))] if batch else found


def decode(data: bytes) -> Message:
    """The message in these bytes; `Malformed`."""
    if len(data) > MESSAGE_MAX:
        raise Malformed(f"{len(data)} bytes")
    head, newline, tail = data.partition(b"\n")
    try:
        values = json.loads(head, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Malformed("no JSON") from None
    if not isinstance(values, list) or not values or not isinstance(values[0], str):
        raise Malformed("no array with a name")
    kind = _BY_NAME.get(values[0])
    if kind is None:
        raise Malformed("an unknown name")
    given = iter(values[1:])
    hints = _TYPES[kind]
    if len(values) - 1 != sum(hint is not bytes for hint in hints.values()):
        raise Malformed(f"{kind.__name__} with {len(values) - 1} fields")
    if (bytes in hints.values()) != bool(newline):
        raise Malformed(f"{kind.__name__} with or without bytes")
    read = [tail if hint is bytes else _read(next(given), hint) for hint in hints.values()]
    message: Message = kind(*read)
    if isinstance(message, Answer) and message.verdict not in VERDICTS:
        raise Malformed("an unknown verdict")
    return message


def _plain(value: Any) -> Any:
    """A field as JSON has it."""
    if isinstance(value, Counters):
        return {name: count for name, count in asdict(value).items() if count}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Record):
        return [_plain(getattr(value, name)) for name in _FIELDS[Record]]
    if isinstance(value, Step):
        return [value.at_ms, value.text]
    return value


def _read(value: Any, hint: Any) -> Any:
    """The field of this type; `Malformed`."""
    if hint is Counters:
        return _counters(value)
    if hint in _ROWS:
        if not isinstance(value, list):
            raise Malformed("no list where one is to be")
        return tuple(_ROWS[hint](item) for item in value)
    if hint is Result:
        try:
            return Result(value)
        except ValueError:
            raise Malformed("an unknown result") from None
    if hint == dict[str, str]:
        return _mapping(value, str)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise Malformed("a number that is too large")
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(value, bool) != (hint is bool) or not isinstance(value, hint):
        raise Malformed("a field of a wrong type")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _counters(value: Any) -> Counters:
    hints = _TYPES[Counters]
    if not isinstance(value, dict) or set(value) - set(hints):
        raise Malformed("no counters")
    read: dict[str, Any] = {}
    for name, item in value.items():
        read[name] = _mapping(item, int) if hints[name] == dict[str, int] else _read(item, hints[name])
    return Counters(**read)


def _mapping(value: Any, kind: type) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("no object where one is to be")
    return {key: _read(item, kind) for key, item in value.items()}


def _record(value: Any) -> Record:
    hints = _TYPES[Record]
    if not isinstance(value, list) or len(value) != len(hints):
        raise Malformed("no record")
    return Record(*(_read(item, hint) for item, hint in zip(value, hints.values(), strict=True)))


def _step(value: Any) -> Step:
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed("no step")
    return Step(_read(value[0], float), _read(value[1], str))


def _note(value: Any) -> Note:
    step = _step(value)
    return step.at_ms, step.text


def _text(value: Any) -> str:
    return str(_read(value, str))


_ROWS: dict[Any, Callable[[Any], Any]] = {
    tuple[Record, ...]: _record,
    tuple[Step, ...]: _step,
    tuple[Note, ...]: _note,
    tuple[str, ...]: _text,
}
