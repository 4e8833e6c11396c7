"""Whole transfers over a bad link: no file arrives other than whole, and none takes for ever."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest

from appliance.tftp.packet import Data, Mode, Options, decode
from appliance.tftp.receiver import Got
from appliance.tftp.sender import End
from tests.tftp.link import FIRST_CLIENT, FIRST_TID, SERVER, Faults, Link, Server, fetch, is_complete

TRANSFERS = 1000
BATCH = 50
BAD = Faults(loss=0.2, doubled=0.05, delay=(0.001, 0.03), late=0.01, lateness=(0.5, 2.5))


@dataclass(frozen=True)
class Wanted:
    content: bytes
    mode: Mode
    offer: Options
    pieces: int


def wanted(rng: random.Random) -> Wanted:
    """A file and a way to ask for it; the edges more often than chance would have them."""
    blksize = rng.choice([8, 9, 511, 512, 513, 1024, 1428, *(rng.randint(8, 1428) for _ in range(7))])
    windowsize = rng.choice([1, 1, 2, 3, 4, 8, 16, rng.randint(1, 16)])
    size = rng.choice(
        [
            rng.choice([0, 1, blksize - 1, blksize, blksize + 1, 65535, 65536]),
            rng.randrange(1, 65536 // blksize) * blksize + rng.choice([-1, 0, 1]),
            rng.randrange(65536 // blksize // windowsize) * blksize * windowsize,
            rng.randrange(65536),
            rng.randrange(8192),
        ]
    )
    mode = rng.choice([Mode.OCTET, Mode.OCTET, Mode.OCTET, Mode.NETASCII])
    content = rng.randbytes(size) if mode is Mode.OCTET else bytes(rng.choices(b"\r\n\0a", k=size))
    options = (*offer(blksize, windowsize), ("tsize", "0"))
    offered = rng.choice([options, options, options, options[:1], ()])
    return Wanted(content, mode, offered, pieces=rng.choice([1, 1, 4]))


def offer(blksize: int, windowsize: int) -> Options:
    return (("blksize", str(blksize)), ("windowsize", str(windowsize)))


@pytest.mark.parametrize("seed", range(TRANSFERS // BATCH))
def test_every_file_arrives_whole(seed: int) -> None:
    rng = random.Random(seed)
    for number in range(BATCH):
        want = wanted(rng)
        case = f"{number}: {len(want.content)} bytes, {want.mode}, {want.offer}, {want.pieces} pieces"
        link = Link(rng, BAD)
        server = Server(link, want.content, want.pieces)
        tries = fetch(link, want.mode, want.offer)
        ends = [attempt.outcome.end for attempt in tries if attempt.outcome is not None]
        assert ends == [Got.SILENT] * (len(tries) - 1) + [Got.COMPLETE], case
        *parts, whole = [attempt.take() for attempt in tries]
        assert whole == want.content, case
        assert all(want.content.startswith(part) for part in parts), case
        for client, sender in server.transfers:
            assert sender.outcome is not None, case
            assert sender.outcome.end in (End.COMPLETE, End.UNACKNOWLEDGED_END, End.SILENT), case
            if sender.outcome.end is End.COMPLETE:
                assert is_complete(tries[client - FIRST_CLIENT]), case


@pytest.mark.parametrize("windowsize", [1, 4])
@pytest.mark.parametrize("size", [40, 63])
def test_any_one_datagram_lost_costs_at_most_one_timeout(size: int, windowsize: int) -> None:
    """RRQ, OACK, ACK 0, DATA 1, ... each in its turn; the last ACK is missed by the server alone."""
    content = bytes(range(size))
    good = Link(random.Random(0))
    Server(good, content)
    fetch(good, Mode.OCTET, offer(8, windowsize))
    for victim in good.seen:
        link = Link(random.Random(0), Faults(lost=victim.__eq__))
        server = Server(link, content)
        tries = fetch(link, Mode.OCTET, offer(8, windowsize))
        assert [attempt.take() for attempt in tries] == [content], victim
        assert is_complete(tries[0]), victim
        assert link.seen != good.seen
        ((_, sender),) = server.transfers
        assert sender.outcome is not None
        if victim is good.seen[-1]:
            assert sender.outcome.end is End.UNACKNOWLEDGED_END
        else:
            assert sender.outcome.end is End.COMPLETE
            assert link.seen[-1].at < good.seen[-1].at + 1.1, victim


def data_of(link: Link) -> list[int]:
    """The blocks of the DATA that was sent."""
    packets = [decode(seen.datagram) for seen in link.seen]
    return [packet.block for packet in packets if isinstance(packet, Data)]


@pytest.mark.parametrize("size", [0, 511, 512, 513, 65536])
@pytest.mark.parametrize(
    ("windowsize", "faults"),
    [
        (1, Faults()),
        (1, Faults(doubled=1)),
        (1, Faults(doubled=1, delay=(0.001, 0.03))),
        (4, Faults()),
        (4, Faults(doubled=1)),
        (16, Faults(doubled=1)),
    ],
)
def test_each_block_goes_out_once_where_nothing_is_lost(size: int, windowsize: int, faults: Faults) -> None:
    """No Sorcerer's Apprentice: an ACK that comes twice is not answered twice (RFC 1123 section 4.2.3.1)."""
    content = random.Random(size).randbytes(size)
    link = Link(random.Random(0), faults)
    server = Server(link, content)
    tries = fetch(link, Mode.OCTET, offer(512, windowsize))
    assert [attempt.take() for attempt in tries] == [content]
    assert data_of(link) == list(range(1, size // 512 + 2))
    ((_, sender),) = server.transfers
    assert sender.outcome is not None
    assert sender.outcome.end is End.COMPLETE
    assert sender.tally.retransmits == 0


def test_a_block_goes_out_at_most_a_window_of_times_where_nothing_is_lost() -> None:
    """The datagrams of a window overtake each other: each ACK that names a gap sends a window again."""
    content = random.Random(0).randbytes(65536)
    link = Link(random.Random(0), Faults(delay=(0.001, 0.03)))
    Server(link, content)
    tries = fetch(link, Mode.OCTET, offer(512, 16))
    assert [attempt.take() for attempt in tries] == [content]
    blocks = data_of(link)
    assert 1 < max(blocks.count(block) for block in set(blocks)) <= 16


def pauses(link: Link, source: int) -> list[float]:
    """The seconds between the last packet of one side and each of its repetitions."""
    sent = [seen for seen in link.seen if seen.source == source]
    times = [seen.at for seen in sent if seen.datagram == sent[-1].datagram]
    return [round(after - before, 6) for before, after in pairwise(times)]


def test_repetitions_back_off() -> None:
    link = Link(random.Random(0), Faults(lost=lambda seen: seen.at > 0.05))
    server = Server(link, bytes(65536))
    first = fetch(link, Mode.OCTET, ())[0]
    assert pauses(link, FIRST_TID) == [1, 2, 4, 8, 8]
    assert pauses(link, FIRST_CLIENT) == [1, 2, 4, 8, 8]
    assert first.outcome is not None
    assert first.outcome.end is Got.SILENT
    ((_, sender),) = server.transfers
    assert sender.outcome is not None
    assert sender.outcome.end is End.SILENT
    assert sender.acknowledged > 0


def test_a_request_that_is_repeated_after_its_transfer_was_given_up_starts_a_new_one() -> None:
    link = Link(random.Random(0), Faults(lost=lambda seen: seen.source == FIRST_TID))
    server = Server(link, b"content")
    tries = fetch(link, Mode.OCTET, ())
    assert [attempt.take() for attempt in tries] == [b"content"]
    ends = [sender.outcome.end for _, sender in server.transfers if sender.outcome is not None]
    assert ends == [End.SILENT, End.COMPLETE]
    assert {client for client, _ in server.transfers} == {FIRST_CLIENT}


def test_a_client_that_got_silence_starts_again() -> None:
    link = Link(random.Random(0), Faults(lost=lambda seen: seen.at < 40))
    Server(link, b"content")
    tries = fetch(link, Mode.OCTET, ())
    ends = [attempt.outcome.end for attempt in tries if attempt.outcome is not None]
    assert ends == [Got.SILENT, Got.COMPLETE]
    assert tries[-1].take() == b"content"


def test_little_goes_to_one_that_never_answers() -> None:
    """A forged request, repeated: the OACK three times, with pauses, and nothing else."""
    request = b"\0\1file\0octet\0blksize\x001428\0windowsize\x0016\0"
    link = Link(random.Random(0))
    server = Server(link, bytes(65536))
    link.send(FIRST_CLIENT, SERVER, [request] * 50)
    link.run()
    assert len(server.transfers) == 1
    answers = [seen for seen in link.seen if seen.source != FIRST_CLIENT]
    assert [round(seen.at, 6) for seen in answers] == [0.005, 1.005, 3.005]
    assert {seen.datagram for seen in answers} == {b"\0\6blksize\x001428\0windowsize\x0016\0"}
