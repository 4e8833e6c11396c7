"""A box as one file, and back: files are read and placed here, everything else is a child's work."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import appliance
from appliance.config.belongings import FOLDERS, collect
from appliance.config.bundle import SECRET, Origin
from appliance.control.child import ChildFailed, ChildFault, Children
from appliance.control.disk import Disk
from appliance.control.protocol import VerbError, Whose
from appliance.report.control import Exported
from appliance.report.record import stamp
from appliance.report.text import printable

SIZE_MAX = 8 * 1024 * 1024
"""bytes of a bundle that goes through control: as many as one connection may give"""


@dataclass(frozen=True, slots=True)
class Opened:
    """What an import brings: the configuration, and files by their path below the data folder. `sealed`
    says that it has secrets, and they stayed closed.
    """

    text: bytes
    files: Mapping[str, bytes]
    sealed: bool


class Bundles:
    """Makes and opens bundles of the box whose folder of data this is."""

    def __init__(self, data: Path, disk: Disk, children: Children) -> None:
        self._data = data
        self._disk = disk
        self._children = children

    def encode(
        self, text: bytes, author: str, comment: str, *, for_peer: bool, passphrase: str
    ) -> tuple[Exported, bytes]:
        """What is in it, and the bundle; `VerbError`."""
        try:
            files, others = self._disk.wait(collect, self._data)
        except OSError as fault:
            raise VerbError(Whose.OURS, f"a file cannot be read: {fault.strerror}") from None
        except ValueError as fault:
            raise VerbError(Whose.OURS, str(fault)) from None
        size = len(text) + sum(map(len, files.values()))
        if size > SIZE_MAX:
            raise VerbError(Whose.OURS, f"{size} bytes of files; a bundle takes {SIZE_MAX}")
        origin = Origin(appliance.__version__, stamp(time.time()), author, comment, for_peer)
        args = {
            "origin": asdict(origin),
            "configuration": _text(text),
            "files": {path: _text(content) for path, content in files.items()},
            "passphrase": passphrase,
        }
        bundle = base64.b64decode(self._work("bundle", args)["bundle"])
        if len(bundle) > SIZE_MAX:
            raise VerbError(Whose.OURS, f"it has {len(bundle)} bytes; import takes {SIZE_MAX}")
        secrets = sum(path.startswith(SECRET) for path in files)
        sealed = secrets if passphrase and not for_peer else 0
        return Exported(len(bundle), for_peer, sealed, secrets - sealed, others[:20]), bundle

    def decode(self, bundle: bytes, own: bytes, passphrase: str) -> Opened:
        """What is in a bundle, with the identity of the text `own` where it has none; `VerbError`."""
        args = {"bundle": _text(bundle), "own": _text(own), "passphrase": passphrase}
        found = self._work("unbundle", args)
        files = {path: base64.b64decode(content) for path, content in found["files"].items()}
        for path in files:
            if path.partition("/")[0] not in FOLDERS or "/" not in path:
                why = f"it holds a file of another folder than {', '.join(FOLDERS)}"
                raise VerbError(Whose.CONFIGURATION, why, printable(path))
        return Opened(base64.b64decode(found["configuration"]), files, bool(found["sealed"]))

    def _work(self, task: str, args: Mapping[str, object]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._children.work(task, args)
        except ChildFault as fault:
            raise VerbError(Whose.CONFIGURATION, str(fault)) from None
        except ChildFailed as fault:
            raise VerbError(Whose.OURS, str(fault)) from None
        return found


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
