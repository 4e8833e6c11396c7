"""The architecture: who may import whom, and who may touch the world. A breach fails by file and import;
so does a permission that nobody needs any more.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ROOT / "appliance"

PARTS = {
    # A part imports parts above it only.
    "tftp": "",
    "http": "",
    "report": "",
    "store": "",
    "cache": "",
    "config": "report",
    "services": "report config",
    "network": "report config services",
    "cluster": "tftp http cache config network",
    "control": "report config services network",
    "trust": "report config",
    "serve": "tftp http report store cache config network cluster control trust",
    "commands": "tftp report config services network cluster control serve trust",
}
"""Each part, and the parts that it imports."""

DOORS = {
    "tftp": "blocks netascii options packet receiver sender timing",
    "http": "answer reply request response",
    "report": "control counters findings network parts record services status syslog text trust",
    "store": "folder store",
    "cache": "disk kept reader shelf terms",
    "config": (
        "atomic belongings bundle changes difference faults history load migrate model networks peer revision"
    ),
    "services": "services supervised zone",
    "network": "addresses checks configured monitor rtnetlink sockaddr state",
    "cluster": (
        "answer body box breaker clusters decision device fetch homes knowledge loop move names probe search "
        "situation upstream upstream_tftp verdict"
    ),
    "control": "client daemon protocol server start",
    "trust": (
        "bundle certificate check envelope exchange header identity keystore lists made pkcs12 shown "
        "signature signedfile signing storefolder stores tlv trustlist tvs"
    ),
    "serve": "nursery proxy verbs",
    "commands": "main",
}
"""The modules of each part that others import."""

TOUCHES = {
    "__main__": "sys",
    "config/atomic": "os secrets files",
    "config/belongings": "os files",
    "config/history": "os files",
    "config/load": "os files",
    "config/schema": "configobj files",
    "config/seal": "cryptography secrets",
    "services/chronyd": "gevent os pwd signal files",
    "services/hostkeys": "gevent os files",
    "services/programs": "shutil",
    "services/services": "clock gevent",
    "services/sessions": "os signal files",
    "services/sshd": "gevent signal time files",
    "services/supervised": "ctypes gevent signal time",
    "services/zone": "zoneinfo files",
    "network/addresses": "netifaces",
    "network/checks": "gevent",
    "network/configured": "gevent files",
    "network/leases": "time files",
    "network/resolver": "socket files",
    "network/rtnetlink": "gevent os pyroute2 socket threading files",
    "network/monitor": "gevent socket",
    "network/sockaddr": "socket",
    "store/folder": "os threading time",
    "store/listing": "threading",
    "store/store": "time",
    "cache/disk": "os files",
    "cache/kept": "gevent time",
    "cache/threads": "gevent time",
    "cache/writer": "gevent time",
    "cluster/body": "gevent os tempfile",
    "cluster/box": "secrets",
    "cluster/comparisons": "gevent time",
    "cluster/inventories": "gevent",
    "cluster/inventory": "sys",
    "cluster/loops": "gevent secrets time",
    "cluster/journal": "gevent os files",
    "cluster/clients": "gevent secrets time",
    "cluster/connections": "gevent socket time",
    "cluster/fetch": "gevent time",
    "cluster/prober": "gevent time",
    "cluster/race": "gevent time",
    "cluster/search": "gevent time",
    "cluster/upstream_http": "gevent time",
    "cluster/upstream_tftp": "gevent time",
    "control/audit": "os files",
    "control/bundles": "time",
    "control/child": "gevent os sys",
    "control/client": "socket",
    "control/commit": "gevent time",
    "control/daemon": "gevent os signal time",
    "control/disk": "time",
    "control/log": "gevent sys time",
    "control/parts": "time",
    "control/peers": "grp os pwd socket",
    "control/server": "gevent os files",
    "control/start": "files",
    "control/threads": "gevent",
    "control/verbs": "time",
    "control/work": "ctypes os pwd resource sys",
    "trust/certificate": "cryptography",
    "trust/identity": "cryptography",
    "trust/keystore": "fcntl os files",
    "trust/made": "os files",
    "trust/pkcs12": "cryptography",
    "trust/storefolder": "files",
    "serve/arrivals_python": "socket",
    "serve/channel": "array gevent os socket",
    "serve/datagrams": "fcntl socket",
    "serve/connection": "gevent socket time",
    "serve/exchange": "time",
    "serve/http": "gevent socket time",
    "serve/listeners": "gevent",
    "serve/log": "gevent sys time",
    "serve/lookup": "gevent time",
    "serve/nursery": "gc os pwd select signal socket sys",
    "serve/phones": "gevent socket",
    "serve/ports": "ctypes socket",
    "serve/privileges": "ctypes os pwd resource",
    "serve/proxy": "gc gevent os signal socket time files",
    "serve/questions": "gevent",
    "serve/relay": "gevent",
    "serve/remote": "gevent time",
    "serve/seat": "gevent time",
    "serve/state": "time",
    "serve/storage": "gevent time",
    "serve/survey": "gevent time",
    "serve/syslog": "gevent os select socket time",
    "serve/tftp": "gevent socket time",
    "serve/pump": "os",
    "serve/pump_python": "select socket",
    "serve/tids": "gevent random socket time",
    "serve/transfer": "gevent socket time",
    "serve/verbs": "time",
    "serve/wire": "gevent socket time",
    "serve/worker": "gc gevent pickle socket",
    "serve/workers": "gevent pickle socket time",
    "commands/answer": "os sys",
    "commands/arguments": "os",
    "commands/config": "os sys",
    "commands/config_control": "sys files",
    "commands/control": "sys",
    "commands/get": "gevent http.client os socket sys time",
    "commands/main": "os sys files",
    "commands/network": "os",
    "commands/progress": "sys time",
    "commands/proxy": "sys",
    "commands/sink": "signal tempfile files",
    "commands/trust_cert": "clock",
    "commands/trust_check": "clock",
    "commands/trust_export": "clock",
    "commands/trust_fetch": "files",
    "commands/trust_show": "sys",
    "commands/trust_sign": "time files",
    "commands/trust_store": "clock",
    "commands/trust_text": "sys files",
    "commands/trust_tvs": "socket ssl",
}
"""What a file touches besides its arguments: a module of that kind, `files` by their path, the `clock` of
datetime. A file without a row is pure.
"""

PURE = """
    tftp/* http/* report/* cache/entry cache/index cache/shelf cache/terms
    cluster/homes cluster/journal_line cluster/marks cluster/names cluster/neighbours
    cluster/decision cluster/negative cluster/loop cluster/health cluster/upstream
    cluster/answer cluster/breaker cluster/comparison cluster/device cluster/knowledge cluster/move
    cluster/precedence cluster/probe cluster/situation cluster/verdict
    config/addresses config/bundle config/changes config/difference config/faults config/interfaces
    config/lines config/migrate config/model config/networks config/peer config/revision config/tar
    config/values config/verify config/verify_interfaces
    services/chrony services/sshd_config
    network/change network/lease network/plan network/proposal network/shown network/solicit network/state
    network/wanted
    control/arguments control/force control/pending control/pieces control/places control/protocol
    control/selftests
    trust/bundle trust/check trust/envelope trust/exchange trust/expiry trust/header trust/index trust/lists
    trust/shown trust/signature trust/signedfile trust/signing trust/stores trust/tlv trust/trustlist
    trust/tvs
    serve/backoff serve/framing serve/listening serve/messages serve/steering serve/stripping
    commands/machine
"""
"""What is pure by design, and shall never get a row above."""

HARMLESS = """
    __future__ argparse base64 binascii collections collections.abc contextlib dataclasses datetime difflib
    enum errno functools hashlib ipaddress itertools json math pathlib re stat string struct textwrap
    traceback types typing urllib.parse warnings zlib
"""
"""Modules that touch nothing by themselves. (`pathlib` gives values; its calls that touch are `files`.)"""

FILE_CALLS = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "rmdir", "unlink", "rename"),
    *("touch", "chmod", "exists", "is_file", "is_dir", "iterdir", "glob", "rglob", "resolve", "symlink_to"),
}

FILES = {str(path.relative_to(CODE).with_suffix("")): path for path in sorted(CODE.rglob("*.py"))}


def imports(source: str) -> Iterator[str]:
    """Each module that is imported anywhere in a file; `from a import b` as a.b, be it a module or not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def touched(source: str) -> set[str]:
    """Files and the clock, where the code of a file touches these by a call."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="open")):
                found.add("files")
            case ast.Call(func=ast.Name(id="__import__")):
                found.add("imports")
            case ast.Call(func=ast.Attribute(attr=name)) if name in FILE_CALLS - {"open"}:
                found.add("files")
            case ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today")):
                found.add("clock")
    return found


def part_of(name: str) -> str:
    return name.partition("/")[0] if "/" in name else ""


def inside(name: str) -> set[tuple[str, str]]:
    """What a file imports of other parts: (part, module)."""
    found = set()
    for module in imports(FILES[name].read_text()):
        top, *path = module.split(".")
        if top == "appliance" and path and path[0] in PARTS and path[0] != part_of(name):
            found.add((path[0], path[1] if len(path) > 1 else ""))
    return found


def outside(name: str) -> set[str]:
    """What a file imports that is neither ours nor harmless."""
    harmless = set(HARMLESS.split())
    found = set()
    for module in imports(FILES[name].read_text()):
        parent = module.rpartition(".")[0]
        top = module.partition(".")[0]
        if top == "appliance" or module in harmless or parent in harmless:
            continue
        found.add("http.client" if module.startswith("http.client") else top)
    return found


def test_every_folder_is_a_part() -> None:
    assert {part_of(name) for name in FILES} - {""} == set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_parts(part: str) -> None:
    """What is imported is allowed, and what is allowed is imported."""
    allowed, above = set(PARTS[part].split()), list(PARTS)[: list(PARTS).index(part)]
    assert allowed <= set(above), "a part imports parts above it only"
    found = {name: {other for other, _ in inside(name)} for name in FILES if part_of(name) == part}
    assert {name: parts - allowed for name, parts in found.items() if parts - allowed} == {}
    assert allowed - set().union(*found.values()) == set(), "allowed, but nobody needs it"


@pytest.mark.parametrize("part", DOORS)
def test_doors(part: str) -> None:
    doors = set(DOORS[part].split())
    found = {name: {module for other, module in inside(name) if other == part} for name in FILES}
    assert {name: modules - doors for name, modules in found.items() if modules - doors} == {}
    assert doors - set().union(*found.values()) == set(), "a door that nobody uses"


@pytest.mark.parametrize("name", FILES)
def test_touches(name: str) -> None:
    allowed = set(TOUCHES.get(name, "").split())
    found = outside(name) | touched(FILES[name].read_text())
    assert found - allowed == set(), f"{name} touches what its row does not name"
    assert allowed - found == set(), f"the row of {name} names what it does not touch"


def test_every_row_has_its_file() -> None:
    assert set(TOUCHES) - set(FILES) == set()


@pytest.mark.parametrize("pattern", PURE.split())
def test_pure(pattern: str) -> None:
    names = [name for name in FILES if Path(name).match(pattern)]
    assert names
    assert [name for name in names if name in TOUCHES] == []


def test_harmless_modules_are_those_in_use() -> None:
    used = {module for name in FILES for module in imports(FILES[name].read_text())}
    used |= {module.rpartition(".")[0] for module in used}
    assert set(HARMLESS.split()) - used == set()


@pytest.mark.parametrize(
    ("library", "files"),
    [
        ("configobj", ["config/schema"]),
        ("netifaces", ["network/addresses"]),
        ("pyroute2", ["network/rtnetlink"]),
        ("cryptography", ["config/seal", "trust/certificate", "trust/identity", "trust/pkcs12"]),
    ],
)
def test_one_file_alone_knows_a_library(library: str, files: list[str]) -> None:
    assert [name for name in FILES if library in outside(name)] == files


@pytest.mark.parametrize("path", sorted([*CODE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]))
def test_nothing_is_patched(path: Path) -> None:
    assert [module for module in imports(path.read_text()) if module.startswith("gevent.monkey")] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os", {"os"}),
        ("import os.path as p, sys", {"os.path", "sys"}),
        ("from gevent import monkey", {"gevent.monkey"}),
        ("import gevent.monkey", {"gevent.monkey"}),
        ("def f():\n    from time import time", {"time.time"}),
        ("if TYPE_CHECKING:\n    import socket", {"socket"}),
        ("try:\n    import a\nexcept ImportError:\n    import b", {"a", "b"}),
        ("from . import x", {"..x"}),
        ("from .. import x", {"...x"}),
        ("'import os'", set()),
    ],
)
def test_the_look_at_imports(source: str, found: set[str]) -> None:
    assert set(imports(source)) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open('x')", {"files"}),
        ("path.read_text()", {"files"}),
        ("Path('x').mkdir(parents=True)", {"files"}),
        ("__import__('os')", {"imports"}),
        ("datetime.now(UTC)", {"clock"}),
        ("datetime.date.today()", {"clock"}),
        ("datetime.fromtimestamp(0)", set()),
        ("text.replace('a', 'b')", set()),
        ("storage.open('x')", set()),
    ],
)
def test_the_look_at_calls(source: str, found: set[str]) -> None:
    assert touched(source) == found
