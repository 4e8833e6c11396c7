"""What is spoken on the Unix sockets: one JSON object a line.

    up      {"v": 1, "id": 7, "verb": "status", "args": {}}
    down    {"id": 7, "data": ...}
            {"id": 7, "error": {"whose": "peer|configuration|ours", "text": "...", "where": "..."}}
    streams any number of data lines, then {"id": 7, "end": true}

A line is at most 64 KiB, its newline included.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LINE_MAX = 64 * 1024
VERSION = 1


class Whose(StrEnum):
    """Whose fault an error is."""

    PEER = "peer"
    CONFIGURATION = "configuration"
    OURS = "ours"


class VerbError(Exception):
    """A verb could not be done."""

    def __init__(self, whose: Whose, text: str, where: str = "") -> None:
        super().__init__(text)
        self.whose = whose
        self.text = text
        self.where = where


@dataclass(frozen=True, slots=True)
class Call:
    """One line up."""

    id: int
    verb: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One line down: data, an error, or the end of a stream."""

    id: int
    data: Any = None
    error: VerbError | None = None
    end: bool = False


def encode_call(call: Call) -> bytes:
    """The line of a call."""
    return _line({"v": VERSION, "id": call.id, "verb": call.verb, "args": call.args})


def decode_call(line: bytes) -> Call:
    """The call in a line; `VerbError` (the peer's) for anything else."""
    match _object(line):
        case {"v": 1, "id": int(number), "verb": str(verb), "args": dict(args), **rest} if not rest:
            return Call(number, verb, args)
        case {"v": version} if version != VERSION:
            raise VerbError(Whose.PEER, f"this side speaks version {VERSION} of the protocol")
    raise VerbError(Whose.PEER, "a call is an object of v, id, verb and args")


def encode_reply(reply: Reply) -> bytes:
    """The line of a reply; `VerbError` (ours) when its data does not fit a line."""
    if reply.error is not None:
        error = reply.error
        fault = {"whose": error.whose, "text": error.text[:4096], "where": error.where[:1024]}
        return _line({"id": reply.id, "error": fault})
    if reply.end:
        return _line({"id": reply.id, "end": True})
    line = _line({"id": reply.id, "data": reply.data})
    if len(line) > LINE_MAX:
        raise VerbError(Whose.OURS, f"an answer of {len(line)} bytes does not fit a line")
    return line


def decode_reply(line: bytes) -> Reply:
    """The reply in a line; `VerbError` (the peer's) for anything else."""
    match _object(line):
        case {"id": int(number), "data": data, **rest} if not rest:
            return Reply(number, data)
        case {"id": int(number), "end": True, **rest} if not rest:
            return Reply(number, end=True)
        case {"id": int(number), "error": {"whose": str(whose), "text": str(text), "where": str(where)}}:
            known = {member.value: member for member in Whose}
            return Reply(number, error=VerbError(known.get(whose, Whose.OURS), text, where))
    raise VerbError(Whose.PEER, "the daemon's answer is not understood")


def _object(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise VerbError(Whose.PEER, "a line that is no JSON") from None


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_plain).encode() + b"\n"


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} in an answer")
