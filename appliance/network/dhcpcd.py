"""DHCP by dhcpcd(8): one process for an interface and a family, that always runs.

With `--noconfigure` dhcpcd hands what it learns to our hook, and the plan sets it. It does not listen to
routers either (`--noipv6rs`): where it does, it takes router advertisements away from the kernel, which alone
does SLAAC here. Even so dhcpcd 9 sets an address anew when its lease is renewed, which then counts as
somebody else's, and switches the kernel's link-local addresses off for the time after the next loss of the
link. So it runs without the capability for either.

dhcpcd keeps the leases that it was given, and its identity, in /var/lib/dhcpcd.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from appliance.network.state import Family
from appliance.services.supervised import Supervised

PROGRAM = "dhcpcd"
HOOK = Path(__file__).with_name("dhcpcd-hook")

CAP_NET_ADMIN = 12  # capabilities(7): what sets addresses, routes and links

_OPTIONS = ("domain_name_servers", "ntp_servers", "classless_static_routes")
_OPTIONS6 = ("dhcp6_name_servers", "dhcp6_ntp_server", "dhcp6_sntp_servers")


def arguments(ifname: str, family: Family, *, information: bool, lease: Path) -> list[str]:
    """dhcpcd's command line. `information`: only what DHCPv6 tells besides addresses (RFC 8415 18.2.6).
    `lease` is the file that the hook writes.
    """
    argv = [PROGRAM, "--nobackground", "--noconfigure", "--config", "/dev/null", "--persistent"]
    argv += ["--script", str(HOOK), "--env", f"appliance_lease={lease}"]
    # A lease that still holds is used when nobody answers (RFC 2131 3.2).
    argv += ["--lastlease", "--nodelay"]
    if family == Family.IPV4:
        argv += ["--ipv4only", "--noipv4ll"]
        options = _OPTIONS
    else:
        argv += ["--ipv6only", "--noipv6rs", "--inform6" if information else "--ia_na"]
        options = _OPTIONS6
    for option in options:
        argv += ["--option", option]
    return [*argv, ifname]


class Dhcpcd(Supervised):
    """One dhcpcd. `rang` is called when the hook has written; `told` gets lines.

    When it is stopped the lease is not given back: this box may come for it again.
    """

    def __init__(self, argv: list[str], rang: Callable[[], None], told: Callable[[str], None]) -> None:
        def heard(line: str) -> None:
            if line == "lease":
                rang()

        super().__init__(f"DHCP on {argv[-1]}", argv, told, heard=heard, without=(CAP_NET_ADMIN,))
