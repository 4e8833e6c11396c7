"""Name servers and the name of this box: resolv.conf(5) in our run folder, and sethostname(2).

/etc/resolv.conf is a symbolic link to that file where this box manages the network.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from appliance.config.atomic import replace_file
from appliance.config.model import IPAddress
from appliance.network.lease import Lease

SERVERS_MAX = 3  # resolv.conf(5): MAXNS


def name_servers(static: Sequence[IPAddress], leases: Iterable[Lease]) -> tuple[IPAddress, ...]:
    """Those of the configuration, or else those of all leases; the first three count."""
    given = static or [server for lease in leases for server in lease.dns]
    return tuple(dict.fromkeys(given))[:SERVERS_MAX]


def time_servers(static: Sequence[str], leases: Iterable[Lease]) -> tuple[str, ...]:
    """Those of the configuration, or else those of all leases."""
    given = static or [str(server) for lease in leases for server in lease.ntp]
    return tuple(dict.fromkeys(given))


def resolv_conf(servers: Iterable[IPAddress]) -> str:
    """The text of the file."""
    return "".join(f"nameserver {server}\n" for server in servers)


def write(path: Path, servers: Iterable[IPAddress]) -> bool:
    """Put it in place as a whole; False where it stands already. `OSError`."""
    text = resolv_conf(servers).encode()
    if path.is_file() and path.read_bytes() == text:
        return False
    replace_file(path, text, 0o644)
    return True


def name(hostname: str) -> None:
    """Give the box its name, if it has another; `OSError`."""
    if socket.gethostname() != hostname:
        socket.sethostname(hostname)
