"""What a worker answers without asking: only what is the same for every client."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.decision import decide, store_decides
from appliance.cluster.homes import CommonHome
from appliance.cluster.names import read
from appliance.cluster.situation import Local, Situation
from appliance.cluster.verdict import NotFound, Take
from appliance.config.model import CommonFiles
from tests.netns.process import wait_for
from tests.serve.conftest import StartProxy
from tests.serve.test_workers import SOURCES, TWO, workers
from tests.serve.upstreams import HttpUpstream, ask_http, ask_tftp, whole

FILE = random.Random(81).randbytes(8192)
NAMES = [
    "ConfigFileCacheList.txt",
    f"appliance-probe-{'ab' * 16}.txt",
    "RingList.xml",
    "sip88xx.12-5-1.sbn",
    "SEP001122334455.cnf.xml",
    "XMLDefault.cnf.xml",
    "CTLFile.tlv",
]
HOMES = st.none() | st.builds(
    CommonHome, st.sampled_from([None, "local", "a", "b"]), st.booleans(), st.just("")
)


@given(
    st.sampled_from(NAMES),
    st.booleans(),
    st.sampled_from(["", "a", "ab"]),
    st.sampled_from(["", "b"]),
    st.sampled_from(CommonFiles),
    st.fixed_dictionaries(
        {},
        optional={
            "common": HOMES,
            "network": st.sampled_from([None, "local", "a"]),
            "alone": st.sampled_from(["", "it comes from a cluster"]),
            "missing": st.none() | st.floats(0, 30),
            "homed": st.sampled_from(["", "SEP001122334455"]),
            "incomplete": st.booleans(),
            "stale": st.dictionaries(st.sampled_from("ab"), st.floats(0, 100)),
            "silent": st.frozensets(st.sampled_from("ab")),
        },
    ),
)
def test_the_store_decides(
    asked: str, found: bool, order: str, unused: str, common_files: CommonFiles, known: dict[str, Any]
) -> None:
    """Whatever is known of the client, and of clusters."""
    name = read(asked.encode())
    unused = "".join(set(unused) - set(order))
    if not store_decides(name, found, bool(order or unused), common_files):
        return
    local = Local("local", file=found)
    known |= {"common_files": common_files, "unused": frozenset(unused)}
    situation = Situation(name, local, tuple(order), 3.0, **known)
    decision = decide(situation, {}, 0)
    assert decision.verdict == (Take("local") if found else NotFound())
    assert decision.asks == ()


def test_of_the_store_without_clusters(start: StartProxy) -> None:
    """A file that comes, changes, or goes is so for phones at once, or nearly so where it was missing."""
    proxy = start(TWO)
    for content in (FILE, FILE[::-1]):
        proxy.write("file.bin", content)
        wait_for(lambda: ask_tftp(proxy.tftp, "file.bin") == content, "it is there", 1)  # noqa: B023
    for _ in range(20):
        assert ask_tftp(proxy.tftp, "file.bin") == FILE[::-1]
    steps = [step["text"] for step in proxy.records()[0]["steps"]]
    assert steps == ["local has it, and gives it to every client"]
    (proxy.store / "file.bin").unlink()
    wait_for(lambda: ask_http(proxy.http, "file.bin") in (0, 1), "it is gone", 1)
    wait_for(lambda: ask_http(proxy.http, "file.bin") == 1, "it is known to be gone", 1)
    record = proxy.records()[0]
    assert (record["result"], record["kind"]) == ("not found", "common")


def test_not_for_requests_that_came_round(start: StartProxy) -> None:
    """These are told from others, each of them."""
    with HttpUpstream(lambda wire, asked: wire.sendall(whole(b"theirs"))) as cluster:
        proxy = start({**TWO, "local": {"common_files": "local"}, **cluster.settings()})
        proxy.write("file.xml", FILE)
        for _ in range(3):
            assert ask_tftp(proxy.tftp, "file.xml", SOURCES[0]) == FILE
            assert ask_tftp(proxy.tftp, "file.xml", cluster.address) == FILE
        told = proxy.ask("records", last=3, client=cluster.address, name="")
        assert [each["steps"][0]["text"].partition(":")[0] for each in told] == [
            "it comes from a cluster"
        ] * 3


def test_not_where_it_depends_on_the_client(start: StartProxy) -> None:
    """The store's file for one, its home's for another, at the same moment."""
    with HttpUpstream(lambda wire, asked: wire.sendall(whole(b"theirs"))) as cluster:
        proxy = start({**TWO, **cluster.settings()})
        proxy.write("RingList.xml", FILE)
        homed = SOURCES[::2]
        for number, source in enumerate(homed):
            assert ask_http(proxy.http, f"SEP0011223344{number:02d}.cnf.xml", source) == b"theirs"
        for _ in range(3):
            for source in SOURCES:
                wanted = b"theirs" if source in homed else FILE
                assert ask_tftp(proxy.tftp, "RingList.xml", source) == wanted
                assert ask_http(proxy.http, "RingList.xml", source) == wanted


def test_a_reload_ends_it(start: StartProxy) -> None:
    """A cluster that is new has its phones' files from the next request on."""
    with HttpUpstream(lambda wire, asked: wire.sendall(whole(b"theirs"))) as cluster:
        proxy = start({**TWO, **cluster.settings(enabled="no")})
        for source in SOURCES:
            assert ask_tftp(proxy.tftp, "RingList.xml", source) == 1
        text = proxy.configuration.read_text()
        proxy.configuration.write_text(text.replace("enabled = no", "enabled = yes"))
        proxy.ask("reload")
        assert all(ask_tftp(proxy.tftp, "RingList.xml", source) == b"theirs" for source in SOURCES)
        assert all(each["answering"] for each in workers(proxy))
