"""Phones start: the files that they ask for, in their order, from the store and from each cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns import files, servers
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, WHOLE, Job, ask
from tests.netns.proxy import Cluster, Proxy
from tests.netns.servers import HTTP_PORT, TFTP_PORT

pytestmark = pytest.mark.root

LOCAL = "local"
CLUSTERS = {
    "east": (servers.tftpd_hpa, "tftp"),
    "west": (servers.busybox_httpd, "auto"),
    "north": (servers.dnsmasq, "auto"),
}
PHONES = {LOCAL: "0011220000AA", "east": "0011220000E1", "west": "0011220000F2", "north": "0011220000D3"}
SECONDS = 5.0  # for a whole start: "5-7 s over HTTP" is what users of such phones know


def _common(place: str) -> dict[str, int]:
    """Common files by size; the folders keep the places apart."""
    return {
        f"{place}-dialplan.xml": 700,
        f"{place}_Locale/g3-tones.xml": 4096,
        f"{place}_Locale/sp-sip.jar": 123_456,
        f"Desktops/320x212x12/{place}-List.xml": 512,
        f"Ringlist-{place}.xml": 0,
    }


def _device(place: str) -> dict[str, int]:
    """Device files by size. The store has no trust list for its phone."""
    mac = PHONES[place]
    own = {f"SEP{mac}.cnf.xml": 9000 + len(place)}
    return own if place == LOCAL else {f"ITLSEP{mac}.tlv": 5000, **own}


def _fill(root: Path, place: str) -> None:
    for name, size in (_device(place) | _common(place)).items():
        files.write(root, name, size)


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Iterator[Proxy]:
    processes = []
    clusters = []
    for place, (server, protocol) in CLUSTERS.items():
        root = lab.scratch(place)
        root.mkdir()
        _fill(root, place)
        host = lab.host(place)
        processes.append(server(host, root))
        clusters.append(Cluster(place, (host.ipv4, host.ipv6), protocol))
    running = Proxy(lab.host("proxy"), clusters)
    _fill(running.store, LOCAL)
    yield running
    running.stop()
    for process in processes:
        process.stop()


def _expected(place: str) -> list[tuple[str, str, str]]:
    mac = PHONES[place]
    asked = [f"CTLSEP{mac}.tlv", f"ITLSEP{mac}.tlv"]
    asked += ["ITLFile.tlv"] if place == LOCAL else []
    asked += [f"SEP{mac}.cnf.xml", *_common(place)]
    there = _device(place) | _common(place)
    return [
        (name, WHOLE, files.digest(files.body(name, there[name]))) if name in there else (name, NOT_FOUND, "")
        for name in asked
    ]


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
@pytest.mark.parametrize("transport", ["tftp", "http"])
def test_boot(transport: str, family: str, phone: Host, proxy: Proxy) -> None:
    """All phones start at once, each from an address of its own."""
    port = HTTP_PORT if transport == "http" else TFTP_PORT
    network, length, server = {
        "IPv4": ("10.66.0.", 24, proxy.host.ipv4),
        "IPv6": ("fd66::", 64, proxy.host.ipv6),
    }[family]
    sources = {place: f"{network}{number}" for number, place in enumerate(PHONES, 181)}
    phone.add(*(f"{each}/{length}" for each in sources.values()))
    try:
        jobs = [
            Job(server, transport, port, tuple(_common(place)), mac=mac, source=sources[place])
            for place, mac in PHONES.items()
        ]
        starts = dict(zip(PHONES, ask(phone, jobs), strict=True))
    finally:
        phone.remove(*(f"{each}/{length}" for each in sources.values()))
    for place, answers in starts.items():
        assert [(each.name, each.status, each.digest) for each in answers] == _expected(place), place
        assert sum(each.seconds for each in answers) < SECONDS, place
