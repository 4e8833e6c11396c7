"""Faults of the network, made where a real network makes them: between the hosts.

A rule of nftables on the sender would tell it (sendto fails with EPERM); on the bridge nobody
is told anything.
"""

from __future__ import annotations

from ipaddress import ip_address

from tests.netns.process import run


class Wire:
    """What the bridge of one namespace drops. Neighbour discovery always passes."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._dropped: set[str] = set()
        self._losses: dict[str, int] = {}

    def drop(self, *addresses: str) -> None:
        """Swallow whatever goes to or comes from these addresses: black holes."""
        self._dropped.update(addresses)
        self._apply()

    def undrop(self, *addresses: str) -> None:
        """Let these addresses through again."""
        self._dropped.difference_update(addresses)
        self._apply()

    def lose(self, port: str, percent: int) -> None:
        """Lose this share of the datagrams to, and of those from, the host at a port of the bridge."""
        self._losses[port] = percent
        self._apply()

    def mend(self) -> None:
        """No faults any more."""
        if self._dropped or any(self._losses.values()):
            self._dropped.clear()
            self._losses.clear()
            self._apply()

    def _apply(self) -> None:
        rules = ["icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"]
        for address in sorted(self._dropped):
            family = "ip6" if ip_address(address).version == 6 else "ip"
            rules += [f"{family} {end} {address} drop" for end in ("daddr", "saddr")]
        for port, percent in self._losses.items():
            if percent:
                packets = f"meta protocol {{ ip, ip6 }} numgen random mod 100 < {percent} drop"
                rules += [f'{way} "{port}" {packets}' for way in ("iifname", "oifname")]
        chain = "\n".join(["type filter hook forward priority 0; policy accept", *rules])
        # Emptied and filled in one transaction, so that no packet slips through in between.
        table = "table bridge wire"
        nft(self._namespace, f"{table}\ndelete {table}\n{table} {{\nchain forward {{\n{chain}\n}}\n}}\n")


def nft(namespace: str, ruleset: str) -> None:
    """Apply a ruleset in a namespace; AssertionError with the words of nft when refused."""
    done = run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], timeout=10, text_in=ruleset)
    assert done.returncode == 0, f"nft: {done.stderr}\n{ruleset}"
