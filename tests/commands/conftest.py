from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from appliance.commands.main import main
from tests.report.printed import SHAPES
from tests.report.shape import unlike
from tests.serve.proxy import Proxy, Settings, free_port

EAST = "127.0.2.1"
"""Where the cluster `east` answers: not the address from which the tests ask."""


class Site:
    """A running proxy, and `appliance` as one calls it beside that."""

    def __init__(self, proxy: Proxy, capsys: pytest.CaptureFixture[str]) -> None:
        self.proxy = proxy
        self._capsys = capsys

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """The exit status, and what went to standard output and to standard error."""
        self._capsys.readouterr()
        status = main([*arguments, "-c", str(self.proxy.configuration)])
        return status, *self._capsys.readouterr()

    def text(self, *arguments: str, status: int = 0) -> str:
        """What a command prints that says nothing on standard error."""
        code, out, err = self.call(*arguments)
        assert (code, err) == (status, "")
        return out

    def refusal(self, *arguments: str) -> str:
        """Why a command failed."""
        code, out, err = self.call(*arguments)
        assert (code, out) == (1, "")
        return err

    def data(self, *arguments: str, status: int = 0, shape: str = "") -> Any:
        """What a command prints with `--json`, which has the shape of its example."""
        value = json.loads(self.text(*arguments, "--json", status=status))
        assert list(unlike(value, SHAPES[shape or arguments[0]])) == []
        return value

    def get(self, name: str) -> bool:
        """Fetch a file over HTTP; whether it came."""
        host, port = self.proxy.http
        return main(["get", f"http://{host}:{port}/{name}", "-o", str(self.proxy.folder / "got")]) == 0


class Upstream(ThreadingHTTPServer):
    """A client that goes before it has all of its answer is none of its business."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def upstream(files: dict[str, bytes], address: str = EAST) -> Iterator[int]:
    """A cluster's server with these files, which may change meanwhile; its port."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = files.get(self.path[1:])
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = Upstream((address, 0), Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def cluster(address: str, port: int, **settings: object) -> dict[str, object]:
    """The keys of a cluster that is asked over HTTP."""
    return {"addresses": address, "protocol": "http", "http_port": port, **settings}


CONFIGURATION = b"<device/>" * 100
FILES = {
    "SEP00270DC01C92.cnf.xml": CONFIGURATION,
    "RingList.xml": b"<CiscoIPPhoneRingList/>",
    "phone.loads": b"loads",
    "ata00270dc01c92": b"x",
}


@pytest.fixture(scope="module")
def east() -> Iterator[int]:
    with upstream(FILES) as port:
        yield port


@pytest.fixture(scope="module")
def running(east: int) -> Iterator[Proxy]:
    """A proxy with the store, the cluster east, and one that is switched off."""
    settings: Settings = {
        "clusters/east": cluster(EAST, east),
        "clusters/old": cluster("127.0.2.9", 6970, enabled="no"),
    }
    with Proxy(settings) as proxy:
        proxy.write("RingList.xml", b"<local/>")
        yield proxy


@pytest.fixture
def site(running: Proxy, capsys: pytest.CaptureFixture[str]) -> Site:
    """It, with nothing remembered."""
    site = Site(running, capsys)
    site.text("forget", "--all")
    return site


@pytest.fixture(scope="module")
def ailing(east: int) -> Iterator[Proxy]:
    """A proxy with a cluster that is not there, one that is the box itself, and a port that is taken."""
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", port + 1))
        settings: Settings = {
            "tftp": {"port": port, "http_port": port + 1},
            "clusters/gone": cluster("127.0.2.8", 1),
            "clusters/self": {"addresses": "127.0.0.1", "protocol": "tftp", "tftp_port": port},
            "clusters/east": cluster(EAST, east),
            "lookup": {"budget": 0.5},
        }
        with Proxy(settings) as proxy:
            yield proxy


@pytest.fixture
def ailing_site(ailing: Proxy, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(ailing, capsys)
