"""`appliance explain`: why a phone got what it got, and what it would get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.netns.cucm_files import COMMON, DEFAULT, RINGS
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import LOCAL, LONG, PASSED, PATIENT, PLACES, Scene, wait
from tests.netns.lab import Host, Lab
from tests.netns.process import wait_for

pytestmark = pytest.mark.root

START = 2.5  # s between two boots: what was fetched for one does not serve the other


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON, DEFAULT)
        yield running


@pytest.fixture(scope="module")
def box(scene: Scene) -> Box:
    return scene.box({"networks": {"10.67.0.0/16": "c"}, "autoregistration": {"policy": "network"}})


def _last(box: Box, client: str) -> tuple[dict[str, Any], list[str]]:
    """The last request of a client, and its steps; the command's text has each of them, with its time."""
    (record,) = box.records(client, 1)
    steps = record["steps"]
    assert all(0 <= step["at_ms"] <= record["duration_ms"] for step in steps)
    assert [step["at_ms"] for step in steps] == sorted(step["at_ms"] for step in steps)
    text = box.command("explain", "--last", "1", "--client", client).stdout
    for step in steps:
        assert any(line.strip().startswith(f"{step['at_ms']:.1f} ms") for line in text.splitlines()), text
        assert step["text"] in text
    return record, [step["text"] for step in steps]


def _in_order(steps: list[str], *words: str) -> bool:
    """Whether steps with these words come one after the other."""
    rest = iter(steps)
    return all(any(word in step for step in rest) for word in words)


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
def test_first_request(http: bool, scene: Scene, box: Box) -> None:
    """A search: who was asked, what each said, and whose word counted."""
    phone = replace(scene.phone(box, "b"), http=http)
    scene.ask(phone, f"ITLSEP{phone.mac}.tlv")
    record, steps = _last(box, phone.source)
    device = f"SEP{phone.mac}"
    assert (record["device"], record["kind"], record["result"]) == (device, "device", "served")
    assert (record["source"], record["address"]) == ("b", scene.clusters["b"].host.ipv4)
    assert record["transport"] == ("http" if http else "tftp")
    assert _in_order(
        steps, f"local does not have the configuration of {device}", "asked at once: a, b, c", "home is b"
    )
    assert any(step.startswith("a: ") and "does not have it" in step for step in steps)
    assert any(step.startswith("b: ") and "has it" in step for step in steps)


def test_at_home(scene: Scene, box: Box) -> None:
    phone = scene.phone(box, "b")
    scene.boot(phone)
    scene.ask(phone, f"SEP{phone.mac}.cnf.xml.enc.sgn")
    record, steps = _last(box, phone.source)
    assert record["result"] == "not found"
    assert _in_order(steps, "home is b", "b is the home and does not have the file")
    scene.ask(phone, RINGS)
    record, steps = _last(box, phone.source)
    assert (record["kind"], record["source"]) == ("common", "b")
    assert _in_order(steps, f"home of SEP{phone.mac} at this address", "home is b")


def test_moved(scene: Scene, box: Box) -> None:
    phone = scene.phone(box, "b")
    scene.boot(phone)
    scene.move(phone.mac, "b", "c")
    wait(START)
    scene.ask(phone, f"CTLSEP{phone.mac}.tlv")
    record, steps = _last(box, phone.source)
    assert record["result"] == "not found"
    gone = f"b has the configuration of SEP{phone.mac} no longer"
    assert _in_order(
        steps, "home is b", gone, "asked at once", "home is c", "c is the home and does not have"
    )


def test_silent(scene: Scene, box: Box) -> None:
    """Who was silent, for how long it was waited, and that the search is not complete."""
    box = scene.box({"lookup": {"budget": LONG}}, host="box2")
    phone = replace(scene.phone(box, "c"), patience=PATIENT)
    known = replace(scene.phone(box, "a"), patience=PATIENT)
    scene.boot(known)
    scene.clusters["a"].host.drop()
    scene.ask(phone, f"ITLSEP{phone.mac}.tlv")
    record, steps = _last(box, phone.source)
    assert record["source"] == "c"
    (passed,) = [step for step in record["steps"] if "passed over without an answer: a" in step["text"]]
    assert 1000 * PASSED <= passed["at_ms"] < 1000 * LONG / 2
    wait(START)
    scene.ask(known, RINGS.replace(".sgn", ""))
    record, steps = _last(box, known.source)
    assert record["result"] == "unavailable"
    assert _in_order(steps, "home is a", "a: no answer")
    scene.clusters["a"].host.undrop()
    wait_for(lambda: "closed" in box.protocols("a").values(), "A is in use again")


@pytest.mark.parametrize(
    ("name", "words", "result"),
    [
        ("SEP00270DCEEEEE.cnf.xml", ["a device file of SEP00270DCEEEEE", "asked at once: a, b, c"], ""),
        (DEFAULT, ["a default file", "policy = network, and the network is c's"], ""),
        (RINGS, ["a common file", "no device of this address has a home", "network is that of c"], ""),
        ("here.xml", ["a common file", "local has it"], f"served from {LOCAL}"),
        ("../etc/passwd", [], "refused"),
        ("ConfigFileCacheList.txt", ["the list of files is not for strangers"], "not found"),
    ],
)
def test_hypothetical(name: str, words: list[str], result: str, scene: Scene, box: Box) -> None:
    """Of a client that never asked; no cluster is asked now either."""
    scene.store(box, "here.xml")
    marks = scene.marks()
    found = box.report("explain", name, "--client", "10.67.200.1")
    steps = [step["text"] for step in found["steps"]]
    assert _in_order(steps, *words), steps
    assert result in found["result"]
    assert scene.asked(marks) == {}
    text = box.command("explain", name, "--client", "10.67.200.1").stdout
    assert all(step in text for step in steps)
    assert found["result"] in text


def test_hypothetical_of_a_known_client(scene: Scene, box: Box) -> None:
    phone = scene.phone(box, "b")
    scene.boot(phone)
    marks = scene.marks()
    found = box.report("explain", "Unasked.xml", "--client", phone.source)
    assert _in_order([step["text"] for step in found["steps"]], f"home of SEP{phone.mac}", "home is b")
    assert scene.asked(marks, "Unasked") == {}


def test_status_and_find(scene: Scene, box: Box) -> None:
    """Duplicates are reported by both."""
    phone = scene.phone(box, "b")
    name = f"SEP{phone.mac}.cnf.xml"
    scene.give("c", name)
    scene.boot(phone)
    found = box.report("find", f"SEP{phone.mac}")
    assert found["home"] == "b"
    assert {each["place"]: each["has_it"] for each in found["places"]} == {
        LOCAL: False,
        "a": False,
        "b": True,
        "c": True,
    }

    def told() -> bool:
        return any(
            (each["device"], each["home"], each["others"]) == (f"SEP{phone.mac}", "b", ["c"])
            for each in box.ask("status")["devices"]["duplicates"]
        )

    wait_for(told, "the duplicate is told")
