"""How the tests look into the store, and at what it holds open."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from appliance.store.folder import Folder
from appliance.store.store import Store


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def got(folder: Folder | Store, name: str) -> tuple[str, bytes] | None:
    """Spelling found and content."""
    file = folder.open(name)
    if file is None:
        return None
    try:
        return file.name, file.read(0, file.size)
    finally:
        file.close()


def at_once(call: Callable[[], object]) -> object:
    """The result of a call that must not wait, on a thread that is given up when it does."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(10)
    assert results, "the call waits"
    return results[0]
