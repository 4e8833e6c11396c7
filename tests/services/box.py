"""The services in a machine of their own, with users and folders that the real one need not have:
`unshare --mount --net python -m tests.services.box PUBLIC_KEY`.

A line of JSON on standard input is a configuration ("show" asks only), and each is answered by a line: the
services as they are shown.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from gevent.fileobject import FileObject

from appliance.config.model import Ssh, System
from appliance.services import programs
from appliance.services.services import Services
from tests.netns.servers import DEBIAN

USERS = {"sshd": 990, "_chrony": 991, "admin": 992}
RUN, DATA = Path("/run/appliance"), Path("/run/data")


def main(public_key: str) -> None:
    """Until standard input ends."""
    _machine()
    keys = DATA / "system" / "ssh" / "authorized_keys"
    keys.parent.mkdir(parents=True)
    keys.write_bytes(Path(public_key).read_bytes())
    programs.PATH = f"{DEBIAN}/usr/sbin:{DEBIAN}/usr/bin:{programs.PATH}"
    services = Services(RUN, DATA, lambda text: print(text, file=sys.stderr, flush=True), steers=False)
    for line in FileObject(sys.stdin.fileno(), "rb"):
        if line.strip() != b"show":
            services.apply(*_configuration(json.loads(line)))
        print(json.dumps({each.name: asdict(each) for each in services.shown()}), flush=True)
    services.stop()


def _configuration(given: dict[str, Any]) -> tuple[System, Ssh]:
    until = given.get("until")
    return (
        System("box", given.get("timezone", "UTC"), (), tuple(given.get("ntp", ())), "", 115200),
        Ssh(
            given.get("enabled", False),
            tuple(map(ip_network, given.get("allow", ()))),
            datetime.fromisoformat(until) if until else None,
        ),
    )


def _machine() -> None:
    _do("ip", "link", "set", "lo", "up")
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run")
    for folder in (Path("/run/sshd"), RUN, DATA, Path("/run/etc")):
        folder.mkdir()
    _instead("passwd", *(f"{name}:x:{number}:{number}::/:/bin/sh" for name, number in USERS.items()))
    _instead("group", *(f"{name}:x:{number}:" for name, number in USERS.items()))
    _instead("shadow", *(f"{name}:*:1::::::" for name in USERS))
    library = DEBIAN / "usr/lib/openssh"  # where newer ones have most of sshd
    if library.is_dir() and Path("/usr/lib/openssh").is_dir():
        _do("mount", "--bind", str(library), "/usr/lib/openssh")


def _instead(name: str, *lines: str) -> None:
    """A file of /etc that has these lines as well, for this machine alone."""
    new = Path("/run/etc") / name
    new.write_text("\n".join((*Path("/etc", name).read_text().splitlines(), *lines, "")))
    new.chmod(0o644)
    _do("mount", "--bind", str(new), f"/etc/{name}")


def _do(*argv: str) -> None:
    subprocess.run(argv, check=True, timeout=10)


if __name__ == "__main__":
    main(sys.argv[1])
