"""What tests ask of a running control."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from appliance.control import client


def phase(path: Path) -> str:
    """Where a change is; `VerbError`."""
    return str(client.ask(path, "status")["phase"])


def committed(path: Path, text: bytes, window: float | None, comment: str = "") -> Any:
    """Give a configuration, and commit it; `VerbError`."""
    with client.Connection(path) as connection:
        for start in range(0, len(text), 30000):
            connection.ask("put", {"data": base64.b64encode(text[start : start + 30000]).decode()})
        return connection.ask("commit", {"comment": comment, "confirm_s": window})
