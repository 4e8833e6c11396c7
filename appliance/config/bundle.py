"""The whole of a box as one file: its configuration and named files, to be kept or to be taken elsewhere.

A tar archive that any computer opens: `manifest.json`, `appliance.conf`, the files below `files/`, and
`secrets.sealed`, which holds the files below `keys/` under a passphrase, as an archive too. The manifest has
the SHA-256 of each of them: what a copy damaged is refused as a whole. (It is no signature: who changes a
bundle can change its digests. The secrets alone cannot be changed without their passphrase.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from appliance.config import tar
from appliance.config.lines import SIZE_MAX
from appliance.config.peer import without_identity
from appliance.config.seal import Unsealable, seal, unseal
from appliance.report.text import printable

FORMAT = 1
"""The version of the manifest."""

BUNDLE_MAX = 32 * 1024**2
"""Bytes of a bundle."""

FILES_MAX = 500
"""Files of a bundle, and as many secrets."""

MANIFEST_MAX = 256 * 1024  # bytes

SECRET = "keys/"
OWN = ("system/box-id", "system/machine-id", "state/box-id")
"""Files that are never part of a bundle: two boxes with one identity take each other's requests for loops."""

_MANIFEST, _CONFIGURATION, _FILES, _SEALED = "manifest.json", "appliance.conf", "files/", "secrets.sealed"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bundle comes from. `software` is the version that made it, `time` RFC 3339 in UTC; `author` and
    `comment` are those of the configuration's revision. With `for_peer` it has no identity.
    """

    software: str
    time: str
    author: str
    comment: str
    for_peer: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle holds. `files` are by their path below the data folder, secrets among them where they
    were opened; `sealed` says that it has secrets.
    """

    origin: Origin
    configuration: bytes
    files: Mapping[str, bytes]
    sealed: bool


class BadBundle(ValueError):
    """Bytes that are no whole bundle, or one that this passphrase does not open; says why."""


def encode(
    origin: Origin, configuration: bytes, files: Mapping[str, bytes], passphrase: str | None = None
) -> bytes:
    """The bundle of a configuration and of files, by their path below the data folder.

    Secrets are left out without a passphrase. For a peer secrets, files of the system and the identity that
    stands in the configuration are left out. ValueError for a passphrase that is too short, a path that is
    none, and for more than a bundle holds; ConfigurationError for a configuration that is no text.
    """
    kept = {path: data for path, data in files.items() if path not in OWN}
    if origin.for_peer:
        kept = {path: data for path, data in kept.items() if not path.startswith((SECRET, "system/"))}
        configuration = without_identity(configuration, _CONFIGURATION)
    secrets = {path: data for path, data in kept.items() if path.startswith(SECRET)}
    members = {_CONFIGURATION: configuration}
    members |= {_FILES + path: data for path, data in sorted(kept.items()) if path not in secrets}
    if secrets and passphrase is not None:
        members[_SEALED] = seal(tar.encode(dict(sorted(secrets.items()))), passphrase)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    manifest = json.dumps({"format": FORMAT, **asdict(origin), "sha256": digests}, indent=2).encode() + b"\n"
    bundle = tar.encode({_MANIFEST: manifest, **members})
    if len(bundle) > BUNDLE_MAX or len(kept) > FILES_MAX or len(configuration) > SIZE_MAX:
        raise ValueError(f"more than a bundle holds: {BUNDLE_MAX} bytes, {FILES_MAX} files")
    return bundle


def is_path(path: str) -> bool:
    """Whether a file of this path has a place in a bundle."""
    return tar.is_name(_FILES + path)


def decode(bundle: bytes, passphrase: str | None = None) -> Bundle:
    """What is in a bundle; BadBundle for anything else. Without a passphrase secrets stay closed."""
    if len(bundle) > BUNDLE_MAX:
        raise BadBundle(f"more than {BUNDLE_MAX} bytes")
    members = _opened(bundle, FILES_MAX + 3)
    origin, digests = _manifest(members.pop(_MANIFEST, b""))
    found = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    if found != digests:
        names = sorted(name for name in {*found, *digests} if found.get(name) != digests.get(name))
        raise BadBundle(f"damaged: {printable(', '.join(names))} is not what its manifest says")
    sealed = members.pop(_SEALED, None)
    configuration = members.pop(_CONFIGURATION, None)
    if configuration is None or len(configuration) > SIZE_MAX:
        raise BadBundle(
            "it has no configuration" if configuration is None else "its configuration is too large"
        )
    files = {name.removeprefix(_FILES): data for name, data in members.items() if name.startswith(_FILES)}
    if len(files) != len(members) or any(path.startswith(SECRET) or path in OWN for path in files):
        raise BadBundle("it holds a file that is no part of a bundle")
    if sealed is not None and passphrase is not None:
        files |= _secrets(sealed, passphrase)
    return Bundle(origin, configuration, files, sealed is not None)


def _secrets(sealed: bytes, passphrase: str) -> dict[str, bytes]:
    try:
        opened = _opened(unseal(sealed, passphrase), FILES_MAX)
    except Unsealable as error:
        raise BadBundle(str(error)) from None
    if not all(path.startswith(SECRET) for path in opened):
        raise BadBundle("its secrets hold a file that is none")
    return opened


def _opened(archive: bytes, members_max: int) -> dict[str, bytes]:
    try:
        return tar.decode(archive, members_max)
    except tar.BadArchive as error:
        raise BadBundle(str(error)) from None


def _manifest(data: bytes) -> tuple[Origin, dict[str, str]]:
    """The origin, and the SHA-256 of each member in hex."""
    try:
        if len(data) > MANIFEST_MAX:
            raise ValueError("too large")
        found: dict[str, Any] = json.loads(data)
        number, digests = found.pop("format"), found.pop("sha256")
        if type(number) is int and number > FORMAT:
            raise BadBundle(f"of format {number}; this software knows up to {FORMAT}")
        origin = Origin(**found)
        texts = (origin.software, origin.time, origin.author, origin.comment)
        if number != FORMAT or type(origin.for_peer) is not bool or not isinstance(digests, dict):
            raise ValueError("other types")
        if not all(isinstance(text, str) for text in (*texts, *digests.values())):
            raise ValueError("other types")
    except BadBundle:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadBundle("it has no manifest of a bundle") from None
    software, time, author, comment = (printable(text, 200) for text in texts)
    return Origin(software, time, author, comment, origin.for_peer), digests
