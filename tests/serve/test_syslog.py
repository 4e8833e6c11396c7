"""Lines on their way to real servers, over each of the three transports."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import gevent.ssl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.report.counters import Counters
from appliance.serve import syslog
from appliance.serve.syslog import QUEUE_MAX, Syslog
from tests.serve.conftest import StartProxy
from tests.serve.proxy import Settings
from tests.serve.upstreams import ask_tftp

HOST = "127.0.0.1"


class Told:
    """The counters and the events of one sender."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.syslog = Syslog(self.counters, self._tell)

    def _tell(self, event: str, **facts: Any) -> None:
        self.events.append((event, facts))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    monkeypatch.setattr(syslog, "PAUSE_FIRST", 0.05)
    monkeypatch.setattr(syslog, "GATHER", 0.001)
    monkeypatch.setattr(syslog, "LAST_WORDS", 10.0)
    made = Told()
    yield made
    made.syslog.configure("", "")


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(30):
        while not condition():
            gevent.sleep(0.01)


def listening(port: int) -> Any:
    listener = gevent.socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen()
    return listener


class Server:
    """A syslog server for streams: what it has read of its connections, one after the other."""

    def __init__(self, port: int = 0, context: Any = None) -> None:
        self.listener = listening(port)
        self.port: int = self.listener.getsockname()[1]
        self.data = b""
        self.connections: list[Any] = []
        self._context = context
        self._greenlet = gevent.spawn(self._serve)

    def _serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            try:
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                self.connections.append(connection)
                while data := connection.recv(65536):
                    self.data += data
            except OSError:
                pass

    def close(self) -> None:
        self._greenlet.kill()
        for each in [self.listener, *self.connections]:
            each.close()

    @property
    def lines(self) -> list[str]:
        """The text of each whole message so far."""
        found, rest = [], self.data
        while rest:
            length, _, rest = rest.partition(b" ")
            if len(rest) < int(length):
                break
            found.append(rest[: int(length)].decode().partition(" - - ")[2])
            rest = rest[int(length) :]
        return found


def test_udp(told: Told) -> None:
    with closing(gevent.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind((HOST, 0))
        server.settimeout(30)
        told.syslog.configure(f"udp://{HOST}:{server.getsockname()[1]}", "box")
        told.syslog.put("one")
        told.syslog.put("two")
        found = [server.recv(65536) for _ in range(2)]
    assert [each[:6] for each in found] == [b"<29>1 "] * 2
    assert [each.partition(b" box appliance ")[2].partition(b" ")[2] for each in found] == [
        b"- - one",
        b"- - two",
    ]


def test_udp_that_nobody_takes_is_counted(told: Told) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind((HOST, 0))
        port = server.getsockname()[1]
    told.syslog.configure(f"udp://{HOST}:{port}", "box")

    def refused() -> bool:
        told.syslog.put("x")
        return told.counters.syslog_dropped > 0

    until(refused)
    assert told.events == []


def test_tcp(told: Told) -> None:
    with closing(Server()) as server:
        told.syslog.configure(f"tcp://{HOST}:{server.port}", "box")
        wanted = [f"line {number}" for number in range(1000)]
        for line in wanted:
            told.syslog.put(line)
        until(lambda: len(server.lines) == 1000)
        assert server.lines == wanted
        assert len(server.connections) == 1
        assert told.events == []


def test_lines_wait_for_a_server_that_is_away(told: Told) -> None:
    with closing(Server()) as server:
        port = server.port
    told.syslog.configure(f"tcp://{HOST}:{port}", "box")
    told.syslog.put("early")
    until(lambda: told.events)
    assert told.events == [
        ("syslog server not reached", {"server": f"tcp://{HOST}:{port}", "why": "Connection refused"})
    ]
    with closing(Server(port)) as server:
        until(lambda: server.lines)
        assert server.lines == ["early"]
    assert told.events[1:] == [
        ("syslog server reached again", {"server": f"tcp://{HOST}:{port}", "dropped": 0})
    ]


def test_a_server_that_closes_is_asked_anew(told: Told) -> None:
    with closing(Server()) as server:
        told.syslog.configure(f"tcp://{HOST}:{server.port}", "box")
        told.syslog.put("one")
        until(lambda: server.lines)
        server.connections[0].shutdown(socket.SHUT_RDWR)
        until(lambda: len(server.connections) == 1 and b"one" in server.data)
        told.syslog.put("two")
        until(lambda: len(server.lines) == 2)
        assert server.lines == ["one", "two"]
        assert len(server.connections) == 2


def test_a_server_that_stalls_costs_lines_and_no_time(told: Told) -> None:
    """It accepts, and reads nothing: what is put does not wait, and no more lines gather than may."""
    with closing(listening(0)) as stalled:
        told.syslog.configure(f"tcp://{HOST}:{stalled.getsockname()[1]}", "box")
        line = "x" * 4000
        for _ in range(4 * QUEUE_MAX):
            told.syslog.put(line)
        assert told.counters.syslog_dropped == 3 * QUEUE_MAX  # nothing has switched to the sender yet
        for _ in range(20):
            gevent.sleep(0.01)
            for _ in range(1000):
                told.syslog.put(line)
        assert told.counters.syslog_dropped > 3 * QUEUE_MAX


def test_what_is_left_is_sent_at_the_end(told: Told) -> None:
    with closing(Server()) as server:
        told.syslog.configure(f"tcp://{HOST}:{server.port}", "box")
        for number in range(1000):
            told.syslog.put(f"line {number}")
        told.syslog.close()
        until(lambda: len(server.lines) == 1000)
        told.syslog.put("too late")
        gevent.sleep(0)
        assert len(server.lines) == 1000


def test_the_end_does_not_wait_for_a_server_that_is_away(told: Told) -> None:
    with closing(Server()) as server:
        port = server.port
    told.syslog.configure(f"tcp://{HOST}:{port}", "box")
    until(lambda: told.events)
    told.syslog.put("lost")
    with gevent.Timeout(5):  # and not LAST_WORDS
        told.syslog.close()


def test_to_another_server_and_to_none(told: Told) -> None:
    with closing(Server()) as first, closing(Server()) as second:
        told.syslog.configure(f"tcp://{HOST}:{first.port}", "box")
        told.syslog.put("one")
        until(lambda: first.lines)
        told.syslog.configure(f"tcp://{HOST}:{second.port}", "box")
        told.syslog.put("two")
        until(lambda: second.lines)
        told.syslog.configure("", "box")
        told.syslog.put("three")
        told.syslog.configure(f"tcp://{HOST}:{first.port}", "box")
        told.syslog.put("four")
        until(lambda: len(first.lines) == 2)
        assert (first.lines, second.lines) == (["one", "four"], ["two"])


def authority(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that trusts itself, and its key: PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "log")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(private)
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    certificate, key = authority(tmp_path)
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with closing(Server(context=context)) as server:
        yield server, certificate


def test_tls(told: Told, secure: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    server, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    told.syslog.configure(f"tls://{HOST}:{server.port}", "box")
    for number in range(300):
        told.syslog.put(f"line {number}")
    until(lambda: len(server.lines) == 300)
    assert server.lines == [f"line {number}" for number in range(300)]
    assert told.events == []


def test_tls_of_a_stranger(told: Told, secure: tuple[Server, Path]) -> None:
    server, _ = secure
    told.syslog.configure(f"tls://{HOST}:{server.port}", "box")
    told.syslog.put("a secret")
    until(lambda: told.events)
    ((event, facts),) = told.events
    assert event == "syslog server not reached"
    assert "CERTIFICATE_VERIFY_FAILED" in facts["why"]
    assert server.data == b""


def heard(wire: Any, event: str) -> str:
    """What a proxy sends until this event."""
    found = b""
    while f'"event": "{event}"'.encode() not in found:
        data = wire.recv(65536)
        assert data, found
        found += data
    return found.decode()


def system(url: str) -> Settings:
    return {"system": {"syslog": url, "hostname": "box-1"}}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_log_of_a_proxy(start: StartProxy, workers: int) -> None:
    with (
        closing(socket.create_server((HOST, 0))) as listener,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as datagrams,
    ):
        listener.settimeout(30)
        tftp: Settings = {"tftp": {"workers": workers}}
        proxy = start({**system(f"tcp://{HOST}:{listener.getsockname()[1]}"), **tftp})
        proxy.write("ring.xml", b"ring")
        with closing(listener.accept()[0]) as wire:
            wire.settimeout(30)
            assert " box-1 appliance " in heard(wire, "started")
            assert ask_tftp(proxy.tftp, "ring.xml") == b"ring"
            assert '"name": "ring.xml"' in heard(wire, "request")
            datagrams.bind((HOST, 0))
            datagrams.settimeout(30)
            proxy.configure({**system(f"udp://{HOST}:{datagrams.getsockname()[1]}"), **tftp})
            proxy.ask("reload")
            heard(datagrams, "reloaded")
            assert wire.recv(65536) == b""  # it has closed this one
        assert proxy.counters()["syslog_dropped"] == 0


def test_a_proxy_trusts_authorities_also_as_another_user(
    start: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        certificate, key = authority(Path(folder))
        certificate.chmod(0o644)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with closing(socket.create_server((HOST, 0))) as listener:
            listener.settimeout(30)
            proxy = start()
            proxy.configure(system(f"tls://{HOST}:{listener.getsockname()[1]}"))
            proxy.ask("reload")
            with closing(context.wrap_socket(listener.accept()[0], server_side=True)) as wire:
                wire.settimeout(30)
                assert " box-1 appliance " in heard(wire, "reloaded")
