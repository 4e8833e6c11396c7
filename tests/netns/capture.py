"""What crossed the wire, told by tshark: an independent judge of transfers."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from tests.netns.lab import Lab
from tests.netns.process import Process, run, wait_for

RRQ, DATA, ACK, ERROR, OACK = 1, 3, 4, 5, 6
DEFAULT_BLKSIZE = 512  # RFC 1350

End = tuple[str, int]


@dataclass(slots=True)
class Transfer:
    """One read request and what came of it. `options` as asked for, `oack` as granted."""

    name: str
    options: dict[str, str]
    oack: dict[str, str] = field(default_factory=dict)
    blocks: list[bytes] = field(default_factory=list)
    repeated: int = 0
    refused: str = ""

    @property
    def whole(self) -> bool:
        """Whether the block that ends a file has been seen."""
        blksize = int(self.oack.get("blksize", DEFAULT_BLKSIZE))
        return bool(self.blocks) and len(self.blocks[-1]) < blksize

    @property
    def body(self) -> bytes:
        """All blocks so far, in order."""
        return b"".join(self.blocks)


class Capture:
    """Everything that passes one port of the bridge, into a file, from `start` to `stop`."""

    def __init__(self, lab: Lab, port: str) -> None:
        self.path = lab.scratch("pcapng")
        argv = ["dumpcap", "-q", "-i", port, "-w", str(self.path)]
        self._process: Process = lab.start(argv, "File: ", name=f"capture of {port}")

    def stop(self, last: str) -> None:
        """End it once a request for the file `last` has reached the disk, and all before it with it."""
        request = b"\0\1" + last.encode() + b"\0"
        try:
            wait_for(lambda: request in self.path.read_bytes(), f"a request for {last} in the capture")
        finally:
            self._process.stop()


def transfers(path: Path, port: int = 69) -> list[Transfer]:
    """The TFTP transfers in the order of their requests; a gap in the blocks is an AssertionError."""
    found: list[Transfer] = []
    running: dict[End, Transfer] = {}  # by the client's end
    for source, target, payload in _datagrams(path):
        opcode = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 0
        if opcode == RRQ and target[1] == port:
            name, _mode, *rest = _strings(payload[2:])
            before = running.get(source)
            if before is None or before.name != name or before.blocks:  # else it is a repeated request
                running[source] = Transfer(name, _pairs(rest))
                found.append(running[source])
        elif (transfer := running.get(target)) is not None:
            _receive(transfer, opcode, payload)
    return found


def complaints(path: Path) -> str:
    """What tshark finds wrong with the TFTP packets of a capture; "" is the only good answer."""
    return _tshark(path, "-Y", "tftp.opcode != 5 && _ws.expert.severity >= 6291456")


def _receive(transfer: Transfer, opcode: int, payload: bytes) -> None:
    if opcode == OACK:
        transfer.oack = _pairs(_strings(payload[2:]))
    elif opcode == ERROR:
        transfer.refused = f"ERROR {payload[3]} {_strings(payload[4:])[0]}"
    elif opcode == DATA:
        number = struct.unpack("!H", payload[2:4])[0]
        done = len(transfer.blocks)
        back = (done - number) % 65536  # how many blocks before the newest
        if back == 65535:
            transfer.blocks.append(payload[4:])
            return
        assert back < done, f"{transfer.name}: block {number} after {done} blocks"
        assert transfer.blocks[done - 1 - back] == payload[4:], f"{transfer.name}: block {number} differs"
        transfer.repeated += 1


def _datagrams(path: Path) -> list[tuple[End, End, bytes]]:
    fields = ["ip.src", "ipv6.src", "udp.srcport", "ip.dst", "ipv6.dst", "udp.dstport", "udp.payload"]
    listed = _tshark(
        path,
        "-T",
        "fields",
        *(word for each in fields for word in ("-e", each)),
        "-Y",
        "udp && !icmp && !icmpv6",
    )
    datagrams = []
    for line in listed.splitlines():
        source4, source6, source_port, target4, target6, target_port, payload = line.split("\t")
        source, target = (source4 or source6, int(source_port)), (target4 or target6, int(target_port))
        datagrams.append((source, target, bytes.fromhex(payload)))
    return datagrams


def _tshark(path: Path, *arguments: str) -> str:
    done = run(["tshark", "-n", "-r", str(path), *arguments], timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _strings(tail: bytes) -> list[str]:
    return [each.decode("latin-1") for each in tail.split(b"\0")[:-1]]


def _pairs(strings: list[str]) -> dict[str, str]:
    return {key.lower(): value for key, value in zip(strings[::2], strings[1::2], strict=True)}
