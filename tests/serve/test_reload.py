"""The configuration read again by a running proxy: by the verb `reload`, and by SIGHUP."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from appliance.config import load
from appliance.report.findings import Reloaded
from appliance.serve import privileges
from appliance.serve.proxy import Proxy as Process
from tests.netns.process import wait_for
from tests.report.shape import unlike
from tests.serve.conftest import StartProxy
from tests.serve.phone import rrq
from tests.serve.proxy import Proxy, Settings
from tests.serve.upstreams import Asked, HttpAnswer, HttpUpstream, ask_http, ask_tftp, head, whole

NOT_FOUND, UNAVAILABLE = 1, 0
EAST, WEST = "127.0.1.1", "127.0.1.2"
PHONES = ("SEP001122334455", "SEP001122334466")
LOOKUP: Settings = {"lookup": {"budget": 1.0}}


def having(*names: str) -> HttpAnswer:
    """A cluster with these files, each of which tells its name and where it is from."""

    def answer(wire: socket.socket, asked: Asked) -> None:
        body = f"{asked.name} at {wire.getsockname()[0]}".encode()
        wire.sendall(whole(body) if asked.name in names else whole(b"", status="404 No"))

    return answer


def at(address: str, name: str) -> bytes:
    """What a cluster has."""
    return f"{name} at {address}".encode()


def reload(proxy: Proxy, settings: Settings) -> Any:
    """What it says to these settings."""
    proxy.configure(settings)
    (answer,) = proxy.ask("reload")
    assert list(unlike(answer, Reloaded)) == []
    assert answer["configuration"] == str(proxy.configuration)
    return answer


def in_force(**changes: list[str]) -> dict[str, object]:
    """The rest of an answer that says so."""
    lists = ("clusters_removed", "clusters_changed", "clusters_added", "restart", "faults")
    return {"in_force": True, **{name: changes.get(name, []) for name in lists}}


def rest(answer: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in answer.items() if key != "configuration"}


def names(proxy: Proxy) -> list[str]:
    return [cluster["name"] for cluster in proxy.status()["clusters"]]


def requests(proxy: Proxy) -> int:
    counters = proxy.counters()
    return int(counters["requests_tftp"] + counters["requests_http"])


def by_verb(proxy: Proxy, settings: Settings) -> None:
    assert reload(proxy, settings)["in_force"] is True


def by_signal(proxy: Proxy, settings: Settings) -> None:
    before = proxy.log().count('"reloaded"')
    proxy.configure(settings)
    proxy.hang_up()
    wait_for(lambda: proxy.log().count('"reloaded"') > before, "it has read its configuration")


@pytest.mark.parametrize("reread", [by_verb, by_signal])
def test_another_list_of_clusters(reread: Callable[[Proxy, Settings], None], start: StartProxy) -> None:
    """What was at home in a cluster that is gone is looked for anew; all else is as it was."""
    files = [f"{phone}.cnf.xml" for phone in PHONES]
    with HttpUpstream(having(files[0])) as east, HttpUpstream(having(*files), WEST) as west:
        both = {**LOOKUP, **east.settings("east"), **west.settings("west")}
        proxy = start(both)
        assert [ask_http(proxy.http, name) for name in files] == [at(EAST, files[0]), at(WEST, files[1])]
        wait_for(lambda: proxy.status()["held"]["fetches"] == 0, "no answer is kept any more")
        asked = len(east.asked)
        reread(proxy, {**LOOKUP, **west.settings("west")})
        assert names(proxy) == ["west"]
        assert proxy.status()["devices"]["homes"] == 1
        homes = [proxy.ask("find", name=name)[0]["home"] for name in files]
        assert homes == [None, "west"]
        assert [ask_tftp(proxy.tftp, name) for name in files] == [at(WEST, name) for name in files]
        assert len(east.asked) == asked
        reread(proxy, both)
        assert names(proxy) == ["east", "west"]
        assert proxy.status()["devices"]["homes"] == 2
        assert ask_http(proxy.http, files[0]) == at(WEST, files[0])  # at home there by now


def test_what_it_says(start: StartProxy) -> None:
    with HttpUpstream(having()) as east, HttpUpstream(having(), WEST) as west:
        proxy = start(east.settings("east"))
        assert rest(reload(proxy, east.settings("east"))) == in_force()
        both = {**east.settings("east"), **west.settings("west")}
        assert rest(reload(proxy, both)) == in_force(clusters_added=["west"])
        moved = {**east.settings("east", addresses="127.0.1.3"), **west.settings("west")}
        assert rest(reload(proxy, moved)) == in_force(clusters_changed=["east"])
        off = {**east.settings("east", enabled="no"), **west.settings("west")}
        assert rest(reload(proxy, off)) == in_force(clusters_removed=["east"])
        assert rest(reload(proxy, {})) == in_force(clusters_removed=["west"])
        assert names(proxy) == []


def test_who_is_served(start: StartProxy) -> None:
    with HttpUpstream(having("x.loads")) as east:
        proxy = start(east.settings("east"))
        assert ask_tftp(proxy.tftp, "x.loads") == ask_http(proxy.http, "x.loads") == at(EAST, "x.loads")
        nobody = {**east.settings("east"), "tftp": {"allow": "10.0.0.0/8"}}
        assert rest(reload(proxy, nobody)) == in_force()
        before = requests(proxy)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.sendto(rrq("x.loads"), proxy.tftp)
            wait_for(lambda: requests(proxy) > before, "it has heard the request")
        with socket.create_connection(proxy.http) as wire, contextlib.suppress(ConnectionResetError):
            wire.sendall(b"GET /x.loads HTTP/1.1\r\nHost:x\r\n\r\n")
            assert wire.recv(1) == b""
        (record,) = [each for each in proxy.records(9) if each["result"] == "refused"]
        assert record["detail"] == "not of an allowed network"
        reload(proxy, east.settings("east"))
        assert ask_tftp(proxy.tftp, "x.loads") == at(EAST, "x.loads")


def test_a_cluster_that_is_asked_elsewhere(start: StartProxy) -> None:
    """It is the same cluster; nothing that its old address said or held counts any more."""
    name = f"{PHONES[0]}.cnf.xml"
    with HttpUpstream(having(name, "x.loads")) as old, HttpUpstream(having(name, "x.loads"), WEST) as new:
        proxy = start({**LOOKUP, **old.settings("east")})
        for each in (name, "x.loads"):
            assert ask_http(proxy.http, each) == at(EAST, each)
        wait_for(lambda: proxy.status()["copies"]["entries"] == 1, "the one that is worth it is kept")
        assert reload(proxy, {**LOOKUP, **new.settings("east")})["clusters_changed"] == ["east"]
        assert proxy.status()["copies"]["entries"] == 0
        assert proxy.status()["devices"]["homes"] == 1
        ((address,),) = [each["addresses"] for each in proxy.status()["clusters"]]
        assert address["address"] == WEST
        asked = old.names()
        for each in (name, "x.loads"):
            assert ask_http(proxy.http, each) == at(WEST, each)
        assert old.names() == asked


def test_what_is_missing_is_looked_for_again(start: StartProxy) -> None:
    with HttpUpstream(having()) as east, HttpUpstream(having("some.bin"), WEST) as west:
        proxy = start({**LOOKUP, **east.settings("east")})
        assert ask_http(proxy.http, "some.bin") == NOT_FOUND
        assert proxy.status()["held"]["negative_entries"] == 1
        reload(proxy, {**LOOKUP, **east.settings("east"), **west.settings("west")})
        assert ask_http(proxy.http, "some.bin") == at(WEST, "some.bin")


FAULTY: list[tuple[str, list[str]]] = [
    ("version = 1\n[lookup]\nbudget = soon\n", ["[lookup] budget"]),
    ("version = 1\n[lookup]\nbudget = soon\n[nonsense]\nx = 1\n", ["[lookup] budget", "[nonsense]"]),
    ("version = 1\n[clusters]\n[[east]]\n", ["[clusters / east] addresses"]),
    ("[[[", [""]),
    ("\x1b[2J = 1\n", [""]),
]


@pytest.mark.parametrize(("text", "places"), FAULTY)
def test_faults(text: str, places: list[str], start: StartProxy) -> None:
    """All are told, and all stays as it was."""
    with HttpUpstream(having("some.bin")) as east:
        proxy = start({**LOOKUP, **east.settings("east")})
        good = proxy.configuration.read_text()
        proxy.configuration.write_text(text)
        (answer,) = proxy.ask("reload")
        assert list(unlike(answer, Reloaded)) == []
        assert rest(answer) == {**in_force(), "in_force": False, "faults": answer["faults"]}
        for place in places:
            assert any(place in fault for fault in answer["faults"]), answer["faults"]
        assert all(fault.isprintable() for fault in answer["faults"])
        proxy.hang_up()
        wait_for(lambda: proxy.log().count('"not reloaded"') == 2, "it tells so in its log as well")
        assert names(proxy) == ["east"]
        assert ask_http(proxy.http, "some.bin") == at(EAST, "some.bin")
        proxy.configuration.write_text(good)
        assert rest(proxy.ask("reload")[0]) == in_force()


def test_no_configuration_any_more(start: StartProxy) -> None:
    with HttpUpstream(having("some.bin")) as east:
        proxy = start(east.settings("east"))
        proxy.configuration.unlink()
        (answer,) = proxy.ask("reload")
        assert answer["in_force"] is False
        assert "No such file or directory" in answer["faults"][0]
        assert ask_tftp(proxy.tftp, "some.bin") == at(EAST, "some.bin")


def test_what_waits_for_the_next_start(start: StartProxy) -> None:
    """It is named each time, and left as it is; the rest is in force."""
    with HttpUpstream(having("some.bin")) as east:
        proxy = start()
        proxy.write("local.bin", b"local")
        other = proxy.folder / "other"
        other.mkdir()
        settings: Settings = {
            "tftp": {"workers": 2, "transfers_max": 100, "dscp": "ef"},
            "local": {"name": "other", "root": other},
            "cache": {"size": "1M"},
            **east.settings("east"),
        }
        for _ in range(2):
            answer = reload(proxy, settings)
            assert (answer["in_force"], answer["faults"]) == (True, [])
            assert answer["restart"] == [
                *("[tftp] dscp", "[tftp] workers", "[tftp] transfers_max"),
                *("[local] name", "[local] root", "[cache] size"),
            ]
        status = proxy.status()
        assert status["workers"] == []
        assert (status["store"]["name"], status["store"]["root"]) == ("local", str(proxy.store))
        assert (status["held"]["transfers_max"], status["held"]["disk_max_bytes"]) != (100, 1024 * 1024)
        assert ask_tftp(proxy.tftp, "local.bin") == b"local"
        assert ask_tftp(proxy.tftp, "some.bin") == at(EAST, "some.bin")
        assert rest(reload(proxy, east.settings("east"))) == in_force()


@pytest.mark.parametrize("enabled", ["yes", "no"])
def test_a_cluster_takes_the_name_of_the_store(enabled: str, start: StartProxy) -> None:
    """Renaming the store waits for the next start: until then there would be two places of one name."""
    with HttpUpstream(having()) as east, HttpUpstream(having(), WEST) as west:
        proxy = start({"local": {"name": "depot"}, **east.settings("east")})
        renamed = {"local": {"name": "store"}, **east.settings("east")}
        answer = rest(reload(proxy, {**renamed, **west.settings("Depot", enabled=enabled)}))
        fault = "[clusters] Depot: the local store has this name until the next start"
        assert answer == {**in_force(faults=[fault]), "in_force": False}
        assert names(proxy) == ["east"]
        assert rest(reload(proxy, renamed)) == in_force(restart=["[local] name"])


def test_what_the_limit_of_open_files_has_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no change of the file, and no restart gives it back."""
    monkeypatch.setattr(privileges, "raise_descriptors", lambda wanted: 100)
    path = tmp_path / "appliance.conf"
    text = f"version = 1\n[paths]\ndata = {tmp_path}\nrun = {tmp_path}\n[tftp]\n"
    path.write_text(text)
    proxy = Process(load.read(path), path, False)
    assert proxy.configuration.tftp.transfers_max == 100
    assert proxy.reload().restart == ()
    path.write_text(f"{text}transfers_max = 50\n")
    assert proxy.reload().restart == ("[tftp] transfers_max",)
    assert proxy.configuration.tftp.transfers_max == 100


def test_settings_that_hold_from_the_next_request_on(start: StartProxy) -> None:
    with HttpUpstream(having("RingList.xml")) as east:
        proxy = start(east.settings("east"))
        proxy.write("RingList.xml", b"local")
        proxy.write("XMLDefault.cnf.xml", b"default")
        assert ask_http(proxy.http, "XMLDefault.cnf.xml") == NOT_FOUND
        reload(proxy, {**east.settings("east"), "autoregistration": {"policy": "local"}})
        assert ask_http(proxy.http, "XMLDefault.cnf.xml") == b"default"
        assert ask_tftp(proxy.tftp, "XMLDefault.cnf.xml") == b"default"
        assert ask_http(proxy.http, "some.bin", EAST) == NOT_FOUND
        assert proxy.counters()["looping"] == 1
        reload(proxy, east.settings("east", nat="yes"))
        assert ask_http(proxy.http, "some.bin", EAST) == NOT_FOUND
        assert proxy.counters()["looping"] == 1


def test_a_file_on_its_way(start: StartProxy) -> None:
    """It comes to its end, though its cluster is gone by then; so does what is still waited for."""
    before, middle = threading.Event(), threading.Event()
    body = bytes(range(256)) * 100

    def answer(wire: socket.socket, asked: Asked) -> None:
        if asked.name == "late.bin":
            before.wait(10)
        wire.sendall(head(f"Content-Length: {len(body)}") + body[:10_000])
        middle.wait(10)
        wire.sendall(body[10_000:])

    with HttpUpstream(answer) as east, ThreadPoolExecutor(4) as phones:
        proxy = start({"lookup": {"budget": 10}, "tftp": {"timeout": 10}, **east.settings("east")})
        transfers = [
            phones.submit(ask, getattr(proxy, transport), name)
            for transport, ask in (("http", ask_http), ("tftp", ask_tftp))
            for name in ("early.bin", "late.bin")
        ]
        wait_for(lambda: set(east.names()) == {"early.bin", "late.bin"}, "both are asked for")
        wait_for(lambda: requests(proxy) == 4, "all have come")
        assert reload(proxy, LOOKUP)["clusters_removed"] == ["east"]
        before.set()
        middle.set()
        assert [each.result() for each in transfers] == [body] * 4
        assert ask_http(proxy.http, "early.bin") == NOT_FOUND
        proxy.settle()


def test_many_at_once(start: StartProxy) -> None:
    """Reloads while phones ask: nobody gets anything wrong."""
    with HttpUpstream(having("some.bin")) as east, HttpUpstream(having("some.bin"), WEST) as west:
        lists = [east.settings("east"), west.settings("east"), west.settings("west")]
        proxy = start({**LOOKUP, **lists[0]})
        over = threading.Event()

        def ask(number: int) -> set[object]:
            found: set[object] = set()
            while not over.is_set():
                found.add(ask_http(proxy.http, "some.bin", f"127.0.3.{number + 1}"))
            return found

        with ThreadPoolExecutor(3) as phones:
            asking = [phones.submit(ask, number) for number in range(3)]
            try:
                for number in range(20):
                    assert reload(proxy, {**LOOKUP, **lists[number % 3]})["in_force"] is True
            finally:
                over.set()
            found = set().union(*(each.result() for each in asking))
        assert found <= {at(EAST, "some.bin"), at(WEST, "some.bin")}
        proxy.settle()


def test_arguments(start: StartProxy) -> None:
    proxy = start()
    with pytest.raises(AssertionError, match="unknown argument: now"):
        proxy.ask("reload", now=True)
