"""Circles of boxes, simulated: each box is its pure core, and who asks whom is a table."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.probe import CLEAN, HELD, SEEN_MAX, Arrival, Endpoint, Probes, is_probe

B: Endpoint = ("b", ip_address("10.1.0.10"))
BESIDE: Endpoint = ("b", ip_address("10.1.0.11"))


def endpoint(box: str) -> Endpoint:
    """The only address of a cluster of this name."""
    return box, ip_address("10.1.0.10")


@pytest.mark.parametrize(
    ("path", "probe"),
    [
        ("appliance-probe-0123456789abcdef0123456789abcdef.txt", True),
        ("folder/APPLIANCE-PROBE-0123456789ABCDEF0123456789ABCDEF.TXT", True),
        ("appliance-probe-0123.txt", False),
        ("appliance-probe-0123456789abcdef0123456789abcdef.txt.sgn", False),
        ("RingList.xml", False),
    ],
)
def test_is_probe(path: str, probe: bool) -> None:
    assert is_probe(path) is probe


class Boxes:
    """Boxes that name each other; a name that is no box is a cluster that passes nothing on."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self.probes = {box: Probes() for box in names}
        self.random = random.Random(0)
        self.now = 0.0
        self.passed: Counter[tuple[str, str, str]] = Counter()  # box, cluster, name

    def probe(self) -> None:
        """Every box probes all its clusters, one after the other."""
        for box, clusters in self.names.items():
            for cluster in clusters:
                token = f"{self.random.getrandbits(128):032x}"
                name = self.probes[box].issue(endpoint(cluster), token, self.now)
                self.ask(cluster, name)
                self.probes[box].answered(name)
        self.now += 30

    def ask(self, box: str, name: str) -> None:
        if box in self.names and self.probes[box].arrived(name, "http", self.now)[0] is Arrival.FORWARD:
            for cluster in self.names[box]:
                self.passed[box, cluster, name] += 1
                self.ask(cluster, name)

    def looping(self) -> set[tuple[str, str]]:
        return {
            (box, cluster)
            for box, clusters in self.names.items()
            for cluster in clusters
            if self.probes[box].looping(endpoint(cluster))
        }

    def circles(self) -> set[tuple[str, str]]:
        """Who names a cluster from which one comes back."""
        return {
            (box, cluster)
            for box, clusters in self.names.items()
            for cluster in clusters
            if box in self.reached(cluster)
        }

    def reached(self, start: str) -> set[str]:
        found, left = {start}, [start]
        while left:
            for cluster in self.names.get(left.pop(), ""):
                if cluster not in found:
                    found.add(cluster)
                    left.append(cluster)
        return found


@pytest.mark.parametrize(
    ("names", "looping"),
    [
        ({"a": "x", "b": "y"}, set()),
        ({"a": "bx", "b": "y"}, set()),
        ({"a": "a"}, {("a", "a")}),
        ({"a": "bx", "b": "ay"}, {("a", "b"), ("b", "a")}),
        ({"a": "b", "b": "c", "c": "ax"}, {("a", "b"), ("b", "c"), ("c", "a")}),
        ({"a": "b", "b": "c", "c": "b"}, {("b", "c"), ("c", "b")}),  # a looks into a circle of others
    ],
)
def test_circles(names: dict[str, str], looping: set[tuple[str, str]]) -> None:
    boxes = Boxes(names)
    for _ in range(6):
        boxes.probe()
        assert boxes.looping() == looping == boxes.circles()


NETWORKS = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.sampled_from("abcdx"), max_size=4, unique=True).map("".join)
)


@given(NETWORKS, NETWORKS)
def test_every_circle_is_found_stays_found_and_heals(before: dict[str, str], after: dict[str, str]) -> None:
    boxes = Boxes(before)
    for _ in range(4):
        boxes.probe()
        assert boxes.looping() == boxes.circles()
    boxes.names = {box: after.get(box, "") for box in before}
    for _ in range(CLEAN + 2):
        boxes.probe()
    assert boxes.looping() == boxes.circles()
    assert set(boxes.passed.values()) <= {1}, "a box has passed a name on twice"


def test_one_that_does_not_answer_is_not_healed() -> None:
    boxes = Boxes({"a": "b", "b": "a"})
    boxes.probe()
    probes = boxes.probes["a"]
    for step in range(10):
        probes.issue(B, f"{step:032x}", boxes.now + 30 * step)
    assert probes.looping(B) is not None
    probes.drop(B)
    assert probes.looping(B) is None


def test_a_probe_that_comes_back_late_counts() -> None:
    """As when a cluster answers at once that it is busy, and searches then."""
    probes = Probes()
    first = probes.issue(B, f"{1:032x}", 0)
    probes.answered(first)
    assert probes.arrived(first, "tftp", 2.0) == (Arrival.OURS, B)
    assert probes.arrived(first, "tftp", 2.1) == (Arrival.OURS, None)
    for step in range(2, 10):
        now = step * 30.0
        name = probes.issue(B, f"{step:032x}", now)
        probes.answered(name)
        probes.arrived(name, "tftp", now + 3)
        assert probes.looping(B) is not None
    assert probes.arrived(first, "http", HELD * 10)[0] is Arrival.FORWARD


def test_a_probe_of_a_cluster_that_is_gone_counts_for_nothing() -> None:
    """There may be another of its name by now, which is asked elsewhere."""
    probes = Probes()
    name = probes.issue(B, f"{1:032x}", 0)
    probes.drop(B)
    assert probes.arrived(name, "http", 1) == (Arrival.OURS, None)
    assert probes.looping(B) is None
    name = probes.issue(B, f"{2:032x}", 2)
    assert probes.arrived(name, "http", 3) == (Arrival.OURS, B)


def test_each_address_by_itself() -> None:
    """One leads back, the one beside it does not: each is found, heals and goes alone."""
    probes, tokens = Probes(), (f"{number:032x}" for number in range(100))
    for step in range(CLEAN + 2):
        for each in (B, BESIDE):
            name = probes.issue(each, next(tokens), 30.0 * step)
            if each is B:
                probes.arrived(name, "http", 30.0 * step)
            probes.answered(name)
        assert (probes.looping(B) is None, probes.looping(BESIDE) is None) == (False, True)
    for step in range(CLEAN + 3):
        now = 1000 + 30.0 * step
        probes.answered(probes.issue(B, next(tokens), now))
        probes.arrived(probes.issue(BESIDE, next(tokens), now), "tftp", now)
    assert (probes.looping(B) is None, probes.looping(BESIDE) is None) == (True, False)
    probes.drop(B)
    assert probes.looping(BESIDE) is not None
    probes.drop(BESIDE)
    assert probes.looping(BESIDE) is None


def test_how_it_came_back_first_is_told() -> None:
    probes = Probes()
    name = probes.issue(B, f"{1:032x}", 0)
    assert probes.arrived(name, "tftp", 1.0, direct=True) == (Arrival.OURS, B)
    assert probes.arrived(name, "http", 2.0) == (Arrival.OURS, None)
    looping = probes.looping(B)
    assert looping is not None
    assert (looping.since, looping.over, looping.direct) == (1.0, "tftp", True)


def test_probes_without_an_answer_do_not_keep_it_out() -> None:
    """An address that answers in one protocol alone is looked after in the other every five seconds, while it
    is probed every thirty.
    """
    probes, tokens = Probes(), (f"{number:032x}" for number in range(100))
    now = 0.0
    probes.arrived(probes.issue(B, next(tokens), now), "http", now)
    for _ in range(CLEAN + 1):
        now += 30
        probes.answered(probes.issue(B, next(tokens), now))
        for step in range(6):
            probes.issue(B, next(tokens), now + 3 + 5 * step)
    assert probes.looping(B) is None


def test_one_probe_counts_once() -> None:
    probes, tokens = Probes(), (f"{number:032x}" for number in range(100))
    probes.arrived(probes.issue(B, next(tokens), 0), "http", 0)
    probes.answered(probes.issue(B, next(tokens), 30))
    for step in range(10):
        probes.issue(B, next(tokens), 40 + step)
    assert probes.looping(B) is not None


def test_names_of_strangers_take_bounded_memory() -> None:
    probes = Probes()
    for number in range(SEEN_MAX + 10):
        probes.arrived(f"appliance-probe-{number:032x}.txt", "http", 0)
    assert probes.arrived(f"appliance-probe-{SEEN_MAX:032x}.txt", "http", 1)[0] is Arrival.SEEN
    assert probes.arrived(f"appliance-probe-{0:032x}.txt", "http", 1)[0] is Arrival.FORWARD
