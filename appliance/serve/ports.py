"""Listening sockets: one for a process alone, or several on the same address and port (SO_REUSEPORT)."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence

from appliance.config.model import IPAddress
from appliance.network.sockaddr import family, sockaddr
from appliance.serve import datagrams, http, steering
from appliance.serve.listening import TFTP, Door

SO_ATTACH_REUSEPORT_CBPF = 51  # a Linux number that Python does not name


def open_alone(door: Door, dscp: int) -> socket.socket:
    """The listening socket of one process; `OSError`."""
    if door.transport == TFTP:
        return datagrams.listen(door.address, door.port, dscp)
    return http.listen(door.address, door.port, dscp)


class Port:
    """One address and port. `wires` has a socket for each worker, by its number."""

    def __init__(self, door: Door, dscp: int, workers: int) -> None:
        """`OSError` where somebody else has the port, though he would share it."""
        open_alone(door, dscp).close()
        self.transport = door.transport
        self.wires: list[socket.socket] = []
        self._version = door.address.version
        try:
            for _ in range(workers):
                if door.transport == TFTP:
                    self.wires.append(datagrams.listen(door.address, door.port, dscp, shared=True))
                else:
                    self.wires.append(_hear_connections(door.address, door.port, dscp))
            self.steer(range(workers))
        except OSError:
            self.close()
            raise

    def steer(self, running: Sequence[int]) -> None:
        """Have the kernel give requests to these workers; `OSError`."""
        code = steering.program(self._version, len(self.wires), running)
        instructions = ctypes.create_string_buffer(b"".join(code))
        program = struct.pack("@HP", len(code), ctypes.addressof(instructions))  # struct sock_fprog
        self.wires[0].setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program)

    def close(self) -> None:
        """Hear no more, once no worker does either."""
        for wire in self.wires:
            wire.close()


def _hear_connections(address: IPAddress, port: int, dscp: int) -> socket.socket:
    """What `http.listen` gives, shared."""
    wire = socket.socket(family(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        datagrams.mark(wire, address.version, dscp)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            wire.setsockopt(socket.SOL_SOCKET, option, 1)
        if address.version == 6:
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        wire.bind(sockaddr(address, port))
        wire.listen(http.BACKLOG)
    except OSError:
        wire.close()
        raise
    return wire
