"""Scripts of a fetch, one event a line: time, event, and the datagrams that it makes.

    0    start          > RRQ
    0.1  oack blksize=8 > A0       an OACK comes, ACK 0 goes out
    0.2  data 1         > A1       DATA 1 comes, with the bytes that belong there
    1.2  tick           > A1       the deadline: ACK 1 again
    2    raw 0003 0001  >          any datagram, in hex

A1 is ACK with block 1 on the wire, E8 an ERROR.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tftp.netascii import Encoder
from appliance.tftp.options import Accepted
from appliance.tftp.packet import Ack, Data, Error, ErrorCode, Mode, Oack, Options, Request, decode, encode
from appliance.tftp.receiver import Fetched, Got, Receiver
from appliance.tftp.timing import Timing

CONTENT = random.Random(2).randbytes(4096)
NAME = b"RINGLIST.XML"


def options(text: str) -> Options:
    pairs = [each.partition("=") for each in text.split()]
    return tuple((name, value) for name, _, value in pairs)


@dataclass(frozen=True)
class Case:
    size: int  # bytes of the file
    offer: str
    script: str
    outcome: Fetched | None
    size_max: int | None = None
    duplicates: int = 0
    retransmits: int = 0


class Play:
    """A script and what it is played on."""

    def __init__(self, case: Case) -> None:
        self._content = CONTENT[: case.size]
        self._request = Request(NAME, Mode.OCTET, options(case.offer))
        self.receiver = Receiver(NAME, Mode.OCTET, options(case.offer), Timing(), case.size_max)
        self.got = b""

    def line(self, line: str) -> None:
        event, _, wanted = line.partition(">")
        at, verb, *words = event.split()
        sent = self._event(float(at), verb, words)
        assert [self._spelled(datagram) for datagram in sent] == wanted.split(), line
        self.got += self.receiver.take()

    def _event(self, now: float, verb: str, words: list[str]) -> list[bytes]:
        match verb:
            case "start":
                return self.receiver.start(now)
            case "tick":
                return self.receiver.tick(now)
            case "abort":
                return self.receiver.abort(ErrorCode(int(words[0])), "why")
            case _:
                return self.receiver.receive(self._datagram(verb, words), now)

    def _datagram(self, verb: str, words: list[str]) -> bytes:
        match verb:
            case "data":
                number, blksize = int(words[0]), self.receiver.accepted.blksize
                return encode(Data(number, self._content[(number - 1) * blksize : number * blksize]))
            case "oack":
                return encode(Oack(options(" ".join(words))))
            case "error":
                return encode(Error(int(words[0]), " ".join(words[1:])))
            case "raw":
                return bytes.fromhex("".join(words))
            case _:
                raise AssertionError(verb)

    def _spelled(self, datagram: bytes) -> str:
        match decode(datagram):
            case Ack(block):
                return f"A{block}"
            case Error(code, _):
                return f"E{code}"
            case request:
                assert request == self._request
                return "RRQ"


COMPLETE = Fetched(Got.COMPLETE)
SILENT = Fetched(Got.SILENT)
DIFFERS = Fetched(Got.LENGTH_DIFFERS)
TOO_LARGE = Fetched(Got.TOO_LARGE)
UNASKED = Fetched(Got.OPTIONS_REFUSED, None, "an option that was not asked for, or no number")

LOCK_STEP = {
    "three blocks": Case(
        1100,
        "",
        """
        0    start  > RRQ
        0.1  data 1 > A1
        0.2  data 2 > A2
        0.3  data 3 > A3
        """,
        COMPLETE,
    ),
    "empty": Case(0, "", "0 start > RRQ \n .1 data 1 > A1", COMPLETE),
    "one byte less than a block": Case(511, "", "0 start > RRQ \n .1 data 1 > A1", COMPLETE),
    "one block exactly": Case(512, "", "0 start > RRQ \n .1 data 1 > A1 \n .2 data 2 > A2", COMPLETE),
    "one byte more than a block": Case(
        513, "", "0 start > RRQ \n .1 data 1 > A1 \n .2 data 2 > A2", COMPLETE
    ),
    "blksize": Case(
        16,
        "blksize=8",
        """
        0    start          > RRQ
        0.1  oack blksize=8 > A0
        0.2  data 1         > A1
        0.3  data 2         > A2
        0.4  data 3         > A3
        """,
        COMPLETE,
    ),
    "a server that knows no options": Case(
        513,
        "blksize=1428 tsize=0 windowsize=8",
        "0 start > RRQ \n .1 data 1 > A1 \n .2 data 2 > A2",
        COMPLETE,
    ),
    "after the end": Case(
        9, "", "0 start > RRQ \n .1 data 1 > A1 \n .2 data 1 > \n 2 tick > \n 2 abort 0 >", COMPLETE
    ),
}

OPTIONS = {
    "an option that was not asked for": Case(
        9, "tsize=0", "0 start > RRQ \n .1 oack tsize=9 blksize=512 > E8 \n .2 data 1 >", UNASKED
    ),
    "an OACK to a request without options": Case(9, "", "0 start > RRQ \n .1 oack blksize=512 > E8", UNASKED),
    "no number": Case(9, "blksize=8", "0 start > RRQ \n .1 oack blksize=x > E8", UNASKED),
    "a larger blksize": Case(
        9,
        "blksize=1428",
        "0 start > RRQ \n .1 oack blksize=1468 > E8 \n 1 tick >",
        Fetched(Got.OPTIONS_REFUSED, None, "blksize out of bounds"),
    ),
    "a larger windowsize": Case(
        9,
        "windowsize=8",
        "0 start > RRQ \n .1 oack windowsize=64 > E8",
        Fetched(Got.OPTIONS_REFUSED, None, "windowsize out of bounds"),
    ),
    "another timeout": Case(
        9,
        "timeout=3",
        "0 start > RRQ \n .1 oack timeout=4 > E8",
        Fetched(Got.OPTIONS_REFUSED, None, "another timeout than was asked for"),
    ),
    "ERROR 8 from the server": Case(
        9, "blksize=8", "0 start > RRQ \n .1 error 8 no >", Fetched(Got.OPTIONS_REFUSED, 8, "no")
    ),
    "ERROR 8 from the server to a request without options": Case(
        9, "", "0 start > RRQ \n .1 error 8 no >", Fetched(Got.PEER_ERROR, 8, "no")
    ),
    "tsize is true": Case(9, "tsize=0", "0 start > RRQ \n .1 oack tsize=9 > A0 \n .2 data 1 > A1", COMPLETE),
    "tsize is true, and 0": Case(
        0, "tsize=0", "0 start > RRQ \n .1 oack tsize=0 > A0 \n .2 data 1 > A1", COMPLETE
    ),
    "tsize says more": Case(
        9, "tsize=0", "0 start > RRQ \n .1 oack tsize=10 > A0 \n .2 data 1 > A1", DIFFERS
    ),
    "tsize says less": Case(9, "tsize=0", "0 start > RRQ \n .1 oack tsize=8 > A0 \n .2 data 1 > A1", DIFFERS),
    "tsize says 0": Case(9, "tsize=0", "0 start > RRQ \n .1 oack tsize=0 > A0 \n .2 data 1 > A1", DIFFERS),
}

SIZE_MAX = {
    "as large as allowed": Case(
        16,
        "blksize=8 tsize=0",
        """
        0    start                  > RRQ
        0.1  oack blksize=8 tsize=16 > A0
        0.2  data 1                 > A1
        0.3  data 2                 > A2
        0.4  data 3                 > A3
        """,
        COMPLETE,
        size_max=16,
    ),
    "announced larger than allowed": Case(
        17, "tsize=0", "0 start > RRQ \n .1 oack tsize=17 > E3 \n .2 data 1 >", TOO_LARGE, size_max=16
    ),
    "larger than allowed, unannounced": Case(
        2000, "", "0 start > RRQ \n .1 data 1 > A1 \n .2 data 2 > E3 \n .3 data 3 >", TOO_LARGE, size_max=1023
    ),
    "larger than allowed and than announced": Case(
        2000,
        "tsize=0",
        "0 start > RRQ \n .1 oack tsize=600 > A0 \n .2 data 1 > A1 \n .2 data 2 > E3",
        TOO_LARGE,
        size_max=1000,
    ),
    "larger than allowed by the last byte": Case(
        17,
        "blksize=8",
        """
        0    start          > RRQ
        0.1  oack blksize=8 > A0
        0.2  data 1         > A1
        0.3  data 2         > A2
        0.4  data 3         > E3
        """,
        TOO_LARGE,
        size_max=16,
    ),
}

LOSS = {
    "RRQ lost": Case(
        9,
        "",
        "0 start > RRQ \n .9 tick > \n 1 tick > RRQ \n 3 tick > RRQ \n 3.1 data 1 > A1",
        COMPLETE,
        retransmits=2,
    ),
    "ACK 0 lost: the OACK comes again": Case(
        9,
        "blksize=8",
        """
        0    start          > RRQ
        0.1  oack blksize=8 > A0
        1    oack blksize=8 > A0
        1.1  tick           > A0
        1.2  data 1         > A1
        1.3  oack blksize=8 >
        1.4  data 2         > A2
        """,
        COMPLETE,
        duplicates=1,
        retransmits=1,
    ),
    "ACK 1 lost: DATA 1 comes again": Case(
        513,
        "",
        "0 start > RRQ \n .1 data 1 > A1 \n 1 data 1 > A1 \n 1 data 1 > A1 \n 1.1 data 2 > A2",
        COMPLETE,
        duplicates=2,
    ),
    "DATA 2 lost": Case(
        513,
        "",
        "0 start > RRQ \n .1 data 1 > A1 \n 1.1 tick > A1 \n 1.2 data 2 > A2",
        COMPLETE,
        retransmits=1,
    ),
    "an old block, and one too early": Case(
        2000,
        "",
        """
        0    start      > RRQ
        0.1  data 1     > A1
        0.2  data 2     > A2
        0.3  data 1     >
        0.3  data 4     >
        0.3  data 3     > A3
        0.4  data 4     > A4
        """,
        COMPLETE,
        duplicates=2,
    ),
    "a silent server": Case(
        9,
        "",
        """
        0    start  > RRQ
        1    tick   > RRQ
        3    tick   > RRQ
        7    tick   > RRQ
        15   tick   > RRQ
        23   tick   > RRQ
        30   tick   >
        31   tick   >
        32   data 1 >
        """,
        SILENT,
        retransmits=5,
    ),
    "a server that falls silent": Case(
        513,
        "",
        """
        0    start  > RRQ
        0.5  data 1 > A1
        1.5  tick   > A1
        3.5  tick   > A1
        7.5  tick   > A1
        15.5 tick   > A1
        23.5 tick   > A1
        31.5 tick   >
        """,
        SILENT,
        retransmits=5,
    ),
}

STRANGE = {
    "ERROR": Case(
        9,
        "tsize=0",
        "0 start > RRQ \n .1 error 1 not here > \n 1 tick >",
        Fetched(Got.PEER_ERROR, 1, "not here"),
    ),
    "ERROR in the middle": Case(
        2000, "", "0 start > RRQ \n .1 data 1 > A1 \n .2 error 0 sorry >", Fetched(Got.PEER_ERROR, 0, "sorry")
    ),
    "no packet of a server": Case(
        9,
        "",
        """
        0    start                      > RRQ
        0.1  raw                        >
        0.1  raw 00                     >
        0.1  raw 000300                 >
        0.1  raw 0004 0000              >
        0.1  raw 0001 6100 6f6374657400 >
        0.1  raw 0009 0000              >
        0.2  data 1                     > A1
        """,
        COMPLETE,
    ),
    "a block that is not the first opens nothing": Case(
        9,
        "blksize=8",
        """
        0    start          > RRQ
        0.1  raw 0003 0000  >
        0.1  raw 0003 0002 61 >
        0.1  raw 0003 ffff 61 >
        0.2  oack blksize=8 > A0
        0.3  data 1         > A1
        0.4  data 2         > A2
        """,
        COMPLETE,
    ),
    "a block larger than agreed": Case(
        9,
        "blksize=8",
        """
        0    start                           > RRQ
        0.1  oack blksize=8                  > A0
        0.2  raw 0003 0001 616161616161616161 >
        0.3  data 1                          > A1
        0.4  data 2                          > A2
        """,
        COMPLETE,
    ),
    "aborted before an answer": Case(
        9, "", "0 start > RRQ \n .1 abort 0 > \n .2 data 1 > \n 1 tick >", Fetched(Got.ABORTED)
    ),
    "aborted": Case(
        2000, "", "0 start > RRQ \n .1 data 1 > A1 \n .2 abort 0 > E0 \n .2 abort 0 >", Fetched(Got.ABORTED)
    ),
}

WINDOW = {
    "whole windows, and an empty block at the end": Case(
        64,
        "blksize=8 windowsize=4",
        """
        0    start                       > RRQ
        0.1  oack blksize=8 windowsize=4 > A0
        0.2  data 1 >
        0.2  data 2 >
        0.2  data 3 >
        0.2  data 4 > A4
        0.3  data 5 >
        0.3  data 6 >
        0.3  data 7 >
        0.3  data 8 > A8
        0.4  data 9 > A9
        """,
        COMPLETE,
    ),
    "fewer than asked for": Case(
        20,
        "blksize=8 windowsize=4",
        """
        0    start                       > RRQ
        0.1  oack blksize=8 windowsize=2 > A0
        0.2  data 1 >
        0.2  data 2 > A2
        0.2  data 3 > A3
        """,
        COMPLETE,
    ),
    "the last block ends a window early": Case(
        13,
        "blksize=8 windowsize=4",
        "0 start > RRQ \n .1 oack blksize=8 windowsize=4 > A0 \n .2 data 1 > \n .2 data 2 > A2",
        COMPLETE,
    ),
    "DATA 3 lost: the gap is told at once, and once": Case(
        56,
        "blksize=8 windowsize=8",
        """
        0    start                       > RRQ
        0.1  oack blksize=8 windowsize=8 > A0
        0.2  data 1 >
        0.2  data 2 >
        0.2  data 4 > A2
        0.2  data 5 >
        0.2  data 6 >
        0.2  data 7 >
        0.3  data 3 >
        0.3  data 4 >
        0.3  data 6 > A4
        0.4  data 5 >
        0.4  data 6 >
        0.4  data 7 >
        0.4  data 8 > A8
        """,
        COMPLETE,
        duplicates=3,
    ),
    "DATA 1 lost": Case(
        9,
        "blksize=8 windowsize=4",
        """
        0    start                       > RRQ
        0.1  oack blksize=8 windowsize=4 > A0
        0.2  data 2 > A0
        1    data 1 >
        1    data 2 > A2
        """,
        COMPLETE,
    ),
    "a window whose end is lost: what has come is acknowledged at the deadline": Case(
        40,
        "blksize=8 windowsize=4",
        """
        0    start                       > RRQ
        0.1  oack blksize=8 windowsize=4 > A0
        0.2  data 1 >
        0.5  data 2 >
        1.4  tick   >
        1.5  tick   > A2
        1.6  data 3 >
        1.6  data 4 >
        1.6  data 5 >
        1.6  data 6 > A6
        """,
        COMPLETE,
        retransmits=1,
    ),
    "the ACK of a window lost: its last block is answered again, the others are not": Case(
        40,
        "blksize=8 windowsize=2",
        """
        0    start                       > RRQ
        0.1  oack blksize=8 windowsize=2 > A0
        0.2  data 1 >
        0.2  data 2 > A2
        1.2  data 1 >
        1.2  data 2 > A2
        1.3  data 3 >
        1.3  data 3 >
        1.3  data 2 >
        1.3  data 4 > A4
        """,
        None,
        duplicates=4,
    ),
    "beyond the window": Case(
        80,
        "blksize=8 windowsize=2",
        """
        0    start                       > RRQ
        0.1  oack blksize=8 windowsize=2 > A0
        0.2  data 3 >
        0.2  data 9 >
        0.2  data 2 > A0
        """,
        None,
        duplicates=2,
    ),
}

CASES = LOCK_STEP | OPTIONS | SIZE_MAX | LOSS | STRANGE | WINDOW


@pytest.mark.parametrize("name", CASES)
def test_script(name: str) -> None:
    case = CASES[name]
    play = Play(case)
    for line in case.script.strip().splitlines():
        play.line(line)
    receiver = play.receiver
    assert receiver.outcome == case.outcome
    assert (receiver.duplicates, receiver.retransmits) == (case.duplicates, case.retransmits)
    if case.outcome is not None:
        assert receiver.deadline is None
    if case.outcome in (COMPLETE, DIFFERS):
        assert play.got == CONTENT[: case.size]
        assert receiver.received == case.size
    else:
        assert CONTENT.startswith(play.got)
        assert len(play.got) <= (case.size if case.size_max is None else case.size_max)


def test_what_is_in_force() -> None:
    receiver = Receiver(NAME, Mode.OCTET, options("blksize=1428 windowsize=8 tsize=0"), Timing())
    receiver.start(0)
    assert (receiver.opened, receiver.size, receiver.accepted) == (False, None, Accepted())
    oack = options("blksize=1024 windowsize=4 tsize=12952")
    receiver.receive(encode(Oack(oack)), 0)
    assert (receiver.opened, receiver.size) == (True, 12952)
    assert receiver.accepted == Accepted(1024, 4, None, 12952, oack)


@pytest.mark.parametrize(
    "text", [b"ring\n1\r2\n", b"1234567\r\n", b"123456\r\r\n\n", b"\n" * 20, b"\r" * 20, b""]
)
def test_netascii(text: bytes) -> None:
    netascii = Encoder().feed(text)
    receiver = Receiver(NAME, Mode.NETASCII, options("blksize=8 tsize=0"), Timing())
    assert decode(receiver.start(0)[0]) == Request(NAME, Mode.NETASCII, options("blksize=8 tsize=0"))
    receiver.receive(encode(Oack(options("blksize=8 tsize=4711"))), 0)  # a size that means nothing
    assert receiver.size is None
    got = b""
    for number in range(len(netascii) // 8 + 1):
        receiver.receive(encode(Data(number + 1, netascii[8 * number : 8 * number + 8])), 0)
        got += receiver.take()
    assert receiver.outcome == COMPLETE
    assert got == text
    assert receiver.received == len(netascii)


def test_netascii_that_ends_in_a_lone_carriage_return() -> None:
    receiver = Receiver(NAME, Mode.NETASCII, (), Timing())
    receiver.start(0)
    receiver.receive(encode(Data(1, b"ring\r")), 0)
    assert receiver.take() == b"ring\r"


@pytest.mark.parametrize("count", [65535, 65536, 65537])
@pytest.mark.parametrize("windowsize", [1, 64])
def test_block_numbers_wrap_to_0(count: int, windowsize: int) -> None:
    offer = options(f"blksize=8 windowsize={windowsize}")
    receiver = Receiver(NAME, Mode.OCTET, offer, Timing())
    receiver.start(0)
    receiver.receive(encode(Oack(offer)), 0)
    for number in range(1, count + 1):
        payload = number.to_bytes(8, "big")[: 8 if number < count else 7]
        sent = receiver.receive(encode(Data(number, payload)), 0)
        assert sent == ([encode(Ack(number))] if number % windowsize == 0 or number == count else [])
        assert receiver.receive(encode(Data(number - 1, b"wrong")), 0) == []
    assert receiver.outcome == COMPLETE
    got = receiver.take()
    assert len(got) == receiver.received == 8 * count - 1
    assert all(got[8 * n - 8 : 8 * n] == n.to_bytes(8, "big") for n in range(1, count))


@pytest.mark.parametrize("block", [2, 1, 0, 4])
def test_a_server_that_answers_and_stands_still_is_given_up(block: int) -> None:
    receiver = Receiver(NAME, Mode.OCTET, (), Timing())
    receiver.start(0)
    for number in (1, 2):
        receiver.receive(encode(Data(number, bytes(512))), 0)
    now = 0.0
    while receiver.outcome is None:
        now += 0.25
        receiver.receive(encode(Data(block, bytes(512))), now)
        receiver.tick(now)
        assert now <= 120
    assert receiver.outcome == SILENT
    assert now == 120


OFFERS = ["", "blksize=8", "blksize=8 windowsize=4 tsize=0", "blksize=1428 windowsize=8 tsize=0 timeout=3"]
DATAGRAMS = st.one_of(
    st.builds(
        lambda block, size: encode(Data(block, CONTENT[:size])), st.integers(0, 6), st.integers(0, 520)
    ),
    st.builds(lambda block: encode(Data(block, CONTENT[8 * block - 8 : 8 * block])), st.integers(1, 9)),
    st.sampled_from([encode(Oack(options(offer))) for offer in OFFERS]),
    st.binary(max_size=8),
)
EVENTS = st.lists(st.tuples(st.floats(0, 3), st.none() | DATAGRAMS), max_size=40)


@given(st.sampled_from(OFFERS), EVENTS)
def test_whatever_the_server_does(offer: str, events: list[tuple[float, bytes | None]]) -> None:
    """No event makes more than one datagram, no byte over the limit is taken, and it all ends."""
    receiver = Receiver(NAME, Mode.OCTET, options(offer), Timing(), 600)
    now, taken = 0.0, 0
    receiver.start(now)
    for pause, datagram in events:
        now += pause
        ended = receiver.outcome is not None
        sent = receiver.tick(now) if datagram is None else receiver.receive(datagram, now)
        assert len(sent) <= (0 if ended else 1)
        taken += len(receiver.take())
    last_event = now
    while receiver.deadline is not None:
        now = max(now, receiver.deadline)
        assert len(receiver.tick(now)) <= 1
    assert receiver.outcome is not None
    assert now <= last_event + Timing().silence_max
    assert taken <= 600
    if receiver.outcome == COMPLETE:
        assert taken == receiver.received
