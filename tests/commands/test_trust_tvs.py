"""A cluster's TVS, played by a TLS server with the answers of ours."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from appliance.commands import trust_tvs
from appliance.commands.trust_tvs import ask
from appliance.trust import tvs
from appliance.trust.certificate import Certificate
from appliance.trust.check import Asked, TvsServer
from appliance.trust.stores import Store
from tests.trust.vectors import CLUSTER, FOLDER, SMALL, certificate

ISSUED = certificate("issued")
ADDRESS = "127.0.2.61"
SERVER = TvsServer(ip_address(ADDRESS), (SMALL.der, CLUSTER.der))


def vouching(*certificates: Certificate) -> Callable[[bytes], bytes]:
    served = tvs.book({}, {Store.PHONE_SAST: certificates})
    return lambda request: tvs.encode_answer(served.answer(tvs.decode(request)))


@contextmanager
def serving(answer: Callable[[bytes], bytes], tls: bool = True) -> Iterator[int]:
    """A server that answers one request a connection; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "cluster.pem", FOLDER / "cluster.key")
    with socket.create_server((ADDRESS, 0)) as listener:
        listener.settimeout(30)

        def run() -> None:
            try:
                plain, _ = listener.accept()
                plain.settimeout(30)
                with plain, context.wrap_socket(plain, server_side=True) if tls else plain as wire:
                    if request := wire.recv(20_000):
                        wire.sendall(answer(request))
            except OSError:
                pass  # the client went: it has seen enough

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


@pytest.mark.parametrize(("known", "vouches"), [((ISSUED,), True), ((CLUSTER, SMALL), False), ((), False)])
def test_asked(known: tuple[Certificate, ...], vouches: bool) -> None:
    with serving(vouching(*known)) as port:
        assert ask((SERVER,), ISSUED, port) == Asked(vouches)


def test_roles_that_sign_no_files() -> None:
    served = tvs.book({}, {Store.CALL_MANAGER: [ISSUED]})
    with serving(lambda request: tvs.encode_answer(served.answer(tvs.decode(request)))) as port:
        assert ask((SERVER,), ISSUED, port) == Asked(False)


def test_another_certificate_is_not_believed() -> None:
    with serving(vouching(ISSUED)) as port:
        asked = ask((TvsServer(ip_address(ADDRESS), (SMALL.der,)),), ISSUED, port)
    assert asked == Asked(None, f"{ADDRESS}: its certificate is none of those in the ITL with the role TVS")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "ended before its answer was whole"),
        (b"\x57\x01\x04", "ended before its answer was whole"),
        (b"\x57\x01\x04\0\0\0\0\1\xff\xff", "ended before its answer was whole"),
        (b"nonsense" * 20_000, "answer, byte 0: no message of this protocol"),
        (b"\x57\x01\x09\0\0\0\0\1\0\0", "answer, byte 2: command 9 is no answer"),
    ],
)
def test_answers_that_are_none(answer: bytes, why: str) -> None:
    with serving(lambda request: answer) as port:
        assert ask((SERVER,), ISSUED, port) == Asked(None, f"{ADDRESS}: {why}")


def test_no_tls() -> None:
    with serving(lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n", tls=False) as port:
        asked = ask((SERVER,), ISSUED, port)
    assert asked.vouches is None
    assert asked.fault.startswith(f"{ADDRESS}: ")
    assert asked.fault.isprintable()


def test_the_next_server(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = TvsServer(ip_address("127.0.2.62"), SERVER.certificates)
    with serving(vouching(ISSUED)) as port:
        assert ask((gone, SERVER), ISSUED, port) == Asked(True)
    assert ask((gone,), ISSUED, port) == Asked(None, "127.0.2.62: Connection refused")
    monkeypatch.setattr(trust_tvs, "TIMEOUT", 0.1)
    with socket.create_server((ADDRESS, 0)) as silent:
        asked = ask((SERVER,), ISSUED, silent.getsockname()[1])
    assert asked.vouches is None
    assert "timed out" in asked.fault
