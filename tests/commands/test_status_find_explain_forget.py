"""The commands that ask a proxy, with a real one, a live cluster and what goes wrong with others."""

from __future__ import annotations

import re

import pytest

import appliance
from tests.commands.conftest import CONFIGURATION, EAST, Site
from tests.netns.process import wait_for

PHONE = "SEP00270DC01C92"
FILE = f"{PHONE}.cnf.xml"


def rows(text: str) -> list[list[str]]:
    """The cells of a table, and of what else stands around it."""
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


def test_status(site: Site) -> None:
    before = site.data("status")
    assert site.get(FILE)
    shown = rows(site.text("status"))
    proxy = site.proxy
    assert ["version", appliance.__version__] in shown
    assert ["configuration", str(proxy.configuration)] in shown
    assert ["store", f"local: {proxy.store}"] in shown
    assert ["transfers", "0 of at most 8192"] in shown
    assert any(re.fullmatch(r"\d+ s", " ".join(row[1:])) for row in shown if row[0] == "running for")
    assert ["tftp", "127.0.0.1", str(proxy.tftp[1]), "lo", "listens"] in shown
    assert ["http", "127.0.0.1", str(proxy.http[1]), "lo", "listens"] in shown
    (east,) = [row for row in shown if row[0] == "east"]
    assert east[1:3] == [EAST, "answers"]
    assert re.fullmatch(r"\d+ ms", east[3])
    assert ["old", "127.0.2.9", "switched off", "0", "0"] in shown
    served = before["counters"]["results"].get("served", 0)
    assert ["ended: served", str(served + 1)] in shown
    assert ["requests http", str(before["counters"]["requests_http"] + 1)] in shown


def test_status_of_a_proxy_that_ails(ailing_site: Site) -> None:
    shown = rows(ailing_site.text("status"))
    assert ["http", "127.0.0.1", str(ailing_site.proxy.http[1]), "Address already in use"] in shown
    assert ["self", "127.0.0.1", "out of use: an address of this box itself", "0", "0"] in shown
    failure = "no HTTP connection: Connection refused"
    wait_for(lambda: gone(ailing_site)[2] != "not asked yet", "a probe has been sent there")
    ailing_site.text("find", "x", status=1)
    assert gone(ailing_site)[:4] == ["gone", "127.0.2.8", "does not answer", "0"]
    assert gone(ailing_site)[5] == failure


def gone(site: Site) -> list[str]:
    """What the status shows of the cluster that is not there."""
    return next(row for row in rows(site.text("status")) if row[0] == "gone")


def test_status_of_a_store_that_is_gone(ailing_site: Site) -> None:
    store = ailing_site.proxy.store
    store.rename(store.with_name("away"))
    try:
        assert f"local: {store} (" in ailing_site.text("status")
        assert "No such file or directory" in ailing_site.data("status")["store"]["fault"]
        found = ailing_site.data("find", FILE)
        assert found["places"][0]["has_it"] is None
    finally:
        store.with_name("away").rename(store)


def test_status_as_json(site: Site) -> None:
    assert site.get(FILE)
    status = site.data("status")
    assert status["version"] == appliance.__version__
    assert [cluster["name"] for cluster in status["clusters"]] == ["east", "old"]
    (east,) = status["clusters"][0]["addresses"]
    assert (east["address"], east["answering"], east["out_of_use"]) == (EAST, True, "")
    assert [listener["listening"] for listener in status["listeners"]] == [True, True]


def test_find(site: Site) -> None:
    text = site.text("find", FILE)
    assert text.startswith(f"{FILE}: a device file of {PHONE}\n")
    header, local, east = rows(text)[2:]
    assert header == ["PLACE", "HAS IT", "BYTES", "TOOK"]
    assert (local[:2], local[-1]) == (["local", "no"], "does not have it")
    assert east[:3] == ["east", "yes", str(len(CONFIGURATION))]
    assert east[-1] == f"has it, {len(CONFIGURATION)} bytes (from {EAST} over HTTP)"
    assert re.fullmatch(r"\d+\.\d ms", east[3])


def test_a_file_in_two_places(site: Site) -> None:
    text = site.text("find", "ringlist.xml")  # the store knows it in any case, the cluster does not
    assert "more than one" not in text
    text = site.text("find", "RingList.xml")
    assert "more than one place has it; it is served from the first: local, east" in text
    assert "remembered home" not in text
    assert site.get(FILE)
    assert site.text("find", PHONE).endswith("\n\nremembered home: east\n")


@pytest.mark.parametrize("name", ["nonsense.xml", "SEP000000000000"])
def test_a_file_in_no_place(site: Site, name: str) -> None:
    assert [row[1] for row in rows(site.text("find", name, status=1))[3:]] == ["no", "no"]
    assert site.data("find", name, status=1)["places"][1]["has_it"] is False


def test_a_place_that_does_not_say(ailing_site: Site) -> None:
    assert ["gone", "not known"] in [row[:2] for row in rows(ailing_site.text("find", FILE))]
    found = {place["place"]: place for place in ailing_site.data("find", FILE)["places"]}
    assert {name: place["has_it"] for name, place in found.items()} == {
        "local": False,
        "gone": None,
        "self": None,
        "east": True,
    }
    told = found["gone"]["text"]
    assert re.fullmatch(
        r"no answer: 127\.0\.2\.8: known not to answer for \d+ s; asked again every 5 s", told
    )
    assert found["self"]["text"] == "no answer: no address in use"


@pytest.mark.parametrize(
    ("asked", "name", "kind"),
    [
        (FILE, FILE, "device"),
        (PHONE, FILE, "device"),
        (PHONE.lower(), FILE.lower(), "device"),
        ("ata00270dc01c92", "ata00270dc01c92", "device"),
        ("RingList.xml", "RingList.xml", "common"),
        ("folder\\x.loads", "folder/x.loads", "common"),
    ],
)
def test_what_is_looked_for(site: Site, asked: str, name: str, kind: str) -> None:
    status, out, _ = site.call("find", asked)
    assert status in (0, 1)
    assert out.startswith(f"{name}: a {kind} file")


def test_find_does_not_remember(site: Site) -> None:
    site.text("find", "nonsense.xml", status=1)
    status = site.data("status")
    assert status["held"]["negative_entries"] == 0


def test_explain(site: Site) -> None:
    lines = [re.sub(r"^ *[\d.]+ ms ", "", line).strip() for line in site.text("explain", FILE).splitlines()]
    assert lines == [
        FILE,
        f"{FILE}: a device file of {PHONE}",
        f"local does not have the configuration of {PHONE}",
        "asked at once: east",
        f"east would be asked for {FILE}",
        "if each has what it is asked: served from east",
        "if each does not have what it is asked: not found",
        "if each gives no answer to what it is asked: unavailable: no answer from east",
        "the clusters' answers decide",
    ]


def test_explain_of_a_device_with_a_home(site: Site) -> None:
    assert site.get(FILE)
    explained = site.data("explain", f"CTL{PHONE}.tlv")
    assert [step["text"] for step in explained["steps"]] == [
        f"CTL{PHONE}.tlv: a device file of {PHONE}",
        f"local does not have the configuration of {PHONE}",
        "home is east",
        f"east would be asked for CTL{PHONE}.tlv, {FILE}",
        "if each has what it is asked: served from east",
        "if each does not have what it is asked: not found",
        "if each gives no answer to what it is asked: unavailable: no answer from east",
    ]
    explained = site.data("explain", "Softkeys.xml", "--client", "127.0.0.1")
    told = [step["text"] for step in explained["steps"]]
    assert told[1:3] == [f"home of {PHONE} at this address", "home is east"]


@pytest.mark.parametrize(
    ("name", "client", "result"),
    [
        ("RingList.xml", "", "served from local"),
        ("RingList.xml", "10.9.0.17", "served from local"),
        (FILE, "10.9.0.17", "the clusters' answers decide"),
        ("XMLDefault.cnf.xml", "10.9.0.17", "not found"),
        ("CTLFile.tlv", "10.9.0.17", "not found"),
        ("ConfigFileCacheList.txt", "10.9.0.17", "not found"),
        (FILE, EAST, "not found"),
        ("../x", "", "refused: name that leads out of the store"),
        ("", "", "refused: name of a folder"),
        ("\x1b", "", "refused: name with bytes that are not printable text"),
        ("\udcff", "", "refused: name with bytes that are not printable text"),
    ],
)
def test_the_end_of_an_explanation(site: Site, name: str, client: str, result: str) -> None:
    arguments = ("explain", name, *(["--client", client] if client else []))
    explained = site.data(*arguments)
    assert explained["result"] == result
    lines = site.text(*arguments).splitlines()
    assert lines[0] == (explained["name"] or '""')
    assert lines[-1].strip() == result
    assert len(lines) == 2 + len(explained["steps"])


def test_explain_of_a_name_that_is_remembered(site: Site) -> None:
    assert not site.get("nonsense.xml")
    explained = site.data("explain", "nonsense.xml")
    assert explained["result"] == "not found"
    assert re.fullmatch(r"remembered for \d+ s more: no cluster has it", explained["steps"][-1]["text"])


def test_the_last_requests(site: Site) -> None:
    assert site.get(FILE)
    assert not site.get("%1b%5b2J")
    first, second = site.text("explain", "--last", "2").split("\n\n")
    head, *steps, end = first.splitlines()
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT[\d:.]+Z  127\.0\.0\.1  http  {FILE}  \(device file of {PHONE}\)", head
    )
    assert [re.sub(r"^ *[\d.]+ ms  ", "", step) for step in steps] == [
        f"local does not have the configuration of {PHONE}",
        "asked at once: east",
        f"east: has it, {len(CONFIGURATION)} bytes (from {EAST} over HTTP)",
        "home is east: the first in order that has the configuration",
    ]
    assert end.endswith(f" ms  served from east ({EAST}), {len(CONFIGURATION)} bytes, 0 sent again")
    assert r"  \x1b[2J  (no file)" in second
    assert "refused: name with bytes that are not printable text, 0 bytes" in second


@pytest.mark.parametrize("wanted", [FILE, PHONE, PHONE.lower(), FILE.upper()])
def test_the_last_requests_of_a_phone(site: Site, wanted: str) -> None:
    assert site.get(FILE)
    assert site.get("RingList.xml")
    (request,) = site.data("explain", wanted, "--last", "1", shape="explain-last")["requests"]
    assert (request["name"], request["device"], request["source"]) == (FILE, PHONE, "east")
    assert (request["result"], request["bytes"], request["address"]) == ("served", len(CONFIGURATION), EAST)


def test_the_last_requests_of_a_client(site: Site) -> None:
    assert site.get("RingList.xml")
    (request,) = site.data("explain", "--last", "1", "--client", "127.0.0.1", shape="explain-last")[
        "requests"
    ]
    assert request["name"] == "RingList.xml"
    requests = site.data("explain", "--client", "127.0.0.1", shape="explain-last")["requests"]
    assert len(requests) <= 10
    assert requests[-1] == request
    assert site.refusal("explain", "--last", "1", "--client", "10.9.0.17") == (
        "appliance: no such request is remembered\n"
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("explain", "--last", "1", "nonsense"), "no such request is remembered"),
        (("explain", "--client", "10.9.0.17"), "no such request is remembered"),
        (("find", "x" * 250), "name longer than 255 bytes (name)"),  # with .cnf.xml
    ],
)
def test_what_a_proxy_refuses(site: Site, arguments: tuple[str, ...], text: str) -> None:
    if arguments[0] == "find":
        assert site.refusal(*arguments, "--json") == f"appliance: {text}\n"
    assert site.refusal(*arguments) == f"appliance: {text}\n"


def remembered(site: Site) -> int:
    return int(site.data("status")["held"]["negative_entries"])


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("SEP000000000000.cnf.xml", 1),
        ("sep000000000000.CNF.xml", 1),
        ("SEP000000000000", 3),
        ("sep000000000000", 3),
        ("nonsense.xml", 1),
        ("other.xml", 0),
    ],
)
def test_forget(site: Site, name: str, dropped: int) -> None:
    for missing in ("SEP000000000000.cnf.xml", "CTLSEP000000000000.tlv", "nonsense.xml"):
        assert not site.get(missing)
    assert remembered(site) == 4  # the trust list's device has a third form
    assert site.data("forget", name)["negative_entries"] == dropped
    assert remembered(site) == 4 - dropped
    assert site.data("forget", name)["negative_entries"] == 0


def test_forget_everything(site: Site) -> None:
    assert not site.get("nonsense.xml")
    assert site.get(FILE)
    assert re.fullmatch(
        r"dropped: 1 remembered as missing, 1 homes, [01] copies, [12] shared fetches\n",
        site.text("forget", "--all"),
    )
    assert site.text("forget", "--all") == (
        "dropped: 0 remembered as missing, 0 homes, 0 copies, 0 shared fetches\n"
    )
    assert site.data("explain", "nonsense.xml")["result"] == "the clusters' answers decide"


@pytest.mark.parametrize(("name", "homes"), [(PHONE, 1), (PHONE.lower(), 1), ("SEP000000000000", 0)])
def test_forget_a_home(site: Site, name: str, homes: int) -> None:
    assert site.get(FILE)
    assert site.data("find", FILE)["home"] == "east"
    assert site.data("status")["devices"]["homes"] == 1
    assert site.data("forget", name)["homes"] == homes
    assert site.data("status")["devices"]["homes"] == 1 - homes
    assert site.data("find", FILE)["home"] == (None if homes else "east")


def test_forget_a_copy(site: Site) -> None:
    """What is kept on disk of a file, and in whatever case it is named."""
    assert site.get("phone.loads")
    wait_for(lambda: site.data("status")["copies"]["entries"] == 1, "a copy is kept")
    assert site.data("forget", "other.loads")["copies"] == 0
    assert site.data("forget", "PHONE.loads")["copies"] == 1
    assert site.data("status")["copies"]["entries"] == 0


def test_the_proxy_has_made_no_mistake(site: Site, ailing_site: Site) -> None:
    """Whatever the tests before this one have asked."""
    for each in (site, ailing_site):
        assert each.data("status")["counters"]["faults"] == 0
        assert "Traceback" not in each.proxy.log()
