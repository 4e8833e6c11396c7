"""Asking a cluster's Trust Verification Service, as its phones do, whether it vouches for this box."""

from __future__ import annotations

import socket
import ssl

from appliance.report.text import printable
from appliance.trust import tvs
from appliance.trust.certificate import Certificate
from appliance.trust.check import Asked, TvsServer
from appliance.trust.tlv import Malformed
from appliance.trust.trustlist import Role
from appliance.trust.tvs import HEAD, Query

TIMEOUT = 5.0  # s
DEVICE = "appliance"


class _Silent(Exception):
    """A server gave no answer that can be used. The text says why."""


def ask(servers: tuple[TvsServer, ...], signing: Certificate, port: int = tvs.PORT) -> Asked:
    """What the first of the servers says that answers."""
    faults = []
    for server in servers:
        try:
            answer = _exchange(server, port, signing)
        except _Silent as error:
            faults.append(f"{server.address}: {error}")
            continue
        return Asked(vouches=Role.TFTP in answer.roles and answer.certificate == signing.der)
    return Asked(fault="; ".join(faults))


def _exchange(server: TvsServer, port: int, signing: Certificate) -> tvs.Answer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Its certificate is known from the cluster's list; no authority and no name vouches for it.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = tvs.encode(Query(1, DEVICE, signing.subject, signing.issuer, signing.serial))
    try:
        with (
            socket.create_connection((str(server.address), port), TIMEOUT) as plain,
            context.wrap_socket(plain) as wire,
        ):
            if wire.getpeercert(binary_form=True) not in server.certificates:
                raise _Silent("its certificate is none of those in the ITL with the role TVS")
            wire.sendall(request)
            head = _read(wire, HEAD)
            return tvs.decode_answer(head + _read(wire, int.from_bytes(head[8:], "big")))
    except Malformed as error:
        raise _Silent(str(error)) from None
    except OSError as error:  # ssl.SSLError is one
        raise _Silent(printable(error.strerror or str(error))) from None


def _read(wire: ssl.SSLSocket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = wire.recv(count - len(found))
        if not piece:
            raise _Silent("ended before its answer was whole")
        found += piece
    return found
