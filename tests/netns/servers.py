"""File servers of other people, in the part of a cluster. Each serves a folder in one host."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.netns.lab import Host
from tests.netns.process import REPOSITORY, Process

TFTP_PORT = 69
HTTP_PORT = 6970

DEBIAN = Path(os.environ.get("APPLIANCE_DEBIAN", REPOSITORY / ".debian"))
"""Where `scripts/test-packages` unpacks the servers whose installation would start them."""

Server = Callable[[Host, Path], Process]


def tftpd_hpa(host: Host, root: Path) -> Process:
    """tftp-hpa's server in its chroot; it serves what everybody may read, and logs nowhere."""
    argv = [DEBIAN / "usr/sbin/in.tftpd", "-L", "-v", "--secure", "--user", "nobody"]
    return _start(host, [*map(str, argv), "--address", f"[::]:{TFTP_PORT}", str(root)], "udp", TFTP_PORT)


def atftpd(host: Host, root: Path) -> Process:
    """atftp's server: the one with windowsize. It serves IPv4 only."""
    argv = [str(DEBIAN / "usr/sbin/atftpd"), "--daemon", "--no-fork", "--user", "root.root", "--logfile", "-"]
    return _start(host, [*argv, "--port", str(TFTP_PORT), str(root)], "udp", TFTP_PORT)


def dnsmasq(host: Host, root: Path) -> Process:
    """dnsmasq as a TFTP server only; it logs every file it has sent."""
    argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root"]
    argv += ["--log-facility=-", "--port=0", "--enable-tftp", f"--tftp-root={root}"]
    return _start(host, argv, "udp", TFTP_PORT)


def dhcp(host: Host, next_server: str, filename: str, first: str, last: str) -> Process:
    """dnsmasq as a DHCP server that sends its clients to `next_server` for `filename`.

    It advertises the IPv6 prefix, too: firmware waits long for that.
    """
    argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root"]
    argv += ["--log-facility=-", "--port=0", "--log-dhcp", f"--dhcp-range={first},{last},10m"]
    argv += ["--enable-ra", "--dhcp-range=fd66::,ra-only", "--no-ping"]
    argv += [f"--dhcp-leasefile={host.lab.scratch('leases')}"]
    return _start(host, [*argv, f"--dhcp-boot={filename},,{next_server}"], "udp", 67)


def busybox_httpd(host: Host, root: Path) -> Process:
    """BusyBox's HTTP server: one connection a request, no validators; it logs the URLs."""
    argv = ["busybox", "httpd", "-f", "-vv", "-p", str(HTTP_PORT), "-h", str(root)]
    return _start(host, argv, "tcp", HTTP_PORT)


def python_httpd(host: Host, root: Path) -> Process:
    """Python's HTTP/1.1 server: keep-alive, Last-Modified; it logs every request line."""
    argv = [sys.executable, "-m", "http.server", "--protocol", "HTTP/1.1", "--bind", "::"]
    return _start(host, [*argv, "--directory", str(root), str(HTTP_PORT)], "tcp", HTTP_PORT)


def _start(host: Host, argv: list[str], transport: str, port: int) -> Process:
    return host.start(argv, lambda: host.bound(transport, port))
