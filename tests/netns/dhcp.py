"""DHCP servers and routers of other people."""

from __future__ import annotations

from tests.netns.lab import Host
from tests.netns.process import Process


def dnsmasq(host: Host, *lines: str) -> Process:
    """Serves DHCP, DHCPv6 and router advertisements as these lines of its configuration say."""
    configuration = host.lab.scratch("dnsmasq.conf")
    usual = ("port=0", "interface=eth0", "bind-dynamic", "leasefile-ro", "log-dhcp", "user=root")
    configuration.write_text("\n".join([*usual, *lines, ""]))
    argv = ["dnsmasq", "--keep-in-foreground", f"--conf-file={configuration}", "--pid-file"]
    return host.start([*argv, "--log-facility=-"], "started", name="dnsmasq")


def udhcpd(host: Host, first: str, last: str, lease: int) -> Process:
    """busybox's server: leases as short as one likes (s), and NAK for what it has not given."""
    configuration, leases = host.lab.scratch("udhcpd.conf"), host.lab.scratch("leases")
    leases.touch()
    configuration.write_text(
        f"start {first}\nend {last}\ninterface eth0\nlease_file {leases}\npidfile {leases}.pid\n"
        f"min_lease {lease}\nopt subnet 255.255.255.0\nopt router {host.ipv4}\nopt lease {lease}\n"
    )
    return host.start(["busybox", "udhcpd", "-f", str(configuration)], "started", name="udhcpd")
