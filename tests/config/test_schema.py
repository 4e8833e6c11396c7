"""The schema, the model, the example and ConfigObj: what stands in one stands in the others."""

from __future__ import annotations

import dataclasses
import re
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import model, schema
from appliance.config.faults import Fault
from appliance.config.lines import scan
from appliance.config.load import parse
from tests.config.test_load import DEFAULTS, EXAMPLE


def keys(section: schema.Section) -> dict[str, set[str]]:
    """The keys of each section; "" is the top of the file."""
    here = {name for name, value in section.items() if not isinstance(value, dict)}
    found = {"": here}
    for name, value in section.items():
        if isinstance(value, dict):
            found |= {f"{name}/{inner}".rstrip("/"): names for inner, names in keys(value).items()}
    return found


def fields(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_model_and_schema() -> None:
    sections: dict[str, set[str]] = {"": set(), "clusters": set(), "clusters/__many__": fields(model.Cluster)}
    sections |= {"network": set(), "network/__many__": fields(model.Interface) - {"name"}}
    sections["networks"] = {schema.MANY}
    sections["clusters/__many__"].remove("name")  # is the section's
    for name, kind in typing.get_type_hints(model.Configuration).items():
        if dataclasses.is_dataclass(kind):
            sections[name] = fields(typing.cast(type, kind))
        elif name not in sections and name != "interfaces":
            sections[""].add(name)
    sections["autoregistration"].remove("cluster")  # is part of the policy
    assert keys(schema.schema()) == sections


def test_addresses_of_a_cluster() -> None:
    check = schema.schema()["clusters"][schema.MANY]["addresses"]
    assert check == f"cluster_addresses(min=1, max={model.ADDRESSES_MAX})"


def test_example_has_every_key() -> None:
    tree, faults = schema.tree(scan(EXAMPLE.read_bytes(), "example.conf").text)
    found = keys(tree)
    found["clusters/__many__"] = found.pop("clusters/east") | found.pop("clusters/west_2.old")
    found["network/__many__"] = found.pop("network/eth0") | found.pop("network/eth0.10")
    found["networks"] = {schema.MANY}
    assert len(tree["networks"]) > 1
    assert faults == []
    assert found == keys(schema.schema())


def test_defaults_of_a_cluster() -> None:
    """Those that the model has as well are the schema's."""
    tree = scan(b"version = 1\n[clusters]\n[[east]]\naddresses = ::2", "test.conf").text
    checked, _ = schema.check(tree)
    given = {field.name: field.default for field in dataclasses.fields(model.Cluster)}
    given = {name: value for name, value in given.items() if value is not dataclasses.MISSING}
    assert given
    assert given.items() <= checked["clusters"]["east"].items()


DEFAULT = re.compile(r"default=(?:list\((?P<items>.*?)\)|(?P<one>[^()]*))\)$")


def with_defaults(section: typing.Any, depth: int = 1) -> typing.Iterator[str]:
    """Each key of a section of the schema with its default, as an administrator would write it."""
    for key in section.scalars:
        match = DEFAULT.search(section[key])
        if match and match["one"] != "None":
            yield f"{key} = {match['one'] if match['items'] is None else match['items'] or ','}"
    for name in section.sections:
        if name != schema.MANY:
            yield "[" * depth + name + "]" * depth
            yield from with_defaults(section[name], depth + 1)


def test_each_default_can_be_written() -> None:
    lines = list(with_defaults(schema.schema()))
    assert len(lines) > 40
    assert parse("\n".join(["version = 1", *lines]).encode(), "test.conf") == DEFAULTS


@pytest.mark.parametrize(("section", "name"), [("clusters", "east"), ("network", "eth0")])
def test_each_default_of_a_section_with_a_name_can_be_written(section: str, name: str) -> None:
    head = f"version = 1\n[{section}]\n[[{name}]]\n" + ("addresses = ::2\n" if section == "clusters" else "")
    lines = list(with_defaults(schema.schema()[section][schema.MANY]))
    assert len(lines) >= 5
    assert parse((head + "\n".join(lines)).encode(), "test.conf") == parse(head.encode(), "test.conf")


def commented(section: typing.Any) -> typing.Iterator[tuple[str, list[str]]]:
    for key in section.scalars:
        above = section.comments[key] or section.main.initial_comment
        yield key, [line for line in above if line.startswith("# ")]
    for name in section.sections:
        yield from commented(section[name])


@pytest.mark.parametrize(("key", "comment"), list(commented(schema.schema())))
def test_every_key_is_explained(key: str, comment: list[str]) -> None:
    assert comment, key
    assert comment[-1].endswith(".")


def test_what_configobj_refuses() -> None:
    tree, faults = schema.tree(["a = 1", "a = 2", "[b]", "[b]"])
    assert tree == {"a": "1", "b": {}}
    assert faults == [
        Fault("", "", "a = 2", "a line that ConfigObj can read (Duplicate keyword name at line 2.)", 2),
        Fault("", "", "[b]", "a line that ConfigObj can read (Duplicate section name at line 4.)", 4),
    ]


def paths(section: schema.Section, above: tuple[str, ...] = ()) -> typing.Iterator[tuple[str, ...]]:
    for name, value in section.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from paths(value, (*above, name))


NAMES = st.sampled_from(["a", "b", "c d", "__many__", "DEFAULT"])
ITEMS = st.text(st.sampled_from("ab '\"#,[]=%$\\\t\N{NO-BREAK SPACE}\u2028"), max_size=6)
QUOTED = ITEMS.map(lambda text: f'"{text}"') | ITEMS.map(lambda text: f"'{text}'")
VALUES = st.lists(ITEMS | QUOTED, max_size=3).map(", ".join)
SETTINGS = st.tuples(NAMES | ITEMS, VALUES).map(" = ".join)
HEADERS = st.tuples(st.integers(1, 3), NAMES | ITEMS).map(lambda h: "[" * h[0] + h[1] + "]" * h[0])


@given(st.lists(SETTINGS | HEADERS | ITEMS, max_size=12))
def test_what_passes_the_scan_is_read_as_the_scan_read_it(lines: list[str]) -> None:
    scanned = scan("\n".join(lines).encode(), "test.conf")
    tree, faults = schema.tree(scanned.text)
    assert faults == []
    assert set(paths(tree)) == set(scanned.places)
