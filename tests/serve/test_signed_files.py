"""Files that are there in their signed form alone, and this box's own trust lists, as phones get them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.netns.cucm_files import envelope
from tests.netns.process import wait_for
from tests.serve.browser import get
from tests.serve.conftest import StartProxy, sound
from tests.serve.phone import Phone, ack, error, fetch
from tests.serve.proxy import Proxy
from tests.serve.upstreams import ADDRESS, ASK, Asked, TftpUpstream, Tid, ask_http, ask_tftp

SMALL = random.Random(71).randbytes(5000)
LARGE = random.Random(72).randbytes(300_000)
BODIES = {"empty.xml": b"", "small.xml": SMALL, "large.jar": LARGE}
SEP = "SEP001122334455"
PLAIN, SIGNED = f"{SEP}.cnf.xml", f"{SEP}.cnf.xml.sgn"
CTL, ITL = f"CTL{SEP}.tlv", f"ITL{SEP}.tlv"
STRIPPED = "stripped of its signature"
NOT_FOUND = 1


def signed(name: str, body: bytes) -> bytes:
    return envelope("somebody", f"{name}.sgn", body)


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "workers"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with sound({"tftp": {"workers": request.param}}) as proxy:
        wait_for(lambda: all(each["answering"] for each in proxy.status()["workers"]), "all answer")
        for name, body in BODIES.items():
            proxy.write(f"{name}.sgn", signed(name, body))
        yield proxy


def steps(proxy: Proxy, name: str) -> str:
    """Those of the last request for it."""
    (record,) = proxy.ask("records", last=1, name=name, client="")
    return "\n".join(step["text"] for step in record["steps"])


@pytest.mark.parametrize("transport", ASK)
@pytest.mark.parametrize("name", BODIES)
def test_what_the_store_has_signed_alone(proxy: Proxy, name: str, transport: str) -> None:
    server = getattr(proxy, transport)
    for _ in range(3):  # from the disk, and from memory
        assert ASK[transport](server, name) == BODIES[name]
    assert ASK[transport](server, name.upper()) == BODIES[name]
    assert ASK[transport](server, f"{name}.sgn") == signed(name, BODIES[name])
    assert STRIPPED in steps(proxy, name)


def test_in_parts_and_with_options(proxy: Proxy) -> None:
    assert fetch(proxy.tftp, "large.jar", "blksize", "1400", "windowsize", "8") == LARGE
    with Phone(proxy.tftp) as phone:
        phone.ask("large.jar", "tsize", "0")
        assert phone.receive() == b"\0\6tsize\0" + str(len(LARGE)).encode() + b"\0"
        phone.send(error(8))
    reply = get(proxy.http, "large.jar", "Range: bytes=299990-")
    assert (reply.status, reply.body) == (206, LARGE[-10:])


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("text.xml", b"<xml>", "no signed file"),
        ("cut.xml", signed("cut.xml", b"")[:-1], "HEADERLENGTH is"),
        ("list.xml", envelope("somebody", "list.tlv", b"records"), "a trust list is signed as a whole"),
        ("nothing.xml", b"", "no signed file"),
    ],
)
def test_what_is_no_envelope(proxy: Proxy, name: str, content: bytes, why: str) -> None:
    proxy.write(f"{name}.sgn", content)
    for transport, ask in ASK.items():
        assert ask(getattr(proxy, transport), name) == NOT_FOUND
        assert why in steps(proxy, name)
    assert ask_http(proxy.http, f"{name}.sgn") == content  # byte for byte
    explained = proxy.ask("explain", name=name, client="")[0]
    assert any(why in step["text"] for step in explained["steps"])
    assert explained["result"] == "not found"


def test_never_of_a_list_nor_of_what_is_encrypted(proxy: Proxy) -> None:
    for name in ("x.tlv", "x.cnf.xml.enc"):
        proxy.write(f"{name}.sgn", signed(name, SMALL))
        assert ask_http(proxy.http, name) == NOT_FOUND


def test_it_is_explained_and_found(proxy: Proxy) -> None:
    explained = proxy.ask("explain", name="small.xml", client="")[0]
    assert explained["result"] == "served from local"
    assert any(STRIPPED in step["text"] for step in explained["steps"])
    places = proxy.ask("find", name="small.xml")[0]["places"]
    assert [(each["has_it"], each["size_bytes"]) for each in places] == [(True, len(SMALL))]
    assert places[0]["text"] == f"has it as small.xml.sgn, {STRIPPED}"


def make(proxy: Proxy, name: str, content: bytes) -> bytes:
    """As control does it: below `made`."""
    path = proxy.folder / "data/made" / name
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    path.write_bytes(content)
    path.chmod(0o644)
    return content


def test_what_was_made(start: StartProxy) -> None:
    """After the store's own, and seen soon."""
    proxy = start()
    assert ask_tftp(proxy.tftp, "made.xml.sgn") == NOT_FOUND
    made = make(proxy, "signed/made.xml.sgn", signed("made.xml", SMALL))
    wait_for(lambda: ask_tftp(proxy.tftp, "made.xml.sgn") == made, "it is seen")
    assert ask_tftp(proxy.tftp, "made.xml") == SMALL
    rendered = make(proxy, "rendered/made.xml", b"rendered")
    wait_for(lambda: ask_http(proxy.http, "made.xml") == rendered, "it is seen")
    own = proxy.write("made.xml.sgn", b"the administrator's")
    wait_for(lambda: ask_http(proxy.http, "made.xml.sgn") == own, "it is seen")


@pytest.mark.parametrize("workers", [1, 2])
def test_trust_lists_of_this_box(start: StartProxy, workers: int) -> None:
    """For devices of the local store alone; for these whatever the store itself has goes first."""
    proxy = start({"tftp": {"workers": workers}})
    wait_for(lambda: all(each["answering"] for each in proxy.status()["workers"]), "all answer")
    itl = make(proxy, "signed/ITLFile.tlv", b"this box's ITL")
    stranger = "127.0.0.9"
    assert ask_http(proxy.http, ITL, stranger) == NOT_FOUND
    assert ask_http(proxy.http, "ITLFile.tlv", stranger) == NOT_FOUND
    make(proxy, "rendered/" + PLAIN, b"<device/>")
    wait_for(lambda: ask_http(proxy.http, PLAIN) == b"<device/>", "it is seen")
    for transport, ask in ASK.items():
        assert ask(getattr(proxy, transport), CTL) == NOT_FOUND  # there is no CTL
        assert ask(getattr(proxy, transport), ITL) == itl
        assert "its trust list is this box's own: ITLFile.tlv" in steps(proxy, ITL)
        assert ask(getattr(proxy, transport), ITL.replace("5", "6"), stranger) == NOT_FOUND
    assert ask_http(proxy.http, "ITLFile.tlv") == itl  # by the address, which is the device's
    own = proxy.write(ITL, b"its own ITL")
    wait_for(lambda: ask_http(proxy.http, ITL) == own, "it is seen")
    explained = proxy.ask("explain", name=CTL, client="")[0]
    assert explained["result"] == "not found"


class Home(TftpUpstream):
    """A cluster that speaks TFTP only, and has `files`. It stops after so many blocks of those in `stops`."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(self._give)
        self.files = files
        self.stops: dict[str, int] = {}
        self.go_on = threading.Event()

    def _give(self, tid: Tid, asked: Asked) -> None:
        body = self.files.get(asked.name)
        if body is None:
            tid.send(error(1))
            return
        if "tsize" in asked.fields:
            assert tid.agree("tsize", str(len(body))) == ack(0)
        first = self.stops.get(asked.name, 0)
        if first:
            for block in range(1, first + 1):
                tid.send(b"\0\3" + block.to_bytes(2, "big") + body[(block - 1) * 512 : block * 512])
                assert tid.receive() == ack(block)
            assert self.go_on.wait(10)
        tid.give(body, first + 1)


RINGS = "RingList.xml"
HAS = {SIGNED: signed(PLAIN, SMALL), f"{RINGS}.sgn": signed(RINGS, LARGE), ITL: b"an ITL"}


@pytest.fixture
def home() -> Iterator[Home]:
    with Home(dict(HAS)) as home:
        yield home
        assert home.failures == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("protocol", ["tftp", "auto"])
@pytest.mark.parametrize("transport", ASK)
def test_a_home_that_speaks_tftp_only(
    home: Home, start: StartProxy, transport: str, protocol: str, workers: int
) -> None:
    more: dict[str, Any] = {"protocol": protocol, "http_port": home.port}  # where nobody speaks HTTP
    proxy = start({"tftp": {"workers": workers}, **home.settings(**more)})
    wait_for(lambda: all(each["answering"] for each in proxy.status()["workers"]), "all answer")
    ask, server = ASK[transport], getattr(proxy, transport)
    assert ask(server, ITL) == b"an ITL"
    assert ask(server, PLAIN) == SMALL
    assert STRIPPED in steps(proxy, PLAIN)
    assert ask(server, PLAIN) == SMALL  # a repetition, of what was fetched
    assert ask(server, RINGS) == LARGE  # the home is known by the address
    assert STRIPPED in steps(proxy, RINGS)
    assert ask(server, SIGNED) == HAS[SIGNED]
    assert ask(server, f"{RINGS}.sgn") == HAS[f"{RINGS}.sgn"]
    assert ask(server, "dialplan.xml") == NOT_FOUND
    proxy.settle(timeout=15)  # what shows the home is kept for a while


def test_bytes_flow_as_they_arrive(home: Home, start: StartProxy) -> None:
    """No more than the head of the signed file is waited for."""
    proxy = start(home.settings())
    assert ask_tftp(proxy.tftp, PLAIN) == SMALL
    home.stops[f"{RINGS}.sgn"] = 3
    with Phone(proxy.tftp) as phone:
        phone.ask(RINGS)
        first = phone.receive()
        assert first == b"\0\3\0\1" + LARGE[:512]
        home.go_on.set()
        phone.send(ack(1))
        assert phone.finish(first[4:], 1) == LARGE


@pytest.mark.parametrize("transport", ASK)
def test_a_home_whose_signed_file_is_none(home: Home, start: StartProxy, transport: str) -> None:
    """Never a damaged file: "not found", with the reason."""
    proxy = start(home.settings())
    ask, server = ASK[transport], getattr(proxy, transport)
    assert ask(server, PLAIN) == SMALL
    home.files[f"{RINGS}.sgn"] = LARGE
    assert ask(server, RINGS) == NOT_FOUND
    assert f"east has {RINGS}.sgn, but nothing inside of it" in steps(proxy, RINGS)
    proxy.settle(timeout=15)  # what shows the home is kept for a while


def test_it_breaks_off(home: Home, start: StartProxy) -> None:
    """The phone is told, and never takes the part for the whole."""
    home.files["cut.xml.sgn"] = signed("cut.xml", LARGE)
    proxy = start({"lookup": {"budget": 1}, **home.settings()})
    assert ask_http(proxy.http, PLAIN) == SMALL
    home.stops["cut.xml.sgn"] = 2
    with Phone(proxy.tftp) as phone:
        phone.ask("cut.xml")
        assert phone.receive() == b"\0\3\0\1" + LARGE[:512]
        phone.send(ack(1))
        datagram = phone.receive(20)
        while datagram[:2] == b"\0\3":
            datagram = phone.receive(20)
        assert datagram[:4] == b"\0\5\0\0"
    home.go_on.set()


def test_it_is_foreseen(home: Home, start: StartProxy) -> None:
    proxy = start(home.settings())
    assert ask_http(proxy.http, PLAIN) == SMALL
    explained = proxy.ask("explain", name=RINGS, client="127.0.0.1")[0]
    told = f"if each speaks TFTP only, and has {RINGS}.sgn alone: served from east, {STRIPPED}"
    assert told in [step["text"] for step in explained["steps"]]
    assert proxy.ask("find", name=SIGNED)[0]["places"][1]["address"] == ADDRESS
