"""What is asked of a cluster over TFTP, and what its answers mean; all through a fetch."""

from __future__ import annotations

import pytest

from appliance.cluster import upstream_tftp
from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.body import Broken
from appliance.cluster.fetch import Fetch
from appliance.cluster.upstream import SILENCE_MAX
from appliance.config.model import Protocol
from appliance.tftp.timing import Patience
from tests.cluster.world import ONE, World, until

FILE = b"<device/>" * 1000
HAS = Found(None, ONE, "tftp")


def error(code: int, text: bytes) -> bytes:
    return b"\0\5" + code.to_bytes(2, "big") + text + b"\0"


@pytest.mark.parametrize("body", [b"", b"x", FILE, b"x" * 512, b"x" * 1024])
def test_a_file(world: World, body: bytes) -> None:
    server = world.tftp({"x": body})
    cluster = world.cluster(protocol=Protocol.TFTP)
    assert world.ask(cluster) == (HAS, body)
    assert server.asked == ["x"]
    assert (world.health(cluster).answers, world.health(cluster).failures) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error(1, b"File not found"), Missing(ONE, "tftp")),
        (error(1, b""), Missing(ONE, "tftp")),
        (error(0, b"busy"), Failed(f"{ONE}: TFTP error 0: busy")),
        (error(2, b"Access violation"), Failed(f"{ONE}: TFTP error 2: Access violation")),
        (error(99, b"\x1b[2J\n\xff"), Failed(f"{ONE}: TFTP error 99: \x1b[2J\n\ufffd")),
        (error(2, b"x" * 200), Failed(f"{ONE}: TFTP error 2: {'x' * 80}\u2026")),
    ],
)
def test_an_error(world: World, answer: bytes, said: Answer) -> None:
    """Its text goes on as it came: who shows it escapes it, once."""
    world.tftp(answer=answer)
    cluster = world.cluster(protocol=Protocol.TFTP)
    assert world.ask(cluster)[0] == said
    assert (world.health(cluster).answers, world.health(cluster).failures) == (1, 0)


def test_a_server_that_refuses_options_is_asked_without(world: World) -> None:
    server = world.tftp({"x": FILE}, plain=True)
    assert world.ask(world.cluster(protocol=Protocol.TFTP)) == (HAS, FILE)
    assert server.asked == ["x", "x"]


def test_a_server_that_accepts_what_nobody_offered(world: World) -> None:
    server = world.tftp(answer=b"\0\6blksize\0" + b"9999\0")
    said, _ = world.ask(world.cluster(protocol=Protocol.TFTP))
    assert said == Failed(f"{ONE}: TFTP options not agreed")
    assert server.asked == ["x", "x"]


@pytest.mark.parametrize("answer", [b"", b"\0\3", b"\xff\xff\xff\xff", b"junk"])
def test_silence(world: World, answer: bytes) -> None:
    """What is no TFTP is as good as silence."""
    server = world.tftp(answer=answer)
    cluster = world.cluster(protocol=Protocol.TFTP)
    said, _ = world.ask(cluster)
    assert said == Failed(f"{ONE}: no TFTP answer: server silent")
    assert answer or server.asked == ["x", "x", "x"]  # TIMING: two repetitions
    assert (world.health(cluster).answers, world.health(cluster).failures) == (0, 1)


def test_nobody_listens(world: World) -> None:
    said, _ = world.ask(world.cluster(protocol=Protocol.TFTP))
    assert said == Failed(f"{ONE}: no TFTP answer: Connection refused")


def test_it_gives_up_as_early_as_http() -> None:
    patience = Patience(upstream_tftp.TIMING, 0.0)
    patience.confirmed = True
    patience.sent(0.0)
    repeated = []
    while patience.deadline is not None:
        now = patience.deadline
        if patience.repeat(now):
            repeated.append(now)
    assert (repeated, now) == ([0.5, 1.5, 2.5], SILENCE_MAX)


def begun(world: World) -> Fetch:
    """A fetch of which the first block has come."""
    fetch = world.fetches.start(world.cluster(protocol=Protocol.TFTP), "x")
    fetch.answered.wait()
    assert fetch.body.read(0, 100) == b"y" * 100
    return fetch


def test_one_that_falls_silent(world: World) -> None:
    server = world.tftp({"x": b"y" * 10_000_000})
    fetch = begun(world)
    server.close()
    with pytest.raises(Broken, match=r"the transfer failed: (server silent|no TFTP answer)"):
        fetch.body.wait_whole()
    world.fetches.leave(fetch)


def test_one_that_is_larger_than_the_cache(world: World) -> None:
    world.room.memory = world.room.disk = 100_000
    world.tftp({"x": b"y" * 200_000})
    fetch = begun(world)
    with pytest.raises(Broken, match=r"no room|larger"):
        fetch.body.wait_whole()
    world.fetches.leave(fetch)


def test_the_server_is_told_when_nobody_wants_the_file_any_more(world: World) -> None:
    server = world.tftp({"x": b"y" * 10_000_000})
    fetch = begun(world)
    assert server.open == 1
    world.fetches.leave(fetch)
    until(lambda: server.open == 0)


def test_a_name_goes_out_as_it_was_spelled(world: World) -> None:
    name = "/Communicator\\Gr\u00fc\u00dfe.xml"
    server = world.tftp({name: FILE})
    assert world.ask(world.cluster(protocol=Protocol.TFTP), name) == (HAS, FILE)
    assert server.asked == [name]
