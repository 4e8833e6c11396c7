"""`appliance move` with a real proxy: two clusters whose files change, and one that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.commands.conftest import EAST, Site, cluster, upstream
from tests.commands.test_status_find_explain_forget import rows
from tests.netns.process import wait_for
from tests.serve.proxy import Proxy, Settings

WEST = "127.0.2.2"
PHONE = "SEP00270DC01C92"
FILE = f"{PHONE}.cnf.xml"
CTL = f"CTL{PHONE}.tlv"


@dataclass(frozen=True, slots=True)
class Places:
    """The files of each, which a test may change."""

    east: dict[str, bytes]
    west: dict[str, bytes]
    proxy: Proxy

    def have(self, *names: str) -> None:
        """From now on these places have the phone's configuration, and no others."""
        for files, name in ((self.east, "east"), (self.west, "west")):
            files.clear()
            if name in names:
                files.update({FILE: name.encode(), CTL: name.encode()})
        (self.proxy.store / FILE).unlink(missing_ok=True)
        if "local" in names:
            self.proxy.write(FILE, b"local")
        # The store's disk is not asked again for the same file at once.
        wait_for(lambda: self._local_has_it() is ("local" in names), "the store is read again")

    def _local_has_it(self) -> bool:
        return bool(self.proxy.ask("find", name=FILE)[0]["places"][0]["has_it"])


@pytest.fixture(scope="module")
def running() -> Iterator[Places]:
    east: dict[str, bytes] = {}
    west: dict[str, bytes] = {}
    with upstream(east) as east_port, upstream(west, WEST) as west_port:
        settings: Settings = {
            "clusters/east": cluster(EAST, east_port),
            "clusters/west": cluster(WEST, west_port),
            "clusters/gone": cluster("127.0.2.8", 1),
            "clusters/old": cluster("127.0.2.9", 6970, enabled="no"),
            "lookup": {"budget": 1},
        }
        with Proxy(settings) as proxy:
            yield Places(east, west, proxy)
            assert proxy.counters()["faults"] == 0


@pytest.fixture
def places(running: Places) -> Places:
    running.have()
    return running


@pytest.fixture
def site(places: Places, capsys: pytest.CaptureFixture[str]) -> Site:
    site = Site(places.proxy, capsys)
    site.text("forget", "--all")
    return site


GONE = f"gone gives no answer: it may still have {PHONE}"
STAYS = f"local still has {PHONE}, and comes first: delete it there, and say this again"

ROWS: list[tuple[str, str, tuple[str, ...], str | None]] = [
    # who has it, where to, what is left to do besides `GONE`, the home afterwards
    ("west", "west", (), "west"),
    ("east west", "west", (f"east still has {PHONE}: delete it there",), "west"),
    ("local west", "west", (STAYS,), None),
    ("local east west", "west", (STAYS, f"east still has {PHONE}: delete it there"), None),
    (
        "east",
        "west",
        (f"west does not have {PHONE}: add it there", f"east still has {PHONE}: delete it there"),
        None,
    ),
    ("", "west", (f"west does not have {PHONE}: add it there",), None),
    ("west", "gone", ("gone gives no answer: say this again when it does",), None),
    ("local", "local", (), "local"),
    ("local east", "local", (f"east still has {PHONE}: delete it there",), "local"),
]


@pytest.mark.parametrize(("having", "to", "left", "home"), ROWS)
def test_move(
    site: Site, places: Places, having: str, to: str, left: tuple[str, ...], home: str | None
) -> None:
    places.have(*having.split())
    moved = site.data("move", PHONE, "--to", to, status=1)  # as `gone` may have it
    if to == "gone":
        assert moved["left"][0] == left[0]
    else:
        assert sorted(moved["left"]) == sorted((*left, GONE))
    assert (moved["device"], moved["to"], moved["home_before"], moved["done"]) == (PHONE, to, None, False)
    assert [place["place"] for place in moved["places"]] == ["local", "east", "west", "gone"]
    assert {place["place"] for place in moved["places"] if place["has_it"]} == set(having.split())
    assert site.data("find", PHONE, status=0 if having else 1)["home"] == home


@pytest.fixture
def complete(places: Places, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    """The same without the cluster that is not there."""
    whole = places.proxy.configuration.read_text()
    before, _, rest = whole.partition("[[gone]]")
    places.proxy.configuration.write_text(before + "[[old]]" + rest.partition("[[old]]")[2])
    assert places.proxy.ask("reload")[0]["clusters_removed"] == ["gone"]
    site = Site(places.proxy, capsys)
    site.text("forget", "--all")
    yield site
    places.proxy.configuration.write_text(whole)
    assert places.proxy.ask("reload")[0]["clusters_added"] == ["gone"]


def test_nothing_left_to_do(complete: Site, places: Places) -> None:
    places.have("west")
    text = complete.text("move", PHONE, "--to", "west")
    assert text.startswith(f"{PHONE} to west\n\nPLACE")
    assert text.endswith(f"\n\ndone: west is the home of {PHONE} from its next boot on\n")
    assert [row[:2] for row in rows(text)[3:6]] == [["local", "no"], ["east", "no"], ["west", "yes"]]
    moved = complete.data("move", FILE, "--to", "west")
    assert (moved["done"], moved["left"], moved["home_before"]) == (True, [], "west")


def test_what_is_left_to_do(complete: Site, places: Places) -> None:
    places.have("east")
    assert complete.get(FILE)
    text = complete.text("move", PHONE, "--to", "west", status=1)
    assert text.startswith(f"{PHONE} to west (remembered home: east)\n\nPLACE")
    assert text.endswith(
        f"\n\nleft to do: west does not have {PHONE}: add it there\n"
        f"left to do: east still has {PHONE}: delete it there\n"
    )
    assert complete.data("find", PHONE)["home"] == "east"


def source(site: Site, name: str) -> str | None:
    """Where a phone's file comes from."""
    assert site.get(name)
    (request,) = site.data("explain", "--last", "1", shape="explain-last")["requests"]
    assert request["name"] == name
    return str(request["source"])


def test_the_next_boot_is_at_the_new_home(complete: Site, places: Places) -> None:
    """What has begun to boot from the old one ends there; then the first in order has no say."""
    places.have("east", "west")
    assert source(complete, FILE) == "east"
    complete.text("move", PHONE, "--to", "west", status=1)
    assert source(complete, FILE) == "east"
    assert source(complete, CTL) == "west"
    assert source(complete, FILE) == "west"
    assert complete.data("find", PHONE)["home"] == "west"


def test_the_first_boot_is_at_the_new_home(complete: Site, places: Places) -> None:
    places.have("east", "west")
    complete.text("move", PHONE, "--to", "west", status=1)
    assert source(complete, FILE) == "west"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((PHONE, "--to", "nowhere"), "nowhere is no enabled cluster; there are local, east, west, gone (to)"),
        ((PHONE, "--to", "old"), "old is no enabled cluster; there are local, east, west, gone (to)"),
        ((PHONE, "--to", "East"), "East is no enabled cluster; there are local, east, west, gone (to)"),
        ((PHONE, "--to", "\x1b"), r"\x1b is no enabled cluster; there are local, east, west, gone (to)"),
        (("RingList.xml", "--to", "east"), "RingList.xml is no device's name (device)"),
    ],
)
def test_refused(site: Site, arguments: tuple[str, ...], text: str) -> None:
    assert site.refusal("move", *arguments) == f"appliance: {text}\n"
    assert site.refusal("move", *arguments, "--json") == f"appliance: {text}\n"
