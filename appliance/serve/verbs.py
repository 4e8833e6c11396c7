"""What the proxy's Unix socket answers: a verb for each command that asks the running proxy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from appliance.cluster.names import BadName, Fault, Name, read
from appliance.config.model import IPAddress
from appliance.control.protocol import VerbError, Whose
from appliance.control.server import Verb
from appliance.report.findings import Explanation, Forgotten, Reloaded
from appliance.report.parts import split
from appliance.report.record import KEPT, Record, Trail
from appliance.report.text import printable
from appliance.serve.lookup import Asker
from appliance.serve.proxy import Proxy
from appliance.serve.state import status
from appliance.serve.survey import Survey


class Verbs:
    """The verbs, over one proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._survey = Survey(proxy.lookup, proxy.storage)

    def table(self) -> Mapping[str, Verb]:
        """Verb to what answers it."""
        return {
            "status": self.status,
            "explain": self.explain,
            "records": self.records,
            "find": self.find,
            "forget": self.forget,
            "move": self.move,
            "reload": self.reload,
        }

    def status(self, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The proxy as it is now, a `Status` in parts. No arguments."""
        _arguments(args)
        return split(status(self._proxy), "clusters")

    def explain(self, args: dict[str, Any]) -> Explanation:
        """What would be done for a request of `name` by `client` (0.0.0.0 where that does not matter)."""
        name, client = _arguments(args, name=str, client=str)
        raw = _raw(name)
        trail = Trail(client or "anybody", "none", raw, time.time(), time.monotonic())
        asker = Asker(_address(client) if client else ip_address("0.0.0.0"))
        allow = self._proxy.configuration.tftp.allow
        if client and allow and not any(asker.client in network for network in allow):
            trail.add(time.monotonic(), f"{client} is not of an allowed network ([tftp] allow)")
            return Explanation(printable(name), client, trail.steps, "refused")
        result = self._proxy.lookup.explain(raw, asker, trail)
        return Explanation(printable(name), client, trail.steps, result)

    def records(self, args: dict[str, Any]) -> Iterator[Record]:
        """The `last` requests, of `client` and of the name or device `name` where these are not empty."""
        last, name, client = _arguments(args, last=int, name=str, client=str)
        if not 1 <= last <= KEPT:
            raise VerbError(Whose.PEER, f"between 1 and {KEPT} requests can be told of", "last")
        who = str(_address(client)) if client else None
        self._proxy.told()
        return self._proxy.records.last(last, who, name or None)

    def find(self, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Who has the file `name`, `Findings` in parts: the store and every cluster are asked, past all that
        is remembered. A device's name stands for its configuration.
        """
        (text,) = _arguments(args, name=str)
        return split(self._survey.find(_configuration(text)), "places")

    def move(self, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Make the place `to` the home of `device`, where it has it; what is left to do: `Moved` in parts."""
        text, to = _arguments(args, device=str, to=str)
        name = _configuration(text)
        if name.device is None:
            raise VerbError(Whose.PEER, f"{printable(text)} is no device's name", "device")
        configuration = self._proxy.configuration
        places = [configuration.local.name, *(each.name for each in configuration.clusters if each.enabled)]
        if to not in places:
            allowed = ", ".join(places)
            raise VerbError(Whose.PEER, f"{printable(to)} is no enabled cluster; there are {allowed}", "to")
        moved = self._survey.move(name.device, name, to)
        self._proxy.clusters.fetches.forget(lambda asked: _concerns(name.device or "", asked))
        return split(moved, "places", "left")

    def forget(self, args: dict[str, Any]) -> Forgotten:
        """Drop what is remembered of a name or device, or everything where `name` is empty."""
        (text,) = _arguments(args, name=str)

        def concerned(asked: str) -> bool:
            return not text or _concerns(text, asked)

        knowledge = self._proxy.lookup.knowledge
        negatives = knowledge.negatives.forget(concerned)
        homes = knowledge.homes.forget(lambda device, _: not text or device.upper() == text.upper())
        copies = self._proxy.clusters.kept.forget(concerned)
        return Forgotten(negatives, self._proxy.clusters.fetches.forget(concerned), homes, copies)

    def reload(self, args: dict[str, Any]) -> Reloaded:
        """Go by the configuration's file as it is now. No arguments."""
        _arguments(args)
        return self._proxy.reload()


def _arguments(args: dict[str, Any], **wanted: type) -> list[Any]:
    """The arguments in the order of `wanted`, an empty value for one that is absent."""
    if unknown := sorted(set(args) - set(wanted)):
        raise VerbError(Whose.PEER, f"unknown argument: {printable(unknown[0])}", "args")
    for key, kind in wanted.items():
        if key in args and type(args[key]) is not kind:
            raise VerbError(Whose.PEER, f"must be a {kind.__name__}", key)
    return [args.get(key, kind()) for key, kind in wanted.items()]


def _address(text: str) -> IPAddress:
    try:
        return ip_address(text)
    except ValueError:
        raise VerbError(Whose.PEER, f"{printable(text)} is no IPv4 or IPv6 address", "client") from None


def _configuration(text: str) -> Name:
    """The name of a file; a device's name stands for its configuration."""
    name = _name(text)
    return name if name.device is not None or "." in text else _name(f"{text}.cnf.xml")


def _concerns(text: str, asked: str) -> bool:
    """Whether a file, as it was asked for, is the one or belongs to the device that `text` names."""
    try:
        name = read(asked.encode())
    except BadName:
        return False
    return text.lower() in (name.path.lower(), asked.lower(), (name.device or "").lower())


def _name(text: str) -> Name:
    try:
        return read(_raw(text))
    except BadName as fault:
        raise VerbError(Whose.PEER, str(fault), "name") from None


def _raw(text: str) -> bytes:
    """The bytes of a name; those that are no UTF-8 come as Python's surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise VerbError(Whose.PEER, Fault.NOT_PRINTABLE.value, "name") from None
