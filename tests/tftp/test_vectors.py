"""What real clients ask (tests/vectors/tftp/requests.ini), read, written and answered."""

from __future__ import annotations

from configparser import RawConfigParser, SectionProxy
from pathlib import Path

import pytest

from appliance.tftp.options import Limits, accept
from appliance.tftp.packet import Mode, Oack, Request, decode, encode

SIZE = 12952  # bytes of the file that all of them ask for

REQUESTS = RawConfigParser()
REQUESTS.read_string(
    (Path(__file__).parents[1] / "vectors" / "tftp" / "requests.ini").read_text(encoding="utf-8")
)


def datagram(text: str) -> bytes:
    return bytes(ord(char) - 0x2400 if char >= "\u2400" else ord(char) for char in text)


def request(row: SectionProxy) -> Request:
    pairs = [each.partition("=") for each in row["options"].split()]
    options = tuple((name, value) for name, _, value in pairs)
    return Request(row["name"].encode(), Mode(row["mode"]), options)


@pytest.mark.parametrize("sender", REQUESTS.sections())
def test_request(sender: str) -> None:
    row = REQUESTS[sender]
    assert decode(datagram(row["datagram"])) == request(row)
    assert encode(request(row)) == datagram(row["datagram"])


@pytest.mark.parametrize("sender", REQUESTS.sections())
def test_answer(sender: str) -> None:
    row = REQUESTS[sender]
    accepted = accept(request(row).options, Limits(), SIZE)
    assert (encode(Oack(accepted.oack)) if accepted.oack else b"") == datagram(row["oack"])


def test_the_8861_asks_in_31_bytes() -> None:
    assert len(datagram(REQUESTS["Cisco 8861, firmware 12.1, 31 bytes"]["datagram"])) == 31
