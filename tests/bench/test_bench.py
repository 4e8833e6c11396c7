"""The bench itself: what it counts is what happened."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.bench import build, report, servers
from tests.bench.goals import goals
from tests.bench.load import Figures, Load, run
from tests.bench.measure import Measure, measure
from tests.bench.report import Report
from tests.bench.rounds import Outcome
from tests.bench.running import NOWHERE, start
from tests.bench.servers import Ground
from tests.bench.soak import Soak
from tests.bench.storm import Storm
from tests.bench.summary import summarise
from tests.bench.upstream import ideal
from tests.netns import files
from tests.serve.proxy import free_port

SIZE = 8192
SHORT = 0.5  # s
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("bench")
    return Ground(build.build(folder), folder, folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    files.write(root, "some.bin", SIZE)
    files.write(root, "long.bin", 300 * 1428)
    return root


def _load(root: Path, *phones: str, **wanted: Any) -> Load:
    """Clients for a short time; `some.bin` is file 0, `long.bin` file 1."""
    plan = root.parent / "plan"
    known = [f"file {root / name}" for name in ("some.bin", "long.bin")]
    plan.write_text("\n".join([*known, *phones, ""]))
    return replace(Load(plan, SHORT, clients=20), **wanted)


@pytest.mark.root
@pytest.mark.parametrize("windowsize", [1, 4, 16, 100])
@pytest.mark.parametrize("blksize", [512, 1428, 60000])
def test_every_byte_is_there(ground: Ground, root: Path, blksize: int, windowsize: int) -> None:
    wanted = _load(root, "phone tftp some.bin=0 long.bin=1", blksize=blksize, windowsize=windowsize)
    with servers.limit(ground, root) as running:
        counted = measure(ground.tools, running, wanted)
    figures = counted.figures
    assert figures.boots > 10
    assert (figures.failed, figures.retries) == (0, 0)
    each = (SIZE + 300 * 1428) / 2
    assert abs(figures.bytes - figures.transfers * each) <= 20 * 2 * each  # those that still ran
    assert counted.cpu_s is not None
    assert 0 < counted.cpu_s < 2 * SHORT
    assert counted.rss_bytes > SIZE


@pytest.mark.root
@pytest.mark.parametrize("offset", [0, 4000, SIZE - 1])
def test_a_wrong_byte_is_found(ground: Ground, root: Path, offset: int) -> None:
    port = free_port()
    argv = [str(ground.tools.limit), "--spoil", str(offset), HOST, str(port), str(root / "some.bin")]
    wanted = _load(root, "phone tftp some.bin=0 absent.bin=-")
    with start("spoilt", argv, ground.folder, 0, tftp=(HOST, port)) as running:
        figures = run(ground.tools.loadgen, wanted, running.tftp, running.http)
    assert figures.wrong > 10
    assert figures.missing > 10
    assert figures.transfers == 0


@pytest.mark.root
def test_what_must_not_be_there_is(ground: Ground, root: Path) -> None:
    wanted = _load(root, "phone tftp some.bin=-", "phone tftp absent.bin=0")
    with servers.limit(ground, root) as running:
        figures = run(ground.tools.loadgen, wanted, running.tftp, running.http)
    assert figures.refused > 10
    assert figures.refused == figures.failed == figures.boots


@pytest.mark.root
def test_silence_is_counted(ground: Ground, root: Path) -> None:
    wanted = _load(root, "phone tftp some.bin=0", seconds=1.5)
    figures = run(ground.tools.loadgen, wanted, (HOST, free_port()), NOWHERE)
    assert (figures.retries, figures.transfers) == (20, 0)


@pytest.mark.root
def test_at_a_rate(ground: Ground, root: Path) -> None:
    told: list[Figures] = []
    some = ["phone tftp some.bin=0", "phone tftp long.bin=1"]
    wanted = _load(root, *some, seconds=5.0, rate=100.0, phones=80, report=0.2, phone_address=True)
    with servers.limit(ground, root) as running:
        told.append(run(ground.tools.loadgen, wanted, running.tftp, running.http, report=told.append))
    assert sum(figures.boots for figures in told) == 80
    assert 0.7 < sum(figures.seconds for figures in told) < 1.5
    assert len(told) >= 3


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass


class Web(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients go in the middle of an answer as their time is over


@pytest.fixture
def web(root: Path) -> Iterator[tuple[str, int]]:
    with Web((HOST, 0), partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield HOST, server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.root
@pytest.mark.parametrize("keep_alive", [True, False])
def test_http(ground: Ground, root: Path, web: tuple[str, int], keep_alive: bool) -> None:
    wanted = _load(root, "phone http some.bin=0 absent.bin=-", clients=4, keep_alive=keep_alive)
    figures = run(ground.tools.loadgen, wanted, NOWHERE, web)
    assert figures.transfers > 4
    assert figures.missing > 4
    assert (figures.failed, figures.retries) == (0, 0)


@pytest.mark.root
def test_http_that_is_wrong(ground: Ground, root: Path, web: tuple[str, int]) -> None:
    files.write(root, "other.bin", SIZE)
    wanted = _load(root, "phone http other.bin=0 long.bin=0 some.bin=-", clients=4, keep_alive=True)
    figures = run(ground.tools.loadgen, wanted, NOWHERE, web)
    assert figures.wrong > 4
    assert figures.refused > 4
    assert figures.transfers == 0


TIMES = {"p50": 0.1, "p90": 0.2, "p99": 0.3, "max": 0.4}
STORM = Storm(10, 6.0, 0, 0, 1, 149.0, 100.0, 111.0, 3.0, 4.0, (70, 30), (70, 30))
SOAK = Soak(15.0, 600.0, 0, 0, (50.0,) * 9, (40,) * 8 + (60,), 0.2, 21.0, 30.0, 0, 4.0)


def _measured(transfers: int, cpu_s: float = 1.0) -> Measure:
    figures = Figures(2.0, 1.0, 0, transfers, 0, 0, 0, 0, 0, 0, 0, TIMES, TIMES)
    return Measure(figures, cpu_s, 10_000_000)


def _report(own: int) -> Report:
    rounds: dict[str, list[Outcome]] = {
        "limit": [_measured(1000)],
        "dnsmasq": [_measured(500, 0.5), _measured(700, 0.7), _measured(600, 0.6)],
        "atftpd": ["select() ends"],
        "proxy": [_measured(own, 1.0)],
    }
    machine = {"cores": 2, "cpu": "some", "kernel": "6", "python": "3", "gevent": "26", "peers": {"x": "1"}}
    measured = {"rows": "commit a", "boots": "commit b", "soak": "commit c"}
    return Report(machine, measured, 3, summarise({"storm-500": rounds}), STORM, SOAK)


@pytest.mark.parametrize("own", [900, 899, 834, 833, 750, 749])
def test_goals(own: int) -> None:
    found = {goal.text: goal for goal in goals(_report(own).table, None, None)}
    peer, limit = found["storm-500, part of dnsmasq"], found["storm-500, part of the limit"]
    assert (peer.value, limit.value) == (own / 600, own / 1000)
    assert [peer.reached, limit.reached] == [own >= 900, own >= 750]
    cost = found["storm-500, CPU a transfer, part of dnsmasq's"]
    assert cost.value == pytest.approx(1000 / own)
    assert cost.reached == (own >= 834)
    assert found["storm-500, retries"].reached


def test_goals_of_the_long_runs() -> None:
    found = {goal.text: goal.reached for goal in goals({}, STORM, SOAK)}
    assert found == {
        "boot storm, files lost": True,
        "boot storm, peak memory in MB": True,
        "boot storm, memory after the second, part of after the first": False,
        "soak, files lost": True,
        "soak, memory at the end, part of at the start": True,
        "soak, descriptors at the end, part of at the start": True,
        "soak, loop lag p99 in ms": False,
    }


def test_what_is_kept_is_read_again() -> None:
    text = report.to_json(_report(900))
    assert report.to_json(report.from_json(text)) == text


def test_the_table() -> None:
    lines = report.to_text(_report(900)).splitlines()
    row = next(line for line in lines if line.startswith("| proxy"))
    assert [cell.strip() for cell in row.split("|")[2:5]] == ["450", "1.50", "0.90"]
    assert any(line.startswith("| atftpd") and "select() ends" in line for line in lines)


@pytest.mark.parametrize(
    ("boots", "alive", "known", "requests"),
    [
        (1, "abc", False, 7 + 9),
        (10, "abc", False, 70 + 9),
        (10, "ab", False, 50 + 6),
        (10, "abc", True, 30 + 9),
    ],
)
def test_ideal(boots: int, alive: str, known: bool, requests: int) -> None:
    assert ideal(boots, alive, known) == requests
