"""One address that stops answering: what is still sent there, and how it comes back."""

from __future__ import annotations

import time
from ipaddress import ip_address

import gevent
import pytest
from gevent import socket

from appliance.cluster import clients, connections, health, upstream_http
from appliance.cluster.answer import Failed, Found, Missing
from appliance.cluster.breaker import State
from appliance.cluster.upstream import Opened, Refused, Unasked, Unconnected, Unreachable
from appliance.config.model import Cluster, Protocol
from tests.cluster.answers import FILE, has, has_not, silent
from tests.cluster.servers import HANG_UP, Answer, reply
from tests.cluster.world import ONE, TWO, World, until

AUTO, HTTP, TFTP = Protocol.AUTO, Protocol.HTTP, Protocol.TFTP


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes are sent at once and again and again."""
    monkeypatch.setattr(health, "PROBE_EVERY", 0.03)


def closing(status: int) -> Answer:
    """An answer after which the next request needs a fresh connection."""
    return lambda asked: [reply(status, FILE, "Connection: close"), HANG_UP]


def states(world: World, cluster: Cluster, address: str = ONE) -> list[State]:
    return [breaker.state for breaker in world.health(cluster, address).breakers.values()]


def test_after_a_refused_connection_nothing_is_sent(world: World) -> None:
    cluster = world.cluster()
    assert world.ask(cluster)[0] == Failed(f"{ONE}: no HTTP connection: Connection refused")
    server = world.http(has)
    said, _ = world.ask(cluster)
    assert said == Failed(f"{ONE}: known not to answer for 0 s; asked again every 5 s")
    assert server.asked == []
    assert states(world, cluster) == [State.OPEN]


def test_a_connection_that_does_not_come_about(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.1)
    world.black_hole()
    cluster = world.cluster()
    started = time.monotonic()
    assert world.ask(cluster)[0] == Failed(f"{ONE}: no HTTP connection: timed out")
    assert 0.09 < time.monotonic() - started < 1
    assert states(world, cluster) == [State.OPEN]
    said, _ = world.ask(cluster)
    assert isinstance(said, Failed)
    assert "known not to answer" in said.why
    assert world.clients.silent(cluster) is not None


def test_two_silences_in_a_row(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_http, "HEAD_TIMEOUT", 0.05)
    answers = [silent, closing(200), silent, silent, has]
    server = world.http(lambda asked: answers.pop(0)(asked))
    cluster = world.cluster()
    told = []
    for _ in range(5):
        said, _ = world.ask(cluster)
        told.append((type(said), world.health(cluster).breakers[HTTP].open))
    assert told == [(Failed, False), (Found, False), (Failed, False), (Failed, True), (Failed, True)]
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_any_status_is_life(world: World, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(upstream_http, "HEAD_TIMEOUT", 0.05)
    answers = [silent, closing(status), silent]
    world.http(lambda asked: answers.pop(0)(asked))
    monkeypatch.setattr(upstream_http, "BUSY_PAUSES", ())
    cluster = world.cluster()
    for _ in range(3):
        world.ask(cluster)
    assert states(world, cluster) == [State.CLOSED]


def test_one_that_was_given_up_after_a_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second who gives up has waited long enough to tell."""
    monkeypatch.setattr(clients, "SILENCE", 0.05)
    server = world.http(silent)
    cluster = world.cluster()
    for count, (patience, state) in enumerate(
        [(0.0, State.NEVER_ASKED), (0.06, State.CLOSED), (0.06, State.OPEN)], 1
    ):
        fetch = world.fetches.start(cluster, "x")
        until(lambda count=count: len(server.asked) == count)  # type: ignore[misc]
        gevent.sleep(patience)
        world.fetches.leave(fetch)
        until(lambda fetch=fetch: fetch.finished)  # type: ignore[misc]
        until(lambda state=state: states(world, cluster) == [state])  # type: ignore[misc]


@pytest.mark.usefixtures("eager")
def test_a_probe_that_is_answered_brings_it_back(world: World) -> None:
    cluster = world.cluster(ONE, TWO)
    second = world.http(has, TWO)
    assert world.ask(cluster)[0] == Found(len(FILE), TWO, "http")
    first = world.http(has_not, ONE)
    until(lambda: states(world, cluster) == [State.CLOSED])
    assert [asked.line for asked in first.asked] == ["GET /none HTTP/1.1"]
    assert world.clients.silent(cluster) is None
    assert world.ask(cluster)[0] == Missing(ONE, "http")  # the preferred one is asked first again
    assert len(second.asked) == 1
    until(lambda: not len(world.clients.prober))
    assert len(first.asked) == 2


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_whatever_a_probe_is_answered_with(world: World, status: int) -> None:
    cluster = world.cluster()
    world.ask(cluster)
    server = world.http(lambda asked: [reply(status, FILE)])
    until(lambda: states(world, cluster) == [State.CLOSED])
    assert len(server.asked) == 1


@pytest.mark.usefixtures("eager")
def test_a_probe_over_tftp(world: World) -> None:
    cluster = world.cluster(protocol=TFTP)
    assert world.ask(cluster)[0] == Failed(f"{ONE}: no TFTP answer: Connection refused")
    server = world.tftp(answer=b"\0\5\0\1no such file\0")
    until(lambda: states(world, cluster) == [State.CLOSED])
    assert server.asked == ["none"]


@pytest.mark.usefixtures("eager")
def test_http_is_left_alone_while_tftp_answers(world: World) -> None:
    tftp, cluster = world.tftp({"x": FILE}), world.cluster(protocol=AUTO)
    assert world.ask(cluster)[0] == Found(None, ONE, "tftp")
    http = world.http(has)
    gevent.sleep(0.15)
    assert http.asked == []
    tftp.close()
    world.ask(cluster)
    until(lambda: states(world, cluster)[0] is State.CLOSED)
    assert world.ask(cluster)[0] == Found(len(FILE), ONE, "http")


@pytest.mark.usefixtures("eager")
def test_a_cluster_that_is_dropped_is_not_probed(world: World) -> None:
    cluster, other = world.cluster(), world.cluster(TWO, name="west")
    world.ask(cluster)
    world.ask(other)
    assert len(world.clients.prober) == 2
    world.fetches.drop("east")
    assert len(world.clients.prober) == 1
    assert states(world, cluster) == [State.NEVER_ASKED]
    server = world.http(has)
    world.http(has, TWO)
    until(lambda: states(world, other, TWO) == [State.CLOSED])
    assert server.asked == []


def test_those_in_the_queue_are_not_sent_to_the_dead(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 2)
    monkeypatch.setattr(upstream_http, "HEAD_TIMEOUT", 0.1)
    server = world.http(silent)
    cluster = world.cluster()
    asking = [gevent.spawn(world.ask, cluster, f"x{number}") for number in range(10)]
    gevent.joinall(asking)
    assert len(server.asked) == 2
    told = sorted(str(greenlet.get()[0]) for greenlet in asking)
    assert (
        told
        == [repr(Failed(f"{ONE}: found silent by another request"))] * 8
        + [repr(Failed(f"{ONE}: no HTTP answer: timed out"))] * 2
    )
    assert world.health(cluster).failures == 2


def test_a_fault_of_this_box_says_nothing_of_the_address(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", none_left)
    cluster = world.cluster(protocol=AUTO)
    why = f"{ONE}: no HTTP connection: Too many open files, no TFTP socket: Too many open files"
    assert world.ask(cluster)[0] == Failed(why)
    assert states(world, cluster) == [State.NEVER_ASKED] * 2


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (Refused("x"), State.CLOSED),
        (Unreachable("x"), State.CLOSED),
        (Unconnected("x"), State.OPEN),
        (Unasked("x"), State.NEVER_ASKED),
    ],
)
def test_what_each_fault_does(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception, state: State
) -> None:
    def fails(*_: object) -> Opened:
        raise fault

    monkeypatch.setattr(world.clients, "open", fails)
    cluster = world.cluster()
    assert world.ask(cluster)[0] == Failed(f"{ONE}: x")
    assert states(world, cluster) == [state]


def test_a_kept_connection_to_one_that_died(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its silence counts for nothing; that of the fresh one does."""
    monkeypatch.setattr(upstream_http, "HEAD_TIMEOUT", 0.05)
    answers = [has, silent, silent]
    server = world.http(lambda asked: answers.pop(0)(asked))
    cluster = world.cluster()
    world.ask(cluster)
    assert world.ask(cluster)[0] == Failed(f"{ONE}: no HTTP answer: timed out")
    assert [asked.connection for asked in server.asked] == [0, 0, 1]
    assert world.health(cluster).failures == 1


def test_the_latency_is_that_of_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the pauses of one that was busy before."""
    monkeypatch.setattr(upstream_http, "BUSY_PAUSES", (0.5,))
    statuses = [503, 200]
    world.http(lambda asked: [reply(statuses.pop(0), FILE)])
    cluster = world.cluster()
    assert world.ask(cluster)[0] == Found(len(FILE), ONE, "http")
    latency = world.health(cluster).latency_ms
    assert latency is not None
    assert latency < 400


def test_stopped_clients_probe_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_EVERY", 0.0)
    cluster = world.cluster()
    world.ask(cluster)
    world.clients.stop()
    server = world.http(has)
    gevent.sleep(0.05)
    assert server.asked == []
    world.clients.prober.watch(world.clients.upstreams(cluster)[0])
    gevent.sleep(0.05)
    assert server.asked == []


def test_a_cluster_of_another_protocol_is_known_anew(world: World) -> None:
    world.ask(world.cluster())
    cluster = world.cluster(protocol=AUTO)
    assert world.clients.health(cluster, ip_address(ONE)).protocols() == (HTTP, TFTP)


@pytest.mark.parametrize("via", ["", "1.0 squid, 1.1 appliance-fedcba9876543210"])
@pytest.mark.parametrize("status", [200, 404])
def test_what_the_answer_came_through(status: int, via: str, world: World) -> None:
    fields = [f"Via: {via}"] if via else []
    world.http(lambda asked: [reply(status, FILE, *fields)])
    said, _ = world.ask(world.cluster())
    wanted = {200: Found(len(FILE), ONE, "http", via=via), 404: Missing(ONE, "http", via)}
    assert said == wanted[status]


def test_one_that_loops_is_asked_by_probes_alone(world: World) -> None:
    server = world.http(has)
    cluster = world.cluster()
    world.health(cluster).loops = True
    assert world.ask(cluster)[0] == Failed("no address in use")
    assert (world.clients.in_use(cluster), server.asked) == ([], [])
    (upstream,) = world.clients.probed(cluster)
    assert world.clients.probe(upstream, HTTP) == "none"
    world.health(cluster).out_of_use = "an address of this box itself"
    assert world.clients.probed(cluster) == []
    assert world.clients.probe(upstream, HTTP) is None
    assert len(server.asked) == 1
