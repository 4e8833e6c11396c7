"""ConfigObj and the schema. No other file imports ConfigObj, so that it can be exchanged.

ConfigObj splits lines into sections, keys and lists; its Validator reads the checks of `configspec.ini`.
Its own `validate` is not used: it ends with AttributeError for a section where a key is meant, passes
over a section [DEFAULT], and does not keep what was found.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from configobj import ConfigObj, ConfigObjError
from configobj.validate import Validator, VdtMissingValue

from appliance.config import addresses, interfaces, values
from appliance.config.faults import SEPARATOR, Fault, Refused
from appliance.config.model import (
    CommonFiles,
    IPv4Mode,
    IPv6Mode,
    Protocol,
    SignatureHash,
    TrustMode,
    Unavailable,
)

MANY = "__many__"
"""Stands in the schema for sections, or for keys, that the administrator names."""

_NAMES: dict[str, Callable[[str], Any]] = {
    "clusters": values.name,
    "network": interfaces.ifname,
    "networks": addresses.network,
}
"""What the administrator's names are, for each section in which there are such."""

_NOUNS: dict[tuple[str, ...], str] = {("clusters",): "cluster", ("network",): "interface"}
"""What the sections stand for that the administrator names."""

_SUGGESTIONS_MAX = 100  # a file with more faults is not mistyped, and difflib is slow

Section = dict[str, Any]
Given = str | list[str] | Section | None


def check(lines: Sequence[str]) -> tuple[Section, list[Fault]]:
    """Return the checked values, nested as the sections are, and the faults, without their lines.

    In place of what is refused stands its default, or the good part of a list, for the rules between
    settings. (A refused `version` is None; no rule asks for it.)
    """
    found, faults = tree(lines)
    return _section(found, schema(), (), faults), faults


def tree(lines: Sequence[str]) -> tuple[Section, list[Fault]]:
    """Return the sections and keys of lines that `lines.scan` let pass, as text and lists of text."""
    try:
        return ConfigObj(list(lines), interpolation=False), []
    except ConfigObjError as error:
        faults = [
            Fault("", "", fault.line, f"a line that ConfigObj can read ({fault})", fault.line_number)
            for fault in error.errors
        ]
        return error.config, faults


@functools.cache
def schema() -> Section:
    """Return `configspec.ini`: the check of each key, in its section."""
    text = Path(__file__).with_name("configspec.ini").read_text(encoding="utf-8")
    spec: Section = ConfigObj(text.splitlines(), interpolation=False, list_values=False, _inspec=True)
    return spec


def _section(found: Section, spec: Section, path: tuple[str, ...], faults: list[Fault]) -> Section:
    """Return the values of one section and of those in it."""
    _unknown(found, spec, path, faults)
    checked: Section = {}
    for key, wanted in spec.items():
        given = found.get(key)
        if key == MANY:
            checked |= _named(found, wanted, path, faults)
        elif isinstance(wanted, str):
            checked[key] = _setting(given, wanted, SEPARATOR.join(path), key, faults)
        else:
            checked[key] = _section(given if isinstance(given, dict) else {}, wanted, (*path, key), faults)
    return checked


def _named(found: Section, wanted: str | Section, path: tuple[str, ...], faults: list[Fault]) -> Section:
    """Return the sections that the administrator names, or the keys whose name and value are good."""
    here = SEPARATOR.join(path)
    taken: dict[Any, str] = {}
    checked: Section = {}
    for name, given in found.items():
        if isinstance(given, dict) and isinstance(wanted, dict):
            faults.extend(_misnamed(name, here, (SEPARATOR.join((*path, name)), ""), taken))
            checked[name] = _section(given, wanted, (*path, name), faults)
        elif isinstance(wanted, str) and not isinstance(given, dict):
            misnamed = _misnamed(name, here, (here, name), taken)
            faults.extend(misnamed)
            value = _setting(given, wanted, here, name, faults)
            if value is not None and not misnamed:
                checked[name] = value
    return checked


def _misnamed(name: str, section: str, place: tuple[str, str], taken: dict[Any, str]) -> list[Fault]:
    """Return what is wrong with a name that the administrator chose; `taken` are those before it."""
    try:
        first = taken.setdefault(_NAMES[section](name), name)
    except Refused as refused:
        return [Fault(*place, *reason) for reason in refused.reasons]
    return [] if first == name else [Fault(*place, name, f"each once; {first} above is the same")]


def _setting(given: Given, wanted: str, section: str, key: str, faults: list[Fault]) -> Any:
    """Return the value of one key."""
    if isinstance(given, dict):
        return _default(wanted)  # `_unknown` has reported that a section has the key's name
    try:
        return _validate(wanted, given)
    except Refused as refused:
        faults.extend(Fault(section, key, *reason) for reason in refused.reasons)
        return _default(wanted) if refused.accepted is None else refused.accepted


def _default(wanted: str) -> Any:
    """Return the default; without one an empty list, or None where no list is wanted."""
    try:
        return _validate(wanted, None)
    except Refused as refused:
        return refused.accepted


def _validate(wanted: str, given: str | list[str] | None) -> Any:
    try:
        return _validator().check(wanted, given, missing=given is None)
    except VdtMissingValue:
        return _validator().check(wanted, "")  # and its check says what is allowed


def _unknown(found: Section, spec: Section, path: tuple[str, ...], faults: list[Fault]) -> None:
    """Report what is not in the schema, or is a section there and a key here, or the other way round."""
    sections = [name for name in spec if isinstance(spec[name], dict) and name != MANY]
    keys = [name for name in spec if not isinstance(spec[name], dict) and name != MANY]
    many = spec.get(MANY)
    here = SEPARATOR.join(path)
    for name, value in found.items():
        if isinstance(value, dict):
            if name in sections or isinstance(many, dict):
                continue
            header = "[" * (len(path) + 1) + name + "]" * (len(path) + 1)
            allowed = f"{name} = value" if name in keys else _known("section", name, sections, path, faults)
            faults.append(Fault(SEPARATOR.join((*path, name)), "", header, allowed))
        elif name in sections:
            faults.append(Fault(here, name, _text(value), f"a section [{name}]"))
        elif name not in keys and not isinstance(many, str):
            faults.append(Fault(here, name, name, _known("key", name, keys, path, faults)))


def _known(kind: str, name: str, known: list[str], path: tuple[str, ...], faults: list[Fault]) -> str:
    """Return which names are known where an unknown one was found."""
    if not known:
        return (
            f"sections [[name]] alone, one for each {_NOUNS[path]}"
            if kind == "key"
            else "keys alone, no section"
        )
    near = get_close_matches(name.lower(), known, n=1) if len(faults) < _SUGGESTIONS_MAX else []
    if near:
        return f'a known {kind}; did you mean "{near[0]}"?'
    hint = "; a cluster is a section [[name]] below [clusters]" if kind == "section" and not path else ""
    return f"a known {kind}: {', '.join(known)}{hint}"


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _one(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Return a check of one value."""

    def check_one(found: str | list[str], **bounds: str) -> Any:
        if isinstance(found, str):
            return parse(found, **bounds)
        raise Refused((_text(found), "one value; text with a comma stands in quotes"))

    return check_one


def _whole(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """Return a check of one value that can hold commas."""
    return lambda found: parse(_text(found))


def _many(parse: Callable[[str], Any], noun: str) -> Callable[..., tuple[Any, ...]]:
    """Return a check of a list. One value is a list too; an empty one is a list of none."""

    def check_many(found: str | list[str], *, min: str = "0", max: str | None = None) -> tuple[Any, ...]:
        items = found if isinstance(found, list) else [found] if found else []
        good: list[Any] = []
        reasons: list[tuple[str, str]] = []
        for item in items:
            try:
                good.append(parse(item))
            except Refused as refused:
                reasons.extend(refused.reasons)
        if len(items) < int(min) or (max is not None and len(items) > int(max)):
            reasons.append((_text(found), f"{min} to {max} {noun}" if max else f"{min} or more {noun}"))
        if reasons:
            raise Refused(*reasons, accepted=tuple(good))
        return tuple(good)

    return check_many


@functools.cache
def _validator() -> Any:
    return Validator(
        {
            "boolean": _one(values.boolean),
            "cluster_addresses": _many(addresses.cluster_address, "addresses"),
            "common_files": _whole(functools.partial(values.choice, choices=CommonFiles)),
            "description": _one(values.description),
            "dscp": _one(values.dscp),
            "folder": _one(values.folder),
            "hostname": _one(values.hostname),
            "integer": _one(values.integer),
            "ipv4": _one(functools.partial(values.choice, choices=IPv4Mode)),
            "ipv4_gateway": _one(interfaces.ipv4_gateway),
            "ipv4_interfaces": _many(interfaces.ipv4_interface, "addresses"),
            "ipv6": _one(functools.partial(values.choice, choices=IPv6Mode)),
            "ipv6_gateway": _one(interfaces.ipv6_gateway),
            "ipv6_interfaces": _many(interfaces.ipv6_interface, "addresses"),
            "interface_names": _many(addresses.interface_name, "interfaces"),
            "listen_addresses": _many(addresses.listen_address, "addresses"),
            "name": _one(values.name),
            "name_servers": _many(addresses.name_server, "addresses"),
            "networks": _many(addresses.network, "networks"),
            "policy": _one(values.policy),
            "port": _one(values.port),
            "protocol": _one(functools.partial(values.choice, choices=Protocol)),
            "routes": _many(interfaces.route, "routes"),
            "seconds": _one(values.seconds),
            "serial_speed": _one(values.serial_speed),
            "syslog": _one(values.syslog),
            "time_servers": _many(addresses.time_server, "servers"),
            "timestamp": _one(values.timestamp),
            "timezone": _one(values.timezone),
            "signature_hash": _one(functools.partial(values.choice, choices=SignatureHash)),
            "size": _one(values.size),
            "trust_mode": _one(functools.partial(values.choice, choices=TrustMode)),
            "unavailable": _one(functools.partial(values.choice, choices=Unavailable)),
        }
    )
