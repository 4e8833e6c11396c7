"""One or more clusters of small servers, and what asks them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import gevent

from appliance.cluster.answer import Answer as Said
from appliance.cluster.answer import Found
from appliance.cluster.body import Room
from appliance.cluster.fetch import Clients, Fetch, Fetches
from appliance.cluster.health import Health
from appliance.config.load import parse
from appliance.config.model import Cluster, Configuration, Protocol
from tests.cluster.servers import Answer, BlackHole, HttpServer, TftpServer
from tests.serve.proxy import free_port

VIA = "1.1 appliance-0123456789abcdef"
ONE, TWO, THREE = "127.0.1.1", "127.0.1.2", "127.0.1.3"


class World:
    """`clients` and `fetches` as the proxy has them. Ports where no server was started are closed."""

    def __init__(self, folder: Path) -> None:
        self.http_port, self.tftp_port = free_port(), free_port()
        self.room = Room(memory=4_000_000, disk=4_000_000, folder=folder)
        self.faults: list[Exception] = []
        self.clients = Clients(self.room, VIA, self.faults.append, probe_name=lambda cluster: "none")
        self.fetches = Fetches(self.clients)
        self._servers: list[BlackHole | HttpServer | TftpServer] = []

    def http(self, answer: Answer, address: str = ONE, idle: float | None = None) -> HttpServer:
        """Start an HTTP server."""
        self._servers.append(server := HttpServer(address, self.http_port, answer, idle))
        return server

    def black_hole(self, address: str = ONE) -> BlackHole:
        """Start what takes HTTP's place there and does not even refuse."""
        self._servers.append(server := BlackHole(address, self.http_port))
        return server

    def tftp(
        self, files: dict[str, bytes] | None = None, answer: bytes = b"", plain: bool = False
    ) -> TftpServer:
        """Start a TFTP server."""
        self._servers.append(server := TftpServer(ONE, self.tftp_port, files or {}, answer, plain))
        return server

    def cluster(self, *addresses: str, protocol: Protocol = Protocol.HTTP, name: str = "east") -> Cluster:
        """A cluster at these addresses, `ONE` where none is named."""
        numbers = tuple(map(ip_address, addresses or (ONE,)))
        return Cluster(name, numbers, protocol, self.http_port, self.tftp_port, True, False, "")

    def configuration(self, *addresses: str, more: str = "", each: str = "") -> Configuration:
        """Clusters east and west at these addresses, over HTTP; `more` are other sections, `each` keys of
        each cluster.
        """
        lines = ["version = 1", more, "[clusters]"]
        for name, address in zip(("east", "west"), addresses, strict=False):
            lines += [f"[[{name}]]", f"addresses = {address}", "protocol = http"]
            lines += [f"http_port = {self.http_port}", each]
        return parse("\n".join([*lines, ""]).encode(), "test")

    def health(self, cluster: Cluster, address: str = ONE) -> Health:
        """What is known of an address."""
        return self.clients.health(cluster, ip_address(address))

    def ask(self, cluster: Cluster, name: str = "x") -> tuple[Said | None, bytes]:
        """The answer of a fetch of its own, and the bytes that came with it; `Broken`."""
        fetch = self.fetches.start(cluster, name)
        try:
            fetch.answered.wait()
            return fetch.answer, read_all(fetch) if isinstance(fetch.answer, Found) else b""
        finally:
            self.fetches.leave(fetch)

    def close(self) -> None:
        """End the servers; nothing that was asked of them may be left."""
        self.clients.stop()
        until(lambda: not len(self.fetches))
        for server in self._servers:
            server.close()
        assert (self.room.memory_used, self.room.disk_used) == (0, 0)
        assert self.faults == []


def read_all(fetch: Fetch) -> bytes:
    """The whole body; `Broken`."""
    data = b""
    while piece := fetch.body.read(len(data), 100_000):
        data += piece
    return data


def until(condition: Callable[[], bool]) -> None:
    """Let the others run until `condition` holds; the test's own time limit ends it."""
    while not condition():
        gevent.sleep(0.002)
