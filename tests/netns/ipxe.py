"""iPXE in a virtual machine: a firmware's own client, started by DHCP like a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.netns.capture import Capture
from tests.netns.lab import Lab
from tests.netns.process import Process

ROM = Path("/usr/lib/ipxe/qemu/pxe-e1000.rom")
SCRIPT = "boot.ipxe"
LAST_WORDS = "interop: all asked for"
LAST_NAME = "interop-end"


def script(urls: Sequence[str]) -> bytes:
    """An iPXE script that fetches these, says which of them failed, and ends with `LAST_WORDS`."""
    fetches = [f"imgfetch --name body {url} && imgfree body || echo failed: {url}" for url in urls]
    end = f"imgfetch --timeout 1000 tftp://${{next-server}}/{LAST_NAME} ||"
    return "\n".join(["#!ipxe", *fetches, end, f"echo {LAST_WORDS}", "shell", ""]).encode()


def boot(lab: Lab, tap: str, timeout: float = 90.0) -> tuple[Path, Process]:
    """Boot a machine on a tap of the bridge until its script has ended; its capture, and what it said."""
    lab.tap(tap)
    capture = Capture(lab, tap)
    argv = [
        "qemu-system-x86_64",
        "-accel",
        "tcg",
        "-m",
        "128",
        "-nographic",
        "-no-user-config",
        "-nodefaults",
    ]
    argv += ["-serial", "stdio", "-monitor", "none", "-boot", "n", "-no-reboot"]
    argv += ["-netdev", f"tap,id=lan,ifname={tap},script=no,downscript=no"]
    argv += ["-device", f"e1000,netdev=lan,romfile={ROM}"]
    machine = lab.start(argv, name="iPXE")
    try:
        machine.await_ready(LAST_WORDS, timeout)
        capture.stop(LAST_NAME)
    finally:
        machine.stop()
    return capture.path, machine
