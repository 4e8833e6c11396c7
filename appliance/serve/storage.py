"""The local store on native threads: a slow or hanging disk never holds up the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from appliance.store.folder import File, Folder, StoreUnavailable

THREADS = 8
HEAD_MAX = 64 * 1024
"""bytes: a file up to this size is read whole, and closed, in the one call that opens it."""

T = TypeVar("T")
Opened = tuple[File, bytes]


class Storage:
    """The folder, asked from greenlets. `patience` bounds each call, in seconds."""

    def __init__(self, folder: Folder, patience: float) -> None:
        self._folder = folder
        self._patience = patience
        self._threads = ThreadPool(THREADS)

    def open(self, path: str) -> Opened | None:
        """The file and, where it is small, its bytes; None where there is none; `StoreUnavailable`."""
        return self._call(_open, self._folder, path, late=_close)

    def read(self, file: File, offset: int, length: int) -> bytes:
        """See `File.read`."""
        return self._call(file.read, offset, length)

    def check(self) -> None:
        """`StoreUnavailable` where the store cannot be read at all."""
        self._call(self._folder.check)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.kill()
        self._folder.close()

    def _call(self, call: Callable[..., T], *arguments: Any, late: Callable[[T], None] | None = None) -> T:
        result: AsyncResult[T] | None = None
        timer = gevent.Timeout.start_new(self._patience)
        try:
            # Waits for a thread where all are busy, and then for the disk: both count.
            result = self._threads.spawn(call, *arguments)
            return cast(T, result.get())
        except BaseException as error:
            if late is not None and result is not None and not result.ready():
                # Nobody will take what the thread may still come back with.
                result.rawlink(lambda done: late(done.value) if done.value is not None else None)
            if error is timer:
                raise StoreUnavailable(f"the disk has not answered within {self._patience:g} s") from None
            raise
        finally:
            timer.close()


def _open(folder: Folder, path: str) -> Opened | None:
    file = folder.open(path)
    if file is None:
        return None
    try:
        if file.size > HEAD_MAX:
            return file, b""
        head = file.read(0, file.size)
        file.close()
    except BaseException:
        file.close()
        raise
    return file, head


def _close(opened: Opened | None) -> None:
    if opened is not None:
        opened[0].close()
