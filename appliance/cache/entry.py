"""A file that is kept: what is known of it, and its form on disk.

On disk an entry is one file: a head of `HEAD` bytes, which is one line of JSON filled up with spaces,
then the body. The head holds everything that is known, the body's length and digest included, and a
check of itself: `decode(encode(entry)) == entry`, and what `encode` would not write is no entry.

The digest is SHA-256: the processors of such boxes compute it in hardware at the speed of their
flash. It tells bodies that are torn or worn; against who can write to the folder nothing here helps.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from math import isfinite

HEAD = 2048
"""Bytes of the head, whatever it says, so that it can be written when the body's digest is known."""
BLOCK = 4096
"""Bytes in which disks give out room."""
VERSION = 1
VALIDATOR_MAX = 256  # characters; a longer one is not kept

Key = tuple[str, str]
"""Cluster, and the name as it was asked for."""


class NotAnEntry(Exception):
    """A file that is torn, altered, or none of ours. The text says which."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One whole file of one cluster.

    `kind` is what `cluster.names` calls it, `validator` what the cluster told for conditional requests,
    empty where it told nothing, `address` that of the cluster which sent it. `length` in bytes;
    `fetched` in s of the wall clock.
    """

    cluster: str
    name: str
    kind: str
    length: int
    digest: str
    validator: str
    address: str
    fetched: float

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.cluster, self.name

    @property
    def footprint(self) -> int:
        """Bytes that it takes on disk."""
        return -(-(HEAD + self.length) // BLOCK) * BLOCK

    def alike(self, other: Entry) -> bool:
        """Whether the two differ in their bytes at most."""
        mine = self.key, self.kind, self.length, self.validator
        return mine == (other.key, other.kind, other.length, other.validator)


def file_name(key: Key) -> str:
    """The name of its file: nothing that a stranger chose can lead out of the folder."""
    cluster, name = key
    return hashlib.sha256(f"{cluster}\0{name}".encode()).hexdigest()[:40]


def encode(entry: Entry) -> bytes:
    """The head; `ValueError` for what does not fit or is no text."""
    fields: dict[str, object] = {
        "version": VERSION,
        "cluster": entry.cluster,
        "name": entry.name,
        "kind": entry.kind,
        "length": entry.length,
        "digest": entry.digest,
        "validator": entry.validator,
        "address": entry.address,
        "fetched": entry.fetched,
    }
    fields["check"] = hashlib.sha256(_json(fields)).hexdigest()[:8]
    head = _json(fields).ljust(HEAD - 1) + b"\n"
    if len(head) != HEAD:
        raise ValueError("a name too long to be kept")
    return head


def fits(entry: Entry) -> bool:
    """Whether an entry can be written: whether its names and validator are short, and are text."""
    try:
        encode(replace(entry, digest="0" * 64))
    except ValueError:
        return False
    return len(entry.validator) <= VALIDATOR_MAX


def decode(head: bytes) -> Entry:
    """The entry; `NotAnEntry` for anything that `encode` does not write."""
    try:
        match json.loads(head.decode()):
            case {
                "cluster": str(cluster),
                "name": str(name),
                "kind": str(kind),
                "length": int(length),
                "digest": str(digest),
                "validator": str(validator),
                "address": str(address),
                "fetched": float(fetched),
            } if type(length) is int and length >= 0 and isfinite(fetched):
                entry = Entry(cluster, name, kind, length, digest, validator, address, fetched)
                if encode(entry) == head:
                    return entry
    except (ValueError, RecursionError):
        pass  # no JSON, no UTF-8, or nested beyond reason
    raise NotAnEntry("no head of an entry")


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
