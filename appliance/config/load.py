"""The door of this part: from a file, or from its text, to a Configuration."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.config import addresses, schema
from appliance.config.faults import ConfigurationError, Fault
from appliance.config.lines import SIZE_MAX, scan
from appliance.config.migrate import migrate
from appliance.config.model import (
    Cache,
    Cluster,
    Configuration,
    Interface,
    Local,
    Lookup,
    Paths,
    Ssh,
    System,
    Tftp,
    Trust,
)
from appliance.config.networks import smallest_first
from appliance.config.verify import verify


def parse(text: bytes, base: str) -> Configuration:
    """Return the configuration in `text`; raise ConfigurationError with all of its faults.

    `base` names the text in the error: the path of its file, or where else it came from.
    """
    lines = scan(migrate(text, base), base)
    values, faults = schema.check(lines.text)
    configuration = _configuration(values)
    written = {str(addresses.network(key)): key for key in values["networks"]}
    refused = {(fault.section, fault.key) for fault in faults}
    for fault in verify(configuration):
        # That a value is missing is no second fault where one stands that was refused.
        if fault.found or (fault.section, fault.key) not in refused:
            faults.append(replace(fault, key=written.get(fault.key, fault.key)))
    placed = [replace(fault, line=fault.line or lines.number(fault.section, fault.key)) for fault in faults]
    if lines.faults or placed:
        raise ConfigurationError(base, [*lines.faults, *placed])
    return configuration


def read(path: Path) -> Configuration:
    """Return the configuration in a file; raise ConfigurationError, also when it cannot be read."""
    return parse(_content(path), str(path))


def _content(path: Path) -> bytes:
    """Return at most one byte more than a configuration may have."""
    try:
        # Without O_NONBLOCK the opening of a FIFO waits until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISREG(mode):
                with open(descriptor, "rb", closefd=False) as file:
                    return file.read(SIZE_MAX + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        found = (isinstance(error, OSError) and error.strerror) or "a name that no file can have"
        raise ConfigurationError(str(path), [Fault("", "", found, "a file that can be read")]) from error
    kind = "a folder" if stat.S_ISDIR(mode) else "a FIFO or a device"
    raise ConfigurationError(str(path), [Fault("", "", kind, "a regular file")])


def _configuration(values: dict[str, Any]) -> Configuration:
    paths = Paths(**values["paths"])
    local = values["local"]
    networks = ((addresses.network(key), place) for key, place in values["networks"].items())
    return Configuration(
        version=values["version"],
        system=System(**values["system"]),
        paths=paths,
        interfaces=tuple(Interface(name=name, **settings) for name, settings in values["network"].items()),
        tftp=Tftp(**values["tftp"]),
        local=Local(**{**local, "root": local["root"] or paths.data / "tftp"}),
        clusters=tuple(Cluster(name=name, **settings) for name, settings in values["clusters"].items()),
        lookup=Lookup(**values["lookup"]),
        networks=smallest_first(networks),
        autoregistration=values["autoregistration"]["policy"],
        cache=Cache(**values["cache"]),
        ssh=Ssh(**values["ssh"]),
        trust=Trust(**values["trust"]),
    )
