"""Which files of the local store are to be signed, and which of them were: no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from appliance.trust.header import HashAlgorithm
from appliance.trust.signing import Signing

FILE_MAX = 16 * 1024 * 1024  # bytes; what phones take signed is small, the rest are images
NAME_MAX = 255  # bytes of a signed file's name, folders included: no request can have more
SUFFIX = ".sgn"

_SIGNED = (".sgn", ".tlv")
_IMAGES = (".loads", ".sbn", ".sb2", ".zz", ".sbin", ".zup", ".bin", ".rom", ".img", ".cop", ".tar")
"""What its maker has signed, or what no phone asks for as X.sgn."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Index:
    """What was signed: the SHA-256 of each file, by its name in the store, and by whom (see `signer`)."""

    signer: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)

    def has(self, signer: str, name: str, digest: str) -> bool:
        """Whether this content was signed under this name, by this signer."""
        return self.signer == signer and self.digests.get(name) == digest


def signer(signing: Signing) -> str:
    """What makes a signature another one, but for the file: the certificate's names, and the hash."""
    who = signing.signer
    return f"{HashAlgorithm(signing.algorithm).name} {who.serial.hex()} {who.subject} {who.issuer}"


def encode(index: Index) -> bytes:
    """As it is kept on disk."""
    value = {"signer": index.signer, "files": dict(index.digests)}
    return json.dumps(value, indent=0, sort_keys=True).encode()


def decode(data: bytes) -> Index:
    """What `encode` has made; an empty one where it is anything else, so that all is signed anew."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return Index()
    if not isinstance(value, dict):
        return Index()
    name, files = value.get("signer"), value.get("files")
    if not isinstance(name, str) or not isinstance(files, dict):
        return Index()
    if not all(isinstance(each, str) and _DIGEST.fullmatch(each) for each in files.values()):
        return Index()
    return Index(name, files)


def wanted(names: Set[str]) -> set[str]:
    """Those of the store's names that are to be signed.

    Not what is signed already, images, hidden files, nor what lies there signed by the administrator.
    """
    lower = {name.lower() for name in names}
    return {
        name
        for name in names
        if not name.lower().endswith((*_SIGNED, *_IMAGES))
        and not any(
            part.startswith(".") or part.lower().endswith(SUFFIX) for part in PurePosixPath(name).parts
        )
        and name.lower() + SUFFIX not in lower
    }


def misfit(name: str, size: int) -> str:
    """Why no signed file can be made of one, `size` in bytes; empty where it can."""
    if not name.isprintable():
        return "a name that no phone can ask for"
    if len(name.encode()) + len(SUFFIX) > NAME_MAX:
        return f"a name of more than {NAME_MAX - len(SUFFIX)} bytes"
    if size > FILE_MAX:
        return f"more than {FILE_MAX} bytes"
    return ""
