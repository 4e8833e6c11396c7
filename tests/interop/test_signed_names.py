"""Files that are there in their signed form alone: other people's clients get what is inside, byte for byte,
from the store, and through a box whose clusters are TFTP servers of other people.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.trust import envelope
from tests.netns import clients, servers
from tests.netns.clients import ClientError, Fetch
from tests.netns.cucm import put
from tests.netns.cucm_files import RINGS, configuration, content, trust_list
from tests.netns.cucm_files import envelope as signed
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import PLACES, Scene
from tests.netns.files import body
from tests.netns.lab import Host, Lab
from tests.netns.proxy import Proxy
from tests.netns.servers import HTTP_PORT, TFTP_PORT

pytestmark = pytest.mark.root

CLIENTS: dict[str, tuple[Fetch, int]] = {
    "tftp-hpa": (clients.tftp_hpa, TFTP_PORT),
    "atftp windowsize 8": (clients.atftp, TFTP_PORT),
    "curl tftp": (clients.curl_tftp, TFTP_PORT),
    "curl http": (clients.curl_http, HTTP_PORT),
}
EACH = pytest.mark.parametrize("client", CLIENTS)
SIZES = (0, 1, 511, 512, 70_000, 3_000_000)
EVERYWHERE = [(client, place) for client in CLIENTS for place in PLACES]
MACS = {each: f"00270DD0{number:04X}" for number, each in enumerate(EVERYWHERE)}


@pytest.fixture(scope="module")
def store(lab: Lab) -> Iterator[Proxy]:
    running = Proxy(lab.host("proxy"))
    for size in SIZES:
        name = f"signed-{size}.xml"
        put(running.store, f"{name}.sgn", signed("local", f"{name}.sgn", body(name, size)))
    put(running.store, "plain.xml.sgn", body("plain.xml.sgn", 4000))  # nobody has signed it
    yield running
    running.stop()


@EACH
def test_from_the_store(client: str, phone: Host, store: Proxy) -> None:
    fetch, port = CLIENTS[client]
    for size in SIZES:
        name = f"signed-{size}.xml"
        assert fetch(phone, store.host.ipv4, port, name) == body(name, size), name
    with pytest.raises(ClientError):
        fetch(phone, store.host.ipv4, port, "plain.xml")
    assert fetch(phone, store.host.ipv4, port, "plain.xml.sgn") == body("plain.xml.sgn", 4000)


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    """`a` is served by tftp-hpa, `b` by dnsmasq, `c` by a call manager whose HTTP is switched off."""
    with Scene(lab, phone, {"a": frozenset(), "b": frozenset(), "c": frozenset({"tftp"})}) as running:
        east, west = running.clusters["a"], running.clusters["b"]
        started = [servers.tftpd_hpa(east.host, east.root), servers.dnsmasq(west.host, west.root)]
        for (_, place), mac in MACS.items():
            running.give(place, trust_list(mac), configuration(mac), RINGS)
        yield running
        for server in started:
            server.stop()


@pytest.fixture(scope="module")
def box(scene: Scene) -> Box:
    return scene.box()


@EACH
@pytest.mark.parametrize("place", PLACES)
def test_through_a_cluster_that_speaks_tftp_only(client: str, place: str, scene: Scene, box: Box) -> None:
    """The configuration, and then a common file of the home that the client's address tells."""
    fetch, port = CLIENTS[client]
    mac = MACS[client, place]
    box.command("forget", "--all")
    for asked in (configuration(mac), RINGS):
        plain = asked.removesuffix(".sgn")
        found = fetch(scene.phones, box.host.ipv4, port, plain)
        assert found == envelope.strip(content(place, asked)), plain
        assert fetch(scene.phones, box.host.ipv4, port, asked) == content(place, asked)
        [record] = box.records(scene.phones.ipv4, last=1, name=plain)
        assert any("stripped of its signature" in step["text"] for step in record["steps"])
        assert (record["source"], record["bytes"]) == (place, len(found))
