"""Several workers: phones see one proxy, clusters see one proxy, and one that dies is not missed for long."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.netns.process import run, wait_for
from tests.serve.browser import Browser, get
from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, Refused, ack, data, fetch
from tests.serve.proxy import Proxy, Settings
from tests.serve.site import addresses, fetch_all
from tests.serve.upstreams import Asked, HttpUpstream, ask_http, ask_tftp, head, whole

FILE = random.Random(61).randbytes(8192)
SMALL = random.Random(62).randbytes(5000)
LARGE = random.Random(63).randbytes(3 << 20)
IMAGE = "sip88xx.12-5-1.sbn"
TWO: Settings = {"tftp": {"workers": 2}}
MANY = 200
SOURCES = [f"127.8.0.{number}" for number in range(1, 21)]
"""So many addresses that each worker has some of them."""


class Cluster(HttpUpstream):
    """Gives LARGE as the image and SMALL as all else, and knows how often it sent the same at one time."""

    def __init__(self) -> None:
        super().__init__(self._give)
        self.at_once: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.pause = 0.0  # s in the middle of each body
        self._counting = threading.Lock()

    def _give(self, wire: socket.socket, asked: Asked) -> None:
        with self._counting:
            self.at_once[asked.name] += 1
            self.most[asked.name] = max(self.most[asked.name], self.at_once[asked.name])
        try:
            answer = whole(LARGE if asked.name == IMAGE else SMALL)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.sendall(answer[:2000])
            time.sleep(self.pause)
            wire.sendall(answer[2000:])
        finally:
            with self._counting:
                self.at_once[asked.name] -= 1


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


def workers(proxy: Proxy) -> list[Any]:
    """Their rows in the status."""
    return list(proxy.status()["workers"])


def answering(proxy: Proxy) -> bool:
    return all(each["answering"] for each in workers(proxy))


def pids(proxy: Proxy) -> list[int]:
    wait_for(lambda: answering(proxy), "all answer")
    return [each["pid"] for each in workers(proxy)]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def source_of(proxy: Proxy, number: int) -> str:
    """An address whose requests come to this worker."""
    for source in SOURCES:
        before = workers(proxy)[number]["requests"]
        fetch(proxy.tftp, "file.bin", source=source)
        if workers(proxy)[number]["requests"] > before:
            return source
    raise AssertionError("no address comes to this worker")


def patiently(ask: Callable[[], bytes], patience: float = 15.0) -> bytes:
    """As a phone does, which begins anew where an answer breaks off."""
    until = time.monotonic() + patience
    while True:
        try:
            return ask()
        except (OSError, AssertionError, Refused, IndexError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def test_phones_get_whole_files_and_clusters_are_asked_once(start: StartProxy, cluster: Cluster) -> None:
    """Over both transports, of the store and of a cluster, by phones of many addresses at once."""
    cluster.pause = 0.2
    proxy = start({**TWO, **cluster.settings()})
    proxy.write("file.bin", FILE)
    phones = addresses(MANY, 7)

    def http(name: str, source: str) -> bytes:
        return get(proxy.http, name, source=source).body

    with ThreadPoolExecutor(24) as pool:
        small = pool.submit(fetch_all, proxy.tftp, phones, "small.xml", SMALL)
        local = pool.submit(fetch_all, proxy.tftp, phones, "file.bin", FILE)
        large = [pool.submit(http, IMAGE, source) for source in phones[:40]]
        windows = ("blksize", "1428", "windowsize", "16")
        large += [pool.submit(fetch, proxy.tftp, IMAGE, *windows, source=source) for source in phones[:8]]
        bodies = [pool.submit(http, "small.xml", source) for source in phones]
        for figures in (small.result(), local.result()):
            assert (figures.whole, figures.wrong) == (MANY, 0)
        assert all(each.result() == LARGE for each in large)
        assert all(each.result() == SMALL for each in bodies)
    assert cluster.most == {"small.xml": 1, IMAGE: 1}
    assert cluster.names().count(IMAGE) == 1
    assert cluster.names().count("small.xml") <= 3  # kept for 2 s
    served = 3 * MANY + 48
    counters = proxy.counters()
    assert counters["results"] == {"served": served}
    assert counters["bytes_sent"] == MANY * (2 * len(SMALL) + len(FILE)) + 48 * len(LARGE)
    rows = workers(proxy)
    assert sum(each["requests"] for each in rows) == counters["requests_tftp"] + counters["requests_http"]
    assert min(each["requests"] for each in rows) > served / 5
    assert len(proxy.records(2000)) == served
    proxy.settle()


def test_they_tell_what_one_process_tells(start: StartProxy, cluster: Cluster) -> None:
    """Of the same requests the same records, but for times and ports."""
    told = []
    for settings in ({}, TWO):
        proxy = start({**settings, **cluster.settings()})
        proxy.write("file.bin", FILE)
        for number, source in enumerate(SOURCES[:4]):
            device = f"SEP00112233445{number}"
            for name in (f"CTL{device}.tlv", f"{device}.cnf.xml", f"{device}.cnf.xml.enc.sgn"):
                ask_http(proxy.http, name, source)
            for name in (f"RingList{number}.xml", "XMLDefault.cnf.xml", f"a\\b{number}", f"file{number}.bin"):
                ask_tftp(proxy.tftp, name, source)
            with contextlib.suppress(Refused):
                fetch(proxy.tftp, "../etc/passwd", source=source)
        records = proxy.records(100)
        assert len(records) == 32
        assert all(0 <= step["at_ms"] <= each["duration_ms"] for each in records for step in each["steps"])
        told.append(sorted(map(timeless, records)))
    assert told[0] == told[1]


def timeless(record: dict[str, Any]) -> str:
    """A record without what differs each time: times, and which of the clusters' answers were waited for."""
    steps = [step["text"] for step in record["steps"] if not step["text"].startswith("east: ")]
    return repr({**record, "time": "", "duration_ms": 0, "steps": steps})


def test_what_one_learns_the_other_knows(start: StartProxy, cluster: Cluster) -> None:
    """A home is one, whichever worker the device asks."""
    proxy = start({**TWO, **cluster.settings()})
    proxy.write("file.bin", FILE)
    first, second = source_of(proxy, 0), source_of(proxy, 1)
    assert ask_http(proxy.http, "SEP001122334455.cnf.xml", first) == SMALL
    assert ask_http(proxy.http, "SEP001122334455.cnf.xml", second) == SMALL
    (record,) = proxy.ask("records", last=1, client=second, name="SEP001122334455")
    assert "home is east" in [step["text"] for step in record["steps"]]


def test_requests_of_one_address_come_to_one_worker(start: StartProxy) -> None:
    """So that what one client may have is exact."""
    proxy = start({"tftp": {"workers": 4, "transfers_per_client_max": 5}})
    proxy.write("file.bin", FILE)
    with contextlib.ExitStack() as stack:
        phones = [stack.enter_context(Phone(proxy.tftp, "127.8.1.1")) for _ in range(8)]
        for phone in phones:
            phone.ask("file.bin")
        answers = [phone.receive() for phone in phones]
        assert answers.count(data(1, FILE[:512])) == 5
        assert proxy.transfers() == 5


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "::1"])
def test_addresses(listen: str, start: StartProxy) -> None:
    proxy = start(TWO, listen)
    proxy.write("file.bin", FILE)
    asked = "127.0.0.9" if listen == "0.0.0.0" else "::1"
    for _ in range(3):
        assert fetch((asked, proxy.tftp[1]), "file.bin") == FILE
        assert get((asked, proxy.http[1]), "file.bin").body == FILE


def test_one_is_killed(start: StartProxy, cluster: Cluster) -> None:
    """The others serve on, its phones go to them, and it is started again; the log and the status tell."""
    proxy = start({**TWO, **cluster.settings()})
    proxy.write("file.bin", FILE)
    before = pids(proxy)
    over = threading.Event()
    slowest: list[float] = []

    def phone(source: str) -> int:
        count = 0
        while not over.is_set():
            started = time.monotonic()
            name, body = [("file.bin", FILE), (f"{source}.xml", SMALL)][count % 2]
            assert patiently(lambda: fetch(proxy.tftp, name, source=source)) == body  # noqa: B023
            assert patiently(lambda: get(proxy.http, name, source=source).body) == body  # noqa: B023
            slowest.append(time.monotonic() - started)
            count += 1
        return count

    with ThreadPoolExecutor(len(SOURCES)) as pool:
        phones = [pool.submit(phone, source) for source in SOURCES]
        try:
            wait_for(lambda: len(slowest) > 40, "phones are served")
            os.kill(before[0], signal.SIGKILL)
            wait_for(lambda: workers(proxy)[0]["restarts"] == 1, "its end is known")
            wait_for(lambda: answering(proxy), "it is there again")
            enough = len(slowest) + 100
            wait_for(lambda: len(slowest) > enough, "phones are served again")
        finally:
            over.set()
        assert all(each.result() > 0 for each in phones)
    assert pids(proxy)[0] != before[0]
    assert pids(proxy)[1] == before[1]
    assert "killed by signal 9" in proxy.log()
    assert source_of(proxy, 0)
    print(f"{len(slowest)} rounds, the slowest {max(slowest):.2f} s")
    proxy.settle()


def test_status_as_text(start: StartProxy) -> None:
    """A row for each worker; one that does not run says why."""
    proxy = start(TWO)
    first, second = pids(proxy)
    os.kill(second, signal.SIGKILL)
    wait_for(lambda: workers(proxy)[1]["restarts"] == 1, "its end is known")
    argv = [sys.executable, "-m", "appliance", "status", "-c", str(proxy.configuration)]
    lines = run(argv, timeout=20).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("WORKER"))
    assert lines[at + 1].split() == ["0", str(first), "0", "0", "0", "0", "answers"]
    assert lines[at + 2].split()[0] == "1"


def test_one_dies_again_and_again(start: StartProxy) -> None:
    """It is started after longer and longer waits, and the other has its phones meanwhile."""
    proxy = start(TWO)
    proxy.write("file.bin", FILE)
    for restarts in range(1, 5):
        os.kill(pids(proxy)[1], signal.SIGKILL)
        wait_for(lambda: workers(proxy)[1]["restarts"] == restarts, "its end is known")  # noqa: B023
        assert workers(proxy)[1]["pid"] is None
        assert workers(proxy)[1]["why"] == "killed by signal 9"
        for source in SOURCES:
            assert fetch(proxy.tftp, "file.bin", source=source) == FILE


def test_one_hangs(start: StartProxy) -> None:
    """Nobody waits for it but its own phones, and these not for long; then it is ended by force."""
    proxy = start(TWO)
    proxy.write("file.bin", FILE)
    source, other = source_of(proxy, 0), source_of(proxy, 1)
    before = pids(proxy)
    os.kill(before[0], signal.SIGSTOP)
    started = time.monotonic()
    proxy.status()
    assert time.monotonic() - started < 2
    assert fetch(proxy.tftp, "file.bin", source=other) == FILE
    assert patiently(lambda: fetch(proxy.tftp, "file.bin", source=source)) == FILE
    assert pids_now(proxy)[0] == before[0]
    wait_for(lambda: workers(proxy)[0]["restarts"] == 1, "it is ended", timeout=20)
    wait_for(lambda: "worker hangs" in proxy.log(), "it is told")
    assert pids(proxy)[0] != before[0]


def pids_now(proxy: Proxy) -> list[int]:
    return [each["pid"] for each in workers(proxy)]


def test_reload(start: StartProxy, cluster: Cluster) -> None:
    """Workers go by the new configuration as well, those that are started later too."""
    proxy = start({"tftp": {"workers": 2, "windowsize_max": 64}, **cluster.settings()})
    proxy.write("file.bin", FILE)
    assert all(window(proxy, source) == "16" for source in SOURCES)
    text = proxy.configuration.read_text()
    proxy.configuration.write_text(text.replace("windowsize_max = 64", "windowsize_max = 4"))
    assert proxy.ask("reload")[0]["in_force"] is True
    assert all(window(proxy, source) == "4" for source in SOURCES)
    os.kill(pids(proxy)[0], signal.SIGKILL)
    wait_for(lambda: workers(proxy)[0]["restarts"] == 1, "its end is known")
    wait_for(lambda: answering(proxy), "it is there again")
    assert all(window(proxy, source) == "4" for source in SOURCES)


def test_a_large_configuration(start: StartProxy) -> None:
    """One that takes many messages is gone by as well."""
    networks = {f"10.{number // 250}.{number % 250}.0/24": "local" for number in range(6000)}
    proxy = start({**TWO, "networks": networks})
    proxy.write("file.bin", FILE)
    assert fetch(proxy.tftp, "file.bin") == FILE
    assert proxy.ask("reload")[0]["in_force"] is True
    assert answering(proxy)
    assert fetch(proxy.tftp, "file.bin") == FILE


def window(proxy: Proxy, source: str) -> str:
    """The windowsize that a phone is granted that asks for 16."""
    with Phone(proxy.tftp, source) as phone:
        phone.ask("file.bin", "windowsize", "16")
        answer = phone.receive()
        phone.send(b"\0\5\0\0enough\0")
        assert answer.startswith(b"\0\6windowsize\0"), answer
        return answer.split(b"\0")[2].decode()


def test_a_phone_that_goes_lets_the_fetch_go(start: StartProxy) -> None:
    """The cluster's connection ends when nobody wants the file any more."""
    over: list[bool] = []

    def slowly(wire: socket.socket, asked: Asked) -> None:
        wire.sendall(head("Content-Length: 100000000"))
        with contextlib.suppress(OSError):
            while True:
                wire.sendall(bytes(10_000))
                time.sleep(0.01)
        over.append(True)

    with HttpUpstream(slowly) as cluster:
        proxy = start({**TWO, **cluster.settings()})
        for _ in range(2):
            with Browser(proxy.http, SOURCES[0]) as browser:
                browser.send(b"GET /endless.bin HTTP/1.1\r\nHost:x\r\n\r\n")
                assert browser.wire.recv(1000)
                browser.reset()
        wait_for(lambda: over == [True] * len(cluster.asked), "the cluster is let go")
        proxy.settle()


@pytest.mark.parametrize("length", [1000, 2_000_000])
def test_what_breaks_off_is_never_taken_for_whole(length: int, start: StartProxy) -> None:
    def half(wire: socket.socket, asked: Asked) -> bool:
        wire.sendall(head(f"Content-Length: {2 * length}") + bytes(length))
        return False

    with HttpUpstream(half) as cluster:
        proxy = start({**TWO, **cluster.settings()})
        for source in SOURCES[:4]:
            assert ask_http(proxy.http, "half.xml", source) == 0
            assert ask_tftp(proxy.tftp, "half.xml", source) == 0
        assert {each["result"] for each in proxy.records(8)} == {"broken off"}
        proxy.settle()


def test_drain(cluster: Cluster) -> None:
    """What runs comes to its end, what is looked for still is, and nothing new begins."""
    cluster.pause = 1.0
    with Proxy({**TWO, **cluster.settings()}) as proxy:
        proxy.write("file.bin", FILE)
        before = pids(proxy)
        with Phone(proxy.tftp, SOURCES[0]) as phone, ThreadPoolExecutor(8) as pool:
            phone.ask("file.bin")
            assert phone.receive() == data(1, FILE[:512])
            bodies = [pool.submit(get, proxy.http, "late.xml", source=source) for source in SOURCES[:8]]
            wait_for(lambda: len(cluster.asked) == 1, "the cluster is asked")
            wait_for(lambda: proxy.status()["held"]["http_connections"] == 8, "all wait")
            proxy.terminate()
            wait_for(lambda: "draining" in proxy.log(), "it is about to end")
            wait_for(lambda: refused(proxy), "nothing new is taken")
            phone.send(ack(1))
            assert phone.finish(FILE[:512], 1) == FILE
            assert all(each.result().body == SMALL for each in bodies)
        wait_for(lambda: all(map(gone, before)), "all workers have ended")
        wait_for(lambda: gone(proxy.pid), "it has ended")
        assert "worker ended" not in proxy.log()
        assert proxy.log().count('"result": "served"') == 9
        assert proxy.stop() == 0


def refused(proxy: Proxy) -> bool:
    try:
        with socket.create_connection(proxy.http, 1):
            return False
    except ConnectionRefusedError:
        return True


def test_a_second_signal_ends_what_runs() -> None:
    with Proxy(TWO) as proxy:
        proxy.write("file.bin", FILE)
        before = pids(proxy)
        with Phone(proxy.tftp, SOURCES[0]) as phone:
            phone.ask("file.bin")
            assert phone.receive() == data(1, FILE[:512])
            phone.send(ack(1))
            assert phone.receive() == data(2, FILE[512:1024])
            proxy.terminate()
            wait_for(lambda: "draining" in proxy.log(), "it is about to end")
            started = time.monotonic()
            assert proxy.stop() == 0
            assert time.monotonic() - started < 3
            assert phone.receive()[:2] == b"\0\5"
        assert all(map(gone, before))


def test_signals_that_all_processes_get(start: StartProxy) -> None:
    """An interrupt from a terminal, or an init that ends all at once: workers go by their supervisor."""
    proxy = start(TWO)
    proxy.write("file.bin", FILE)
    before = pids(proxy)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        for pid in (*before, parent_of(before[0])):
            os.kill(pid, number)
    assert [fetch(proxy.tftp, "file.bin", source=source) for source in SOURCES] == [FILE] * len(SOURCES)
    assert pids(proxy) == before


def test_the_supervisor_is_killed() -> None:
    """Nothing of it stays, and the next one has the ports."""
    with Proxy(TWO) as proxy:
        proxy.write("file.bin", FILE)
        before = [*pids(proxy), parent_of(pids(proxy)[0])]
        with Phone(proxy.tftp, SOURCES[0]) as phone:
            phone.ask("file.bin")
            phone.receive()
            proxy.kill()
            wait_for(lambda: all(map(gone, before)), "its workers have ended")
        proxy.start()
        assert fetch(proxy.tftp, "file.bin") == FILE
        assert proxy.stop() == 0


def test_the_supervisor_is_killed_and_a_worker_hangs() -> None:
    with Proxy(TWO) as proxy:
        before = pids(proxy)
        os.kill(before[0], signal.SIGSTOP)
        proxy.kill()
        wait_for(lambda: all(map(gone, before)), "its workers have ended")


def test_no_worker_can_be_started_any_more() -> None:
    """Those that are there serve on; without any the proxy ends, so that it is started anew."""
    with Proxy(TWO) as proxy:
        proxy.write("file.bin", FILE)
        before = pids(proxy)
        os.kill(parent_of(before[0]), signal.SIGKILL)
        wait_for(lambda: "no worker can be started any more" in proxy.log(), "it is told")
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: workers(proxy)[0]["pid"] is None, "its end is known")
        assert [fetch(proxy.tftp, "file.bin", source=source) for source in SOURCES] == [FILE] * len(SOURCES)
        os.kill(before[1], signal.SIGKILL)
        wait_for(lambda: gone(proxy.pid), "it has ended")
        assert proxy.stop() == 1


def test_a_port_that_another_has() -> None:
    """Though it shares the port among its own, it does not share it with another."""
    with Proxy(TWO) as proxy:
        settings = {"tftp": {"workers": 2, "port": proxy.tftp[1], "http_port": proxy.http[1]}}
        with pytest.raises(AssertionError, match="Address already in use"):
            Proxy(settings).stop()
        assert proxy.stop() == 0


def test_memory_and_user(start: StartProxy) -> None:
    """A worker has most of what it needs in common with the others, and no more rights than the proxy."""
    proxy = start(TWO)
    proxy.write("file.bin", FILE)
    assert fetch_all(proxy.tftp, addresses(MANY, 7), "file.bin", FILE).whole == MANY
    for pid in pids(proxy):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        pss = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        print(f"a worker takes {pss / 1024:.1f} MB of its own")
        assert pss < 40 * 1024
        assert Path(f"/proc/{pid}").stat().st_uid == Path(f"/proc/{proxy.pid}").stat().st_uid
        status = Path(f"/proc/{pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status or os.geteuid() != 0
