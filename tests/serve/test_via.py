"""The mark of a box on its HTTP answers: on what is a cluster's, and on all that another proxy gets."""

from __future__ import annotations

import socket

import pytest

from tests.serve.browser import get
from tests.serve.conftest import StartProxy
from tests.serve.proxy import Proxy
from tests.serve.upstreams import Asked, HttpUpstream, whole

OTHER = "1.1 appliance-fedcba9876543210"
BODY = b"<device/>" * 1000


def has(wire: socket.socket, asked: Asked) -> None:
    wire.sendall(whole(BODY) if asked.name == "theirs.xml" else whole(b"", status="404 No"))


@pytest.mark.parametrize("workers", [1, 2])
def test_on_answers(workers: int, start: StartProxy) -> None:
    with HttpUpstream(has) as east:
        proxy = start({"tftp": {"workers": workers}, **east.settings()})
        proxy.write("ours.xml", BODY)
        mark = f"1.1 appliance-{(proxy.folder / 'data/state/box-id').read_text().strip()}"
        assert _via(proxy, "theirs.xml") == (200, mark)
        assert _via(proxy, "theirs.xml") == (200, mark)  # at once now
        assert _via(proxy, "ours.xml") == (200, None)
        assert _via(proxy, "nobodys.xml") == (404, None)
        for name, status in (("ours.xml", 200), ("theirs.xml", 404), ("nobodys.xml", 404)):
            assert _via(proxy, name, OTHER) == (status, mark)


def _via(proxy: Proxy, name: str, asked: str = "") -> tuple[int, str | None]:
    answer = get(proxy.http, name, *([f"Via: {asked}"] if asked else []))
    return answer.status, answer.fields.get("via")


@pytest.mark.parametrize(
    ("via", "status", "named"),
    [
        (OTHER, "200 OK", "appliance-fedcba9876543210"),
        (OTHER, "404 No", "appliance-fedcba9876543210"),
        (f"{OTHER}, 1.1 appliance-0123456789abcdef", "404 No", "appliance-0123456789abcdef"),
        ("1.1 squid", "200 OK", None),
        ("", "200 OK", None),
    ],
)
def test_of_clusters(via: str, status: str, named: str | None, start: StartProxy) -> None:
    """`find` names a cluster that is itself a proxy."""

    def answer(wire: socket.socket, asked: Asked) -> None:
        head, body = whole(BODY, status=status).split(b"\r\n\r\n", 1)
        field = f"\r\nVia: {via}".encode() if via else b""
        wire.sendall(head + field + b"\r\n\r\n" + body)

    with HttpUpstream(answer) as east:
        proxy = start(east.settings())
        local, found = proxy.ask("find", name="theirs.xml")[0]["places"]
        assert (found["place"], found["proxy"], found["has_it"]) == ("east", named, status == "200 OK")
        assert local["proxy"] is None
        assert east.names() == ["theirs.xml"]
