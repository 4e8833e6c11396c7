"""As many clusters as one likes: what is told of them is longer than a line of the socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commands.conftest import Site
from tests.serve.proxy import Proxy

NAMES = [f"cluster-{number}" for number in range(1_000)]
PHONE = "SEP00270DC01C92"


@pytest.fixture(scope="module")
def many() -> Iterator[Proxy]:
    """A thousand clusters; nobody listens at their addresses."""
    settings: dict[str, dict[str, object]] = {"lookup": {"budget": 10}}
    for number, name in enumerate(NAMES):
        address = f"127.3.{number // 250}.{number % 250 + 1}"
        settings[f"clusters/{name}"] = {"addresses": address, "protocol": "http", "http_port": 1}
    with Proxy(settings) as proxy:
        proxy.write(f"{PHONE}.cnf.xml", b"<device/>")
        yield proxy


@pytest.fixture
def site(many: Proxy, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(many, capsys)


def test_status(site: Site) -> None:
    assert [cluster["name"] for cluster in site.data("status")["clusters"]] == NAMES
    lines = site.text("status").splitlines()
    assert [line.split()[0] for line in lines if line.startswith("cluster-")] == NAMES


def test_find(site: Site) -> None:
    places = site.data("find", PHONE)["places"]
    assert [place["place"] for place in places] == ["local", *NAMES]
    assert {place["has_it"] for place in places[1:]} == {None}


def test_move(site: Site) -> None:
    moved = site.data("move", PHONE, "--to", "local", status=1)
    assert [place["place"] for place in moved["places"]] == ["local", *NAMES]
    assert moved["left"] == [f"{name} gives no answer: it may still have {PHONE}" for name in NAMES]
