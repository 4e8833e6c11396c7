"""A file that is being served, wherever its bytes come from."""

from __future__ import annotations

from typing import Protocol

from appliance.cluster.answer import Found
from appliance.cluster.body import Broken
from appliance.cluster.fetch import Fetch, Fetches
from appliance.serve.storage import Opened, Storage
from appliance.store.folder import FileChanged, StoreUnavailable


class Content(Protocol):
    """What a transfer needs of a file. `source` is the store's or the cluster's name."""

    source: str
    address: str | None
    size: int | None

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`, waiting for the first; empty at the end; `Broken`."""

    def cached(self, offset: int, buffer: memoryview) -> memoryview | None:
        """Bytes at `offset`, up to the buffer's size, that take no waiting; None where `read` is needed.

        They may be in the buffer or elsewhere, and are good until the loop goes on. The last byte is
        among them only where the file has come to its end.
        """

    def whole_size(self) -> int:
        """The size in bytes, waiting for the end of the file where it was not told; `Broken`."""

    def whole(self) -> bytes | None:
        """All of it, where it is in memory and will not change."""

    def close(self) -> None:
        """Let go."""


class LocalContent:
    """A file of the local store."""

    def __init__(self, storage: Storage, source: str, opened: Opened) -> None:
        self._storage = storage
        self._file, self._head = opened.file, opened.head
        self.source = source
        self.path = opened.path  # in its real spelling
        self.address: str | None = None
        self.size: int | None = self._file.size

    def read(self, offset: int, length: int) -> bytes:
        """See `Content`."""
        if offset < len(self._head):
            return self._head[offset : offset + length]
        if offset >= self._file.size:
            return b""
        try:
            return self._storage.read(self._file, offset, length)
        except (FileChanged, StoreUnavailable) as fault:
            raise Broken(str(fault)) from None

    def cached(self, offset: int, buffer: memoryview) -> memoryview | None:
        """See `Content`."""
        if offset < len(self._head):
            return memoryview(self._head)[offset : offset + len(buffer)]
        return buffer[: self._file.read_cached(offset, buffer)] or None

    def whole_size(self) -> int:
        """See `Content`."""
        return self._file.size

    def whole(self) -> bytes | None:
        """See `Content`."""
        if len(self._head) != self._file.size:
            return None
        return self._head

    def close(self) -> None:
        """See `Content`."""
        if len(self._head) != self._file.size:
            self._file.close()  # what is in memory as a whole is closed already


class RemoteContent:
    """A file of a cluster, on its way or arrived. Takes over one use of the fetch, whose body it tells.

    The file is what follows the first `start` bytes of the body.
    """

    def __init__(self, fetches: Fetches, fetch: Fetch, found: Found) -> None:
        self.source = fetch.cluster.name
        self.address: str | None = found.address
        self.size = found.size
        self._fetches = fetches
        self._fetch: Fetch | None = fetch
        self.body = fetch.body
        self.start = 0

    def skip(self, count: int) -> None:
        """Go by what follows the first `count` bytes of the body alone; these have been read."""
        self.start = count
        if self.size is not None:
            self.size -= count

    def read(self, offset: int, length: int) -> bytes:
        """See `Content`."""
        return self.body.read(self.start + offset, length)

    def cached(self, offset: int, buffer: memoryview) -> memoryview | None:
        """See `Content`."""
        return self.body.cached(self.start + offset, buffer)

    def whole_size(self) -> int:
        """See `Content`."""
        if self.size is None:
            self.body.wait_whole()
            self.size = self.body.length - self.start
        return self.size

    def whole(self) -> bytes | None:
        """See `Content`."""
        return after(self.body.whole, self.start)

    def close(self) -> None:
        """See `Content`."""
        if self._fetch is not None:
            self._fetches.leave(self._fetch)
            self._fetch = None


def after(whole: bytes | None, start: int) -> bytes | None:
    """The bytes from `start` on; the very same object where these are all."""
    return whole[start:] if whole is not None and start else whole
