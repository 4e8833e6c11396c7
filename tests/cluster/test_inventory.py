from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.inventory import Inventory, devices


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"", set()),
        (b"SEP001122334455.cnf.xml\n", {"SEP001122334455"}),
        (b"SEP001122334455.cnf.xml.sgn\t12952 x\r\nSEP001122334455.cnf.xml\n", {"SEP001122334455"}),
        (b"  ATA00112233445501.cnf.xml\n\n\n", {"ATA00112233445501"}),
        (b"gw1.example.com.cnf.xml", {"GW1.EXAMPLE.COM"}),
        (b"XMLDefault.cnf.xml\nRingList.xml\nCTLSEP001122334455.tlv\n", set()),
        (b"SEP001122334455.cnf.xml.enc.sgn\n", set()),
        (b"\xff\xfe.cnf.xml\n../../SEP001122334455.cnf.xml\n" + b"x" * 300 + b".cnf.xml\n", set()),
        (b"<html><body>403 Forbidden</body></html>", set()),
    ],
)
def test_devices(text: bytes, named: set[str]) -> None:
    assert devices(text) == named


@given(st.binary())
def test_any_text_is_a_list(text: bytes) -> None:
    assert all(device == device.upper() for device in devices(text) if device.isascii())


def test_the_first_in_order_that_names_a_device() -> None:
    inventory = Inventory()
    inventory.put("a", frozenset({"SEP1"}))
    inventory.put("b", frozenset({"SEP1", "SEP2"}))
    assert len(inventory) == 3
    assert inventory.place("SEP1", "ba") == "b"
    assert inventory.place("SEP1", "ab") == "a"
    assert inventory.place("SEP2", "ab") == "b"
    assert inventory.place("SEP2", "a") is None
    inventory.put("b", frozenset())
    assert inventory.place("SEP2", "ab") is None
    inventory.keep_only("b")
    assert inventory.place("SEP1", "ab") is None
