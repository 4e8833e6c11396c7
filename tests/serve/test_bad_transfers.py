"""Peers that misbehave while a transfer runs (tftp.md 3c, by its row numbers)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.netns.process import wait_for
from tests.serve.conftest import QUICK, StartProxy, sound
from tests.serve.phone import Phone, ack, data, error, fetch, oack, rrq
from tests.serve.proxy import Proxy

FILE = random.Random(3).randbytes(10 * 512 + 100)
PATIENT = {"tftp": {"timeout": 20}}
"""Nothing is repeated while a test looks: every datagram is an answer."""


def block(number: int, size: int = 512) -> bytes:
    """The DATA that carries this part of FILE."""
    return data(number, FILE[(number - 1) * size : number * size])


@pytest.fixture(scope="module")
def patient() -> Iterator[Proxy]:
    with sound(PATIENT) as proxy:
        proxy.write("file.bin", FILE)
        yield proxy


@pytest.fixture(scope="module")
def quick() -> Iterator[Proxy]:
    with sound(QUICK) as proxy:
        proxy.write("file.bin", FILE)
        yield proxy


def test_31_the_same_request_fifty_times(patient: Proxy) -> None:
    before = patient.counters()["repetitions"]
    with Phone(patient.tftp) as phone:
        for _ in range(50):
            phone.ask("file.bin")
        assert phone.receive() == block(1)
        assert phone.waiting() == []
        assert patient.transfers() == 1
        assert patient.counters()["repetitions"] - before == 49
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE
    assert patient.records()[0]["result"] == "served"


def _after_oack(phone: Phone) -> None:
    phone.ask("file.bin", "blksize", "1024")
    assert phone.receive() == oack("blksize", "1024")


def _after_data(phone: Phone) -> None:
    phone.ask("file.bin")
    assert phone.receive() == block(1)


def _within_a_window(phone: Phone) -> None:
    phone.ask("file.bin", "windowsize", "4")
    assert phone.receive() == oack("windowsize", "4")
    phone.send(ack(0))
    assert [phone.receive() for _ in range(4)] == [block(number) for number in (1, 2, 3, 4)]
    phone.send(ack(2))


def _before_the_last_ack(phone: Phone) -> None:
    phone.ask("file.bin", "blksize", "65464")
    phone.receive()
    phone.send(ack(0))
    assert phone.receive() == data(1, FILE)


@pytest.mark.parametrize(
    ("until", "result"),
    [
        (_after_oack, "peer gone"),
        (_after_data, "peer gone"),
        (_within_a_window, "peer gone"),
        (_before_the_last_ack, "served"),
    ],
)
def test_33_client_vanishes(until: Callable[[Phone], None], result: str, quick: Proxy) -> None:
    """Its port stays open, but it never speaks again: all is given back."""
    fetch(quick.tftp, "file.bin")
    quick.settle()
    before = quick.descriptors()
    with Phone(quick.tftp) as phone:
        until(phone)
        assert quick.transfers() == 1
        quick.settle(before)
        assert phone.waiting()  # of what was repeated, no more than three times what went out once
        assert quick.records()[0]["result"] == result


@pytest.mark.parametrize(("until", "next_ack"), [(_after_oack, 0), (_after_data, 1), (_within_a_window, 3)])
def test_34_client_closes_its_port(until: Callable[[Phone], None], next_ack: int, patient: Proxy) -> None:
    """The network tells, as soon as an answer to its ACK goes out; nobody waits for the 20 s."""
    fetch(patient.tftp, "file.bin")
    patient.settle()
    before, gone = patient.descriptors(), patient.counters()["peers_gone"]
    with Phone(patient.tftp) as phone:
        until(phone)
        patient.pause()
        phone.send(ack(next_ack))
    patient.go_on()
    patient.settle(before, timeout=2)
    assert patient.counters()["peers_gone"] == gone + 1
    assert patient.records()[0]["result"] == "peer gone"


def test_35_acks_out_of_order(patient: Proxy) -> None:
    """ACKs of the past and of the future, and one a thousand times: each block is sent once."""
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin")
        received = [phone.receive()]
        for number in range(1, 11):
            for stray in (number + 1, number + 100, number - 1, number - 2 + 65536, number + 32768):
                phone.send(ack(stray))
            for _ in range(3):
                phone.send(ack(number))
            received.append(phone.receive())
        for _ in range(10):
            for _ in range(100):
                phone.send(ack(10))
            received += phone.waiting()
        assert received == [block(number) for number in range(1, 12)]
        phone.send(ack(11))
    patient.settle()
    record = patient.records()[0]
    assert (record["result"], record["retransmits"]) == ("served", 0)


def test_35_window_acks_out_of_order(patient: Proxy) -> None:
    """An ACK inside the window asks for the rest of it once; repeated, for nothing."""
    with Phone(patient.tftp) as phone:
        _within_a_window(phone)
        assert [phone.receive() for _ in range(4)] == [block(number) for number in (3, 4, 5, 6)]
        for stray in [2] * 500 + [1, 0, 7, 100, 65535]:
            phone.send(ack(stray))
        assert phone.waiting() == []
        phone.send(ack(6))
        assert phone.finish(FILE[: 6 * 512], 6, window=4) == FILE


JUNK = (b"", b"\0", b"\0\4", ack(1)[:3], b"\0\4\1", b"\xff" * 4, data(1, b"x"), oack("a", "b"), rrq("x"), b"")


def test_36_acks_of_another_length(patient: Proxy) -> None:
    """A byte short is no ACK; bytes behind it do no harm."""
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin")
        assert phone.receive() == block(1)
        for junk in JUNK:
            phone.send(junk)
        assert phone.waiting() == []
        phone.send(ack(1) + bytes(512))
        assert phone.receive() == block(2)
        phone.send(ack(2))
        assert phone.finish(FILE[:1024], 2) == FILE


def test_36_no_ack_at_all(patient: Proxy) -> None:
    """What is no ACK moves nothing, neither before the OACK is acknowledged nor after the end."""
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin", "blksize", "1024")
        assert phone.receive() == oack("blksize", "1024")
        for junk in JUNK:
            phone.send(junk)
        assert phone.waiting() == []
        phone.send(ack(0))
        assert phone.finish(blksize=1024) == FILE
        for junk in JUNK:
            phone.send(junk)
        assert phone.waiting() == []


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.7"])
@pytest.mark.parametrize("junk", [ack(1), error(0), error(5), data(1, b"x"), oack("blksize", "8"), b""])
def test_37_38_strangers(junk: bytes, source: str, patient: Proxy) -> None:
    """A stranger is told, by a few ERROR 5 (never for an ERROR) or by the network; the transfer goes on."""
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin")
        assert phone.receive() == block(1)
        with Phone(phone.tid, source) as stranger:
            for _ in range(20):
                stranger.send(junk)
            answers = stranger.waiting()
            assert len(answers) <= (0 if junk[:2] == b"\0\5" else 3)
            assert {answer[:4] for answer in answers} <= {error(5)[:4]}
        with Phone(phone.tid, source) as stranger:
            stranger.send(junk)  # and its port is closed when the answer comes
        assert phone.waiting() == []
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE


def test_38_error_of_the_peer_is_not_answered(patient: Proxy) -> None:
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin")
        phone.receive()
        phone.send(error(3, b"disk full \x1b[2J\n"))
        patient.settle()
        for late in (ack(1), error(0), data(1, b"")):
            phone.send(late)
        assert phone.waiting() == []
    record = patient.records()[0]
    assert (record["result"], record["detail"]) == ("peer gone", "error 3: disk full \\x1b[2J\\n")


def test_38_error_after_the_oack_is_a_probe(patient: Proxy) -> None:
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin", "tsize", "0")
        assert phone.receive() == oack("tsize", str(len(FILE)))
        phone.send(error(8))
        patient.settle()
    assert patient.records()[0]["result"] == "size probe"


def test_39_timeout_beyond_reason(quick: Proxy) -> None:
    """An offered timeout of 255 s holds nothing: it is not taken."""
    with Phone(quick.tftp) as phone:
        phone.ask("file.bin", "timeout", "255")
        assert phone.receive() == block(1)
        quick.settle(timeout=2)


def test_40_every_first_datagram_is_lost(quick: Proxy) -> None:
    """OACK, DATA and the ACKs for them: the client takes and gives all of it at the second time only."""
    with Phone(quick.tftp) as phone:
        phone.ask("file.bin", "blksize", "1024")
        assert phone.receive() == phone.receive() == oack("blksize", "1024")
        for number in range(1, 7):
            phone.send(ack(number - 1))
            assert phone.receive() == phone.receive() == block(number, 1024)
        quick.settle()
    record = quick.records()[0]
    assert (record["result"], record["detail"]) == ("served", "complete, last block not acknowledged")


def test_new_name_from_the_port_of_a_transfer(patient: Proxy) -> None:
    """A phone that gave up one file asks for the next from the same port."""
    other = patient.write("other.bin", FILE[::-1])
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin")
        assert phone.receive() == block(1)
        old = phone.tid
        phone.ask("other.bin")
        assert phone.receive() == data(1, other[:512])
        assert phone.tid != old
        assert patient.transfers() == 1
        phone.send(ack(1), old)
        phone.send(ack(1))
        assert phone.finish(other[:512], 1) == other
    patient.settle()
    assert [record["result"] for record in patient.records(2)] == ["replaced by a newer request", "served"]


def test_requests_that_come_at_once(patient: Proxy) -> None:
    """What came while nobody looked is answered in its order, and each request once."""
    before = patient.counters()["requests_tftp"]
    with Phone(patient.tftp) as phone:
        patient.pause()
        for sent in [rrq("x", mode="mail"), rrq("x", opcode=2)] * 20:
            phone.send(sent)
        patient.go_on()
        codes = [phone.receive()[3] for _ in range(40)]
        assert codes == [4, 2] * 20
        assert phone.waiting() == []
    assert patient.counters()["requests_tftp"] - before == 40


def test_32_no_place_for_one_more(start: StartProxy) -> None:
    """Told so, whether all places are taken or all of one client; and there is one as soon as one ends."""
    proxy = start({"tftp": {"timeout": 20, "transfers_max": 20, "transfers_per_client_max": 15}})
    proxy.write("file.bin", FILE)
    with ExitStack() as stack:
        one = [stack.enter_context(Phone(proxy.tftp, "127.0.0.5")) for _ in range(16)]
        others = [stack.enter_context(Phone(proxy.tftp, f"127.0.1.{number}")) for number in range(1, 7)]
        for phone in (*one[:15], *others[:5]):
            phone.ask("file.bin")
            assert phone.receive() == block(1)
            phone.send(ack(1))
            assert phone.receive() == block(2)
        for phone in (one[15], others[5]):
            for name in ("file.bin", "absent"):
                phone.ask(name)
                assert phone.receive() == error(0, b"busy")
        assert proxy.transfers() == 20
        one[0].send(error(0))
        wait_for(lambda: proxy.transfers() == 19, "one has ended")
        one[15].ask("file.bin")
        assert one[15].receive() == block(1)
        others[5].ask("file.bin")  # one that has acknowledged nothing gives way to it
        assert others[5].receive() == block(1)
        one[15].send(ack(1))
        assert one[15].waiting() == []
        assert proxy.transfers() == 20
        for phone in (*one[1:], *others):
            phone.send(error(0))
