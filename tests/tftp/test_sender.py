"""Scripts of a transfer, one event a line: time, event, and the datagrams that it makes.

    0.1  ack 1 > D2        at 0.1 s ACK 1 comes, DATA 2 goes out
    1.1  tick  > D2        the deadline: DATA 2 again
    2    feed 8 >          8 more bytes of the file are there (a file is there whole without this)
    2    raw 0004ff >      any datagram, in hex

D2 is DATA with block 2 on the wire and the bytes that belong there, OACK the OACK, E4 an ERROR.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tftp.blocks import BlockBuffer
from appliance.tftp.options import Limits, accept
from appliance.tftp.packet import Ack, Data, Error, ErrorCode, Oack, Options, decode, encode
from appliance.tftp.sender import End, Outcome, Sender, Tally
from appliance.tftp.timing import Timing

CONTENT = random.Random(1).randbytes(4096)


def options(text: str) -> Options:
    pairs = [each.partition("=") for each in text.split()]
    return tuple((name, value) for name, _, value in pairs)


def sender_of(size: int, offer: str = "", fed: bool = True) -> tuple[Sender, BlockBuffer]:
    """A sender of the first `size` bytes of CONTENT."""
    accepted = accept(options(offer), Limits(), size)
    blocks = BlockBuffer(accepted.blksize)
    if fed:
        blocks.feed(CONTENT[:size])
        blocks.finish()
    return Sender(blocks, accepted, Timing()), blocks


@dataclass(frozen=True)
class Case:
    size: int  # bytes of the file
    offer: str  # options of the request
    script: str
    outcome: Outcome | None
    tally: Tally


class Play:
    """A script and what it is played on."""

    def __init__(self, size: int, offer: str, fed: bool) -> None:
        self.sender, self.blocks = sender_of(size, offer, fed)
        self._content = CONTENT[:size]
        self._fed = 0

    def line(self, line: str) -> None:
        event, _, wanted = line.partition(">")
        at, verb, *words = event.split()
        sent = self._event(float(at), verb, words)
        assert [self._spelled(datagram) for datagram in sent] == wanted.split(), line

    def _event(self, now: float, verb: str, words: list[str]) -> list[bytes]:
        match verb:
            case "start":
                return self.sender.start(now)
            case "tick":
                return self.sender.tick(now)
            case "resume":
                return self.sender.resume(now)
            case "ack":
                return self.sender.receive(encode(Ack(int(words[0]))), now)
            case "error":
                return self.sender.receive(encode(Error(int(words[0]), " ".join(words[1:]))), now)
            case "raw":
                return self.sender.receive(bytes.fromhex("".join(words)), now)
            case "abort":
                return self.sender.abort(ErrorCode(int(words[0])), "why")
            case "feed":
                self.blocks.feed(self._content[self._fed : self._fed + int(words[0])])
                self._fed += int(words[0])
                return []
            case "finish":
                self.blocks.finish()
                return []
            case _:
                raise AssertionError(verb)

    def _spelled(self, datagram: bytes) -> str:
        match decode(datagram):
            case Data(block, payload):
                blksize = self.sender.accepted.blksize
                assert payload == self._content[(block - 1) * blksize : block * blksize]
                return f"D{block}"
            case Oack(taken):
                assert taken == self.sender.accepted.oack
                return "OACK"
            case Error(code, "why"):
                return f"E{code}"
            case other:
                raise AssertionError(other)


COMPLETE = Outcome(End.COMPLETE)
SILENT = Outcome(End.SILENT)

LOCK_STEP = {
    "three blocks": Case(
        1100,
        "",
        """
        0    start  > D1
        0.1  ack 1  > D2
        0.2  ack 2  > D3
        0.3  ack 3  >
        """,
        COMPLETE,
        Tally(blocks=3),
    ),
    "empty": Case(0, "", "0 start > D1 \n 1 ack 1 >", COMPLETE, Tally(blocks=1)),
    "one byte less than a block": Case(511, "", "0 start > D1 \n 1 ack 1 >", COMPLETE, Tally(blocks=1)),
    "one block exactly": Case(
        512, "", "0 start > D1 \n 0.1 ack 1 > D2 \n 0.2 ack 2 >", COMPLETE, Tally(blocks=2)
    ),
    "one byte more than a block": Case(
        513, "", "0 start > D1 \n 0.1 ack 1 > D2 \n 0.2 ack 2 >", COMPLETE, Tally(blocks=2)
    ),
    "two blocks exactly, blksize": Case(
        16,
        "blksize=8",
        """
        0    start  > OACK
        0.1  ack 0  > D1
        0.2  ack 1  > D2
        0.3  ack 2  > D3
        0.4  ack 3  >
        """,
        COMPLETE,
        Tally(blocks=3),
    ),
    "empty, with options": Case(
        0, "blksize=8 tsize=0", "0 start > OACK \n 0.1 ack 0 > D1 \n 0.2 ack 1 >", COMPLETE, Tally(blocks=1)
    ),
    "options that are not taken": Case(
        9, "blksize=7 unknown=1", "0 start > D1 \n 0.1 ack 1 >", COMPLETE, Tally(blocks=1)
    ),
}

LOSS = {
    "OACK lost": Case(
        9,
        "blksize=8",
        """
        0    start  > OACK
        0.9  tick   >
        1    tick   > OACK
        1.1  ack 0  > D1
        1.2  ack 1  > D2
        1.3  ack 2  >
        """,
        COMPLETE,
        Tally(blocks=2, retransmits=1),
    ),
    "ACK 0 lost: the OACK comes twice and is answered twice": Case(
        9,
        "blksize=8",
        """
        0    start  > OACK
        1    tick   > OACK
        1.1  ack 0  > D1
        1.1  ack 0  >
        1.2  ack 1  > D2
        1.2  ack 0  >
        1.3  ack 2  >
        """,
        COMPLETE,
        Tally(blocks=2, retransmits=1, duplicates=2),
    ),
    "DATA 1 lost": Case(
        513,
        "",
        """
        0    start  > D1
        1    tick   > D1
        1.1  ack 1  > D2
        2    tick   >
        2.1  tick   > D2
        2.2  ack 2  >
        """,
        COMPLETE,
        Tally(blocks=2, retransmits=2),
    ),
    "ACK 1 lost: DATA 1 comes twice and is answered twice": Case(
        1100,
        "",
        """
        0    start  > D1
        1    tick   > D1
        1.1  ack 1  > D2
        1.1  ack 1  >
        1.2  ack 2  > D3
        1.2  ack 2  >
        1.3  ack 3  >
        """,
        COMPLETE,
        Tally(blocks=3, retransmits=1, duplicates=2),
    ),
    "last ACK lost": Case(
        513,
        "",
        """
        0    start  > D1
        0.5  ack 1  > D2
        1.5  tick   > D2
        3.5  tick   > D2
        7.5  tick   > D2
        15.5 tick   > D2
        23.5 tick   > D2
        31.4 tick   >
        31.5 tick   >
        """,
        Outcome(End.UNACKNOWLEDGED_END),
        Tally(blocks=2, retransmits=5),
    ),
    "an ACK twice, a second apart, and the timer is not put off by it": Case(
        1100,
        "",
        """
        0    start  > D1
        0.1  ack 1  > D2
        1    ack 1  >
        1.1  tick   > D2
        3    ack 1  >
        3.1  tick   > D2
        3.2  ack 2  > D3
        """,
        None,
        Tally(blocks=3, retransmits=2, duplicates=2),
    ),
}

STRANGE = {
    "ACK of block - 2, of block - 1, of 0": Case(
        2600,
        "",
        """
        0    start  > D1
        0.1  ack 1  > D2
        0.2  ack 2  > D3
        0.3  ack 3  > D4
        0.4  ack 1  >
        0.4  ack 2  >
        0.4  ack 0  >
        0.5  ack 4  > D5
        """,
        None,
        Tally(blocks=5, duplicates=3),
    ),
    "ACK of a block that was not sent": Case(
        2600,
        "",
        """
        0    start     > D1
        0.1  ack 2     >
        0.1  ack 65535 >
        0.1  ack 32768 >
        0.2  ack 1     > D2
        """,
        None,
        Tally(blocks=2, duplicates=3),
    ),
    "ACK of a block while the OACK is out": Case(
        9,
        "blksize=8",
        """
        0    start  > OACK
        0.1  ack 1  >
        0.2  ack 0  > D1
        """,
        None,
        Tally(blocks=1, duplicates=1),
    ),
    "an ACK that lacks a byte, and one with a whole buffer behind it": Case(
        513,
        "",
        """
        0    start         > D1
        0.1  raw 000400    >
        0.2  raw 00040001 000000000000 > D2
        0.3  raw 0004000200 >
        """,
        COMPLETE,
        Tally(blocks=2, strays=1),
    ),
    "what is no ACK": Case(
        513,
        "",
        """
        0    start                > D1
        0.1  raw                  >
        0.1  raw 00               >
        0.1  raw 0003 0001 61     >
        0.1  raw 0006 6100 3100   >
        0.1  raw 0001 6100 6f6374657400 >
        0.1  raw 0009 0000        >
        0.2  ack 1                > D2
        """,
        None,
        Tally(blocks=2, strays=6),
    ),
    "ERROR": Case(
        1100,
        "",
        """
        0    start            > D1
        0.1  ack 1            > D2
        0.2  error 3 disk full >
        0.3  ack 2            >
        0.3  error 0 again    >
        1.1  tick             >
        1.1  resume           >
        1.1  abort 0          >
        """,
        Outcome(End.PEER_ERROR, 3, "disk full"),
        Tally(blocks=2),
    ),
    "ERROR first": Case(
        9, "", "0 start > D1 \n 0.1 error 4 no >", Outcome(End.PEER_ERROR, 4, "no"), Tally(blocks=1)
    ),
    "size probe": Case(
        9,
        "blksize=512 tsize=0",
        "0 start > OACK \n 0.1 error 8 User aborted the transfer > \n 1 tick >",
        Outcome(End.PROBE, 8, "User aborted the transfer"),
        Tally(),
    ),
    "ERROR to an OACK without tsize": Case(
        9,
        "blksize=512",
        "0 start > OACK \n 0.1 error 8 no >",
        Outcome(End.PEER_ERROR, 8, "no"),
        Tally(),
    ),
    "ERROR after ACK 0": Case(
        9,
        "tsize=0",
        "0 start > OACK \n 0.1 ack 0 > D1 \n 0.2 error 0 no >",
        Outcome(End.PEER_ERROR, 0, "no"),
        Tally(blocks=1),
    ),
    "aborted": Case(
        1100,
        "",
        "0 start > D1 \n 0.1 abort 0 > E0 \n 0.2 abort 0 > \n 0.3 ack 1 > \n 1 tick >",
        Outcome(End.ABORTED, 0, "why"),
        Tally(blocks=1),
    ),
}

SILENCE = {
    "DATA 1 unacknowledged": Case(
        1100,
        "",
        """
        0    start  > D1
        1    tick   > D1
        3    tick   > D1
        6.9  tick   >
        7    tick   >
        8    ack 1  >
        """,
        SILENT,
        Tally(blocks=1, retransmits=2),
    ),
    "DATA 1 unacknowledged, the only one": Case(
        9,
        "",
        "0 start > D1 \n 1 tick > D1 \n 3 tick > D1 \n 7 tick >",
        SILENT,
        Tally(blocks=1, retransmits=2),
    ),
    "OACK unacknowledged": Case(
        1100,
        "blksize=1428 windowsize=4 tsize=0",
        "0 start > OACK \n 1 tick > OACK \n 3 tick > OACK \n 7 tick >",
        SILENT,
        Tally(retransmits=2),
    ),
    "OACK, and packets that acknowledge nothing": Case(
        1100,
        "blksize=1428 windowsize=4 tsize=0",
        """
        0    start  > OACK
        0.5  ack 7  >
        1    tick   > OACK
        2    ack 7  >
        3    tick   > OACK
        6    ack 7  >
        7    tick   >
        """,
        SILENT,
        Tally(retransmits=2, duplicates=3),
    ),
    "in the middle": Case(
        1100,
        "",
        """
        0    start  > D1
        0.5  ack 1  > D2
        1.5  tick   > D2
        3.5  tick   > D2
        7.5  tick   > D2
        15.5 tick   > D2
        23.5 tick   > D2
        31.5 tick   >
        32   ack 2  >
        """,
        SILENT,
        Tally(blocks=2, retransmits=5),
    ),
    "timeout 30: the silence limit holds": Case(
        1100,
        "timeout=30",
        """
        0    start  > OACK
        0.5  ack 0  > D1
        30   tick   >
        30.5 tick   > D1
        60   tick   >
        60.5 tick   >
        """,
        SILENT,
        Tally(blocks=1, retransmits=1),
    ),
    "timeout 25": Case(
        1100,
        "timeout=25",
        """
        0    start  > OACK
        0.5  ack 0  > D1
        25.5 tick   > D1
        50.5 tick   > D1
        60.5 tick   >
        """,
        SILENT,
        Tally(blocks=1, retransmits=2),
    ),
}

WINDOW = {
    "whole windows, and an empty block at the end": Case(
        80,
        "blksize=8 windowsize=4",
        """
        0    start  > OACK
        0.1  ack 0  > D1 D2 D3 D4
        0.2  ack 4  > D5 D6 D7 D8
        0.3  ack 8  > D9 D10 D11
        0.4  ack 11 >
        """,
        COMPLETE,
        Tally(blocks=11),
    ),
    "the last block ends a window": Case(
        63,
        "blksize=8 windowsize=4",
        "0 start > OACK \n .1 ack 0 > D1 D2 D3 D4 \n .2 ack 4 > D5 D6 D7 D8 \n .3 ack 8 >",
        COMPLETE,
        Tally(blocks=8),
    ),
    "a file smaller than the window": Case(
        10,
        "blksize=8 windowsize=16",
        "0 start > OACK \n .1 ack 0 > D1 D2 \n .2 ack 2 >",
        COMPLETE,
        Tally(blocks=2),
    ),
    "DATA 3 lost: the ACK names the gap": Case(
        80,
        "blksize=8 windowsize=4",
        """
        0    start  > OACK
        0.1  ack 0  > D1 D2 D3 D4
        0.2  ack 2  > D3 D4 D5 D6
        0.2  ack 2  >
        0.3  ack 6  > D7 D8 D9 D10
        0.3  ack 2  >
        0.3  ack 4  >
        0.4  ack 10 > D11
        0.5  ack 11 >
        """,
        COMPLETE,
        Tally(blocks=11, retransmits=2, duplicates=3),
    ),
    "DATA 1 lost: an ACK 0 moves nothing, the timer does": Case(
        80,
        "blksize=8 windowsize=4",
        """
        0    start  > OACK
        0.1  ack 0  > D1 D2 D3 D4
        0.2  ack 0  >
        1.1  tick   > D1 D2 D3 D4
        1.2  ack 4  > D5 D6 D7 D8
        """,
        None,
        Tally(blocks=8, retransmits=4, duplicates=1),
    ),
    "the last block of a window lost": Case(
        80,
        "blksize=8 windowsize=4",
        """
        0    start  > OACK
        0.1  ack 0  > D1 D2 D3 D4
        1    ack 3  > D4 D5 D6 D7
        1.1  tick   >
        1.2  ack 7  > D8 D9 D10 D11
        """,
        None,
        Tally(blocks=11, retransmits=1),
    ),
    "the last block of all lost": Case(
        80,
        "blksize=8 windowsize=16",
        """
        0    start  > OACK
        0.1  ack 0  > D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11
        1    ack 10 > D11
        1.1  ack 11 >
        """,
        COMPLETE,
        Tally(blocks=11, retransmits=1),
    ),
    "the ACK of a window lost: only what is unacknowledged goes again": Case(
        80,
        "blksize=8 windowsize=4",
        """
        0    start  > OACK
        0.1  ack 0  > D1 D2 D3 D4
        0.2  ack 4  > D5 D6 D7 D8
        1.2  tick   > D5 D6 D7 D8
        3.2  tick   > D5 D6 D7 D8
        3.3  ack 8  > D9 D10 D11
        """,
        None,
        Tally(blocks=11, retransmits=8),
    ),
    "ACK beyond the window": Case(
        80,
        "blksize=8 windowsize=4",
        "0 start > OACK \n .1 ack 0 > D1 D2 D3 D4 \n .2 ack 5 > \n .3 ack 4 > D5 D6 D7 D8",
        None,
        Tally(blocks=8, duplicates=1),
    ),
    "silent in the last window": Case(
        16,
        "blksize=8 windowsize=4",
        """
        0    start  > OACK
        0.5  ack 0  > D1 D2 D3
        1.5  tick   > D1 D2 D3
        3.5  tick   > D1 D2 D3
        7.5  tick   > D1 D2 D3
        15.5 tick   > D1 D2 D3
        23.5 tick   > D1 D2 D3
        31.5 tick   >
        """,
        Outcome(End.UNACKNOWLEDGED_END),
        Tally(blocks=3, retransmits=15),
    ),
}

STARVED = {
    "nothing there yet: nothing is due from the peer": Case(
        1112,
        "",
        """
        0    start    >
        100  tick     >
        100  feed 511 >
        100  resume   >
        200  feed 1   >
        200  resume   > D1
        200  resume   >
        200.1 ack 1   >
        300  tick     >
        300  feed 600 >
        300  resume   > D2
        300.1 ack 2   >
        300.2 finish  >
        300.2 resume  > D3
        300.3 ack 3   >
        """,
        COMPLETE,
        Tally(blocks=3),
    ),
    "the OACK does not wait for bytes": Case(
        9,
        "blksize=8",
        """
        0    start   > OACK
        0.1  feed 9  >
        0.1  resume  >
        1    tick    > OACK
        1.1  ack 0   > D1
        1.2  ack 1   >
        1.3  finish  >
        1.3  resume  > D2
        1.4  ack 2   >
        """,
        COMPLETE,
        Tally(blocks=2, retransmits=1),
    ),
    "a window that fills by and by": Case(
        68,
        "blksize=8 windowsize=4",
        """
        0    start   > OACK
        0.1  ack 0   >
        0.2  feed 16 >
        0.2  resume  > D1 D2
        0.9  feed 8  >
        0.9  resume  > D3
        1.8  tick    >
        1.9  tick    > D1 D2 D3
        2    feed 40 >
        2    resume  > D4
        2    resume  >
        2.1  ack 4   > D5 D6 D7 D8
        2.2  ack 8   >
        2.3  tick    >
        99   tick    >
        99   feed 4  >
        99   finish  >
        99   resume  > D9
        99.1 ack 9   >
        """,
        COMPLETE,
        Tally(blocks=9, retransmits=3),
    ),
    "a peer that acknowledges half a window because the rest does not come": Case(
        80,
        "blksize=8 windowsize=4",
        """
        0    start   > OACK
        0    feed 16 >
        0.1  ack 0   > D1 D2
        1    ack 2   >
        50   tick    >
        50   feed 64 >
        50   finish  >
        50   resume  > D3 D4 D5 D6
        50.1 ack 6   > D7 D8 D9 D10
        """,
        None,
        Tally(blocks=10),
    ),
    "silent while starved with a block out": Case(
        1024,
        "",
        """
        0    start    >
        0    feed 512 >
        0    resume   > D1
        1    tick     > D1
        3    tick     > D1
        7    tick     >
        8    feed 512 >
        8    resume   >
        """,
        SILENT,
        Tally(blocks=1, retransmits=2),
    ),
    "aborted while starved": Case(
        512,
        "",
        "0 start > \n 5 abort 0 > E0 \n 6 feed 512 > \n 6 resume >",
        Outcome(End.ABORTED, 0, "why"),
        Tally(),
    ),
}

CASES = LOCK_STEP | LOSS | STRANGE | SILENCE | WINDOW | STARVED


@pytest.mark.parametrize("name", CASES)
def test_script(name: str) -> None:
    case = CASES[name]
    play = Play(case.size, case.offer, fed=name not in STARVED)
    for line in case.script.strip().splitlines():
        play.line(line)
    assert play.sender.outcome == case.outcome
    assert play.sender.tally == case.tally
    if case.outcome is not None:
        assert play.sender.deadline is None


def blocks_of(datagrams: list[bytes]) -> list[int]:
    packets = [decode(datagram) for datagram in datagrams]
    return [packet.block for packet in packets if isinstance(packet, Data)]


@pytest.mark.parametrize("offer", ["", "blksize=512 windowsize=4"])
def test_a_thousand_times_the_same_ack(offer: str) -> None:
    sender, blocks = sender_of(4000, offer)
    assert blocks.last == 8
    sent = blocks_of(sender.start(0))
    now, acknowledged = 0.0, 0
    while sender.outcome is None:
        for _ in range(1000):
            now += 1e-6
            sent += blocks_of(sender.receive(encode(Ack(acknowledged)), now))
        acknowledged = max(sent)
    assert sent == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sender.outcome == COMPLETE
    assert sender.tally.retransmits == 0


@pytest.mark.parametrize("count", [65535, 65536, 65537])
@pytest.mark.parametrize("windowsize", [1, 64])
def test_block_numbers_wrap_to_0(count: int, windowsize: int) -> None:
    accepted = accept(options(f"blksize=8 windowsize={windowsize}"), Limits(), 8 * count - 1)
    blocks = BlockBuffer(8)
    blocks.feed(bytes(8 * count - 1))
    blocks.finish()
    sender = Sender(blocks, accepted, Timing())
    sender.start(0)
    datagrams = sender.receive(encode(Ack(0)), 0)
    sent: list[int] = []
    while datagrams:
        sent += blocks_of(datagrams)
        assert blocks.packet(sender.acknowledged) is None  # only a window is kept
        stale = encode(Ack(sent[-1] - windowsize & 0xFFFF))
        assert sender.receive(stale, 0) == []
        datagrams = sender.receive(encode(Ack(sent[-1])), 0)
    assert sent == [number & 0xFFFF for number in range(1, count + 1)]
    assert sender.outcome == COMPLETE
    assert sender.tally.blocks == sender.acknowledged == count


def test_starved_is_one_whose_window_has_room_for_blocks_that_are_missing() -> None:
    sender, blocks = sender_of(32, "blksize=8 windowsize=2", fed=False)
    sender.start(0)
    assert not sender.starved
    sender.receive(encode(Ack(0)), 0)
    assert sender.starved
    blocks.feed(bytes(8))
    sender.resume(0)
    assert sender.starved
    blocks.feed(bytes(8))
    sender.resume(0)
    assert not sender.starved
    sender.receive(encode(Ack(2)), 0)
    assert sender.starved
    blocks.finish()
    sender.resume(0)
    assert not sender.starved


def test_a_peer_that_answers_and_stands_still_is_given_up() -> None:
    sender, _ = sender_of(1100)
    sender.start(0)
    sender.receive(encode(Ack(1)), 0)
    now, sent = 0.0, 0
    while sender.outcome is None:
        now += 0.25
        sent += len(sender.receive(encode(Ack(1)), now)) + len(sender.tick(now))
        assert now <= 120
    assert sender.outcome == SILENT
    assert now == 120
    assert sent <= 120  # repetitions of one block: by the timer, at most one for each timeout


def test_confirmed_is_a_peer_that_has_acknowledged() -> None:
    sender, _ = sender_of(9, "blksize=8")
    sender.start(0)
    for stray in (encode(Ack(1)), encode(Data(1, b"")), b"\0\4\0"):
        sender.receive(stray, 0)
    assert not sender.confirmed
    sender.receive(encode(Ack(0)), 0)
    assert sender.confirmed


OFFERS = ["", "blksize=8", "blksize=8 windowsize=4", "blksize=16 windowsize=64 timeout=30 tsize=0"]
ACKS = st.builds(lambda block: encode(Ack(block)), st.integers(0, 30) | st.integers(65500, 65535))
EVENTS = st.lists(st.tuples(st.floats(0, 3), st.none() | ACKS | st.binary(max_size=8)), max_size=40)


@given(st.integers(0, 200), st.sampled_from(OFFERS), EVENTS)
def test_whatever_the_peer_does(size: int, offer: str, events: list[tuple[float, bytes | None]]) -> None:
    """No event makes more than a window, an unconfirmed peer gets three datagrams, and it all ends."""
    sender, blocks = sender_of(size, offer)
    now, last_event = 0.0, 0.0
    first = sender.start(now)
    unconfirmed = list(first)
    for pause, datagram in events:
        now += pause
        confirmed, ended = sender.confirmed, sender.outcome is not None
        sent = sender.tick(now) if datagram is None else sender.receive(datagram, now)
        assert len(sent) <= (0 if ended else sender.accepted.windowsize)
        if not confirmed and not sender.confirmed:
            unconfirmed += sent
        if datagram is not None:
            last_event = now
    while sender.deadline is not None:
        now = max(now, sender.deadline)
        sent = sender.tick(now)
        if not sender.confirmed:
            unconfirmed += sent
    assert sender.outcome is not None
    assert now <= max(last_event, sum(pause for pause, _ in events)) + Timing().silence_max
    assert len(unconfirmed) <= 3
    assert set(unconfirmed) == set(first)
    if sender.outcome == COMPLETE:
        assert sender.acknowledged == blocks.last


@given(st.integers(0, 200), st.sampled_from(OFFERS), st.randoms(use_true_random=False))
def test_each_block_once_to_a_peer_that_repeats_old_acks(size: int, offer: str, rng: random.Random) -> None:
    sender, blocks = sender_of(size, offer)
    sent = blocks_of(sender.start(0))
    if sender.accepted.oack:
        sent += blocks_of(sender.receive(encode(Ack(0)), 0))
    while sender.outcome is None:
        for _ in range(3):
            assert sender.receive(encode(Ack(rng.randint(0, sender.acknowledged))), 0) == []
        sent += blocks_of(sender.receive(encode(Ack(sent[-1])), 0))
    assert blocks.last is not None
    assert sent == list(range(1, blocks.last + 1))


@given(
    st.sampled_from(["", "blksize=8", "windowsize=4", "blksize=8 windowsize=7"]),
    st.lists(st.booleans(), max_size=40),
    st.lists(st.integers(0, 12), max_size=4),
)
def test_one_that_catches_up_goes_on_like_one_that_was_there(
    offer: str, heard: list[bool], stray: list[int]
) -> None:
    """Whichever of the usual ACKs another has answered meanwhile."""
    there, _ = sender_of(500, offer)
    other, _ = sender_of(500, offer)
    now = 0.0
    assert there.start(now) == other.start(now)
    if there.offering:
        assert there.receive(encode(Ack(0)), now) == other.receive(encode(Ack(0)), now)
    for told in heard:
        now += 0.1
        usual = encode(Ack(there.top))
        sent = there.receive(usual, now)
        if there.outcome is not None:
            break
        if told:
            other.catch_up(there.acknowledged, there.top, now)
        elif other.top == there.top - len(sent):
            assert other.receive(usual, now) == sent
    if there.outcome is not None:
        return
    other.catch_up(there.acknowledged, there.top, now)
    assert (other.deadline, other.confirmed) == (there.deadline, there.confirmed)
    assert other.tally.blocks == there.tally.blocks
    for number in stray:
        now += 0.1
        assert other.receive(encode(Ack(number)), now) == there.receive(encode(Ack(number)), now)
    assert other.tick(now + 2) == there.tick(now + 2)
    assert (other.deadline, other.unanswered) == (there.deadline, there.unanswered)
