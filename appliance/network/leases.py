"""The leases that there are: read from the files that dhcpcd's hook writes, which outlive this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from appliance.network.lease import Lease, LeaseError, next_lease
from appliance.network.state import Family

Client = tuple[str, Family]
"""An interface that asks for a lease, and the family."""


class Leases:
    """Those below `folder`, which may not be there. `told` gets lines for a log."""

    def __init__(self, folder: Path, told: Callable[[str], None]) -> None:
        self._folder = folder
        self._told = told
        self._read: dict[Client, str] = {}
        self._held: dict[Client, Lease] = {}

    def path(self, client: Client) -> Path:
        """The file of a client."""
        name, family = client
        return self._folder / f"{name}.{family}"

    def held(self) -> tuple[Lease, ...]:
        """What holds now, with what the hook has written since."""
        for path in sorted(self._folder.glob("*.ipv[46]")):
            client = path.stem, Family(path.suffix[1:])
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if self._read.get(client) != text:
                self._read[client] = text
                self._take(client, text)
        at = now()
        self._held = {client: lease for client, lease in self._held.items() if lease.valid(at)}
        return tuple(self._held.values())

    def left(self) -> float | None:
        """Seconds until the first one is over; None where none ever is."""
        ends = [lease.until for lease in self._held.values() if lease.until is not None]
        return max(0.0, min(ends) - now()) if ends else None

    def keep(self, clients: Iterable[Client]) -> None:
        """Forget what is held of all others: they do not ask any more."""
        for client in self._held.keys() - set(clients):
            del self._held[client]
            self._read.pop(client, None)
            self.path(client).unlink(missing_ok=True)

    def _take(self, client: Client, text: str) -> None:
        try:
            lease = next_lease(text, *client, self._held.get(client))
        except LeaseError as error:
            self._told(f"DHCP on {client[0]}: {error}")
            return
        if lease is None:
            self._held.pop(client, None)
        else:
            self._held[client] = lease


def now() -> float:
    """Seconds since boot, as the hook has them from /proc/uptime."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
