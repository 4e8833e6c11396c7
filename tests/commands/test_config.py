"""`config check`: what it says of a configuration that has no fault."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.commands.machine import Misfit, misfits
from appliance.commands.main import main
from appliance.config import load
from tests.report.printed import SHAPES
from tests.report.shape import unlike

OWN = frozenset(map(ip_address, ("127.0.0.1", "::1", "10.1.1.5", "fe80::1%eth0")))

EAST = "[clusters]\n[[east]]\naddresses = 10.1.0.10\n"
ITSELF = "an address of this box itself: it is never asked"
NO_ADDRESS = "this machine does not have this address"
NO_NETWORK = "[networks] is empty: phones that nobody knows get no default files"
OFF = "old is switched off: for these clients it is as if no network were set"
NOT_STALE = "stale is 0: no file is served while its cluster is down"
NO_CLUSTER = Misfit("clusters", "", "", "no cluster is enabled: phones get the files of the store alone")


@pytest.mark.parametrize(
    ("text", "store", "found"),
    [
        (EAST, "", []),
        ("", "", [NO_CLUSTER]),
        (f"{EAST}enabled = no\n", "", [NO_CLUSTER]),
        (
            f"[local]\nroot = /data/files\n{EAST}",
            "no such folder",
            [Misfit("local", "root", "/data/files", "no such folder")],
        ),
        (f"[tftp]\nlisten = 0.0.0.0, ::\n{EAST}", "", []),
        (f"[tftp]\nlisten = 127.0.0.9, 10.1.1.5, ::1, fe80::1%eth0\n{EAST}", "", []),
        (
            f"[tftp]\nlisten = 10.1.1.6, fe80::1%eth1\n{EAST}",
            "",
            [
                Misfit("tftp", "listen", "10.1.1.6", NO_ADDRESS),
                Misfit("tftp", "listen", "fe80::1%eth1", NO_ADDRESS),
            ],
        ),
        (
            f"[tftp]\ninterfaces = eth0, eth7\n{EAST}",
            "",
            [Misfit("tftp", "interfaces", "eth7", "this machine does not have this interface")],
        ),
        (
            f"{EAST}[[self]]\naddresses = 10.1.1.5, 10.1.0.11\n",
            "",
            [Misfit("clusters / self", "addresses", "10.1.1.5", ITSELF)],
        ),
        (f"{EAST}[[self]]\naddresses = 10.1.1.5\nenabled = no\n", "", []),
        # A box that only passes on, and one beside its own store, have nothing to be told
        (f"{EAST}[networks]\n10.9.0.0/16 = east\n[autoregistration]\npolicy = network\n", "", []),
        (f"{EAST}[networks]\n10.9.0.0/16 = local\n[autoregistration]\npolicy = local\n", "", []),
        (f"{EAST}[autoregistration]\npolicy = east\n", "", []),
        (
            f"{EAST}[autoregistration]\npolicy = network\n",
            "",
            [Misfit("autoregistration", "policy", "network", NO_NETWORK)],
        ),
        (
            f"{EAST}[[old]]\naddresses = 10.1.0.11\nenabled = no\n"
            "[networks]\n10.9.0.0/16 = old\n10.8.0.0/16 = east\n",
            "",
            [Misfit("networks", "10.9.0.0/16", "old", OFF)],
        ),
        (
            f"[tftp]\nallow = 10.9.0.0/16, 2001:db8::/32\n{EAST}"
            "[networks]\n10.0.0.0/8 = east\n10.9.1.0/24 = east\n10.8.0.0/16 = east\n",
            "",
            [Misfit("networks", "10.8.0.0/16", "east", "[tftp] allow serves no client of this network")],
        ),
        (f"{EAST}[lookup]\nstale = 60\nstale_configs = yes\n", "", []),
        (f"{EAST}stale = 60\n[lookup]\nstale_configs = yes\n", "", []),
        (
            f"{EAST}stale = 0\n[lookup]\nstale_configs = yes\n",
            "",
            [Misfit("lookup", "stale_configs", "yes", NOT_STALE)],
        ),
    ],
)
def test_what_does_not_fit_the_machine(text: str, store: str, found: list[Misfit]) -> None:
    configuration = load.parse(f"version = 1\n{text}".encode(), "test")
    assert list(misfits(configuration, OWN, frozenset(["lo", "eth0"]), store, "")) == found


def test_a_zone_that_the_machine_lacks() -> None:
    configuration = load.parse(f"version = 1\n[system]\ntimezone = Mars/Olympus\n{EAST}".encode(), "test")
    found = list(misfits(configuration, OWN, frozenset(["lo", "eth0"]), "", "none such"))
    assert found == [Misfit("system", "timezone", "Mars/Olympus", "none such: the old one stays")]


@pytest.mark.parametrize(
    ("warning", "line"),
    [
        (NO_CLUSTER, f"[clusters]: {NO_CLUSTER.text}"),
        (
            Misfit("local", "root", "/a\x1b", "no such folder"),
            r'[local] root: found "/a\x1b": no such folder',
        ),
    ],
)
def test_one_line_each(warning: Misfit, line: str) -> None:
    assert str(warning) == line


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration with a warning of each kind."""
    path = tmp_path / "appliance.conf"
    path.write_text(
        f"version = 1\n[system]\ntimezone = Mars/Olympus\n"
        f"[paths]\ndata = {tmp_path}\nrun = {tmp_path}\n[tftp]\nlisten = 127.0.0.1, 192.0.2.1\n"
        "[clusters]\n[[self]]\naddresses = 127.0.0.1\n[[old]]\naddresses = 192.0.2.9\nenabled = no\n"
    )
    return path


def test_warnings(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{path}: no faults; clusters: self, old (switched off)\n"
    assert err.splitlines() == [
        'warning: [system] timezone: found "Mars/Olympus": this machine knows no such time zone: '
        "the old one stays",
        f'warning: [tftp] listen: found "192.0.2.1": {NO_ADDRESS}',
        f'warning: [local] root: found "{path.parent}/tftp": no such folder: '
        "the proxy makes it when it starts, empty",
        f'warning: [clusters / self] addresses: found "127.0.0.1": {ITSELF}',
    ]


def test_warnings_as_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--json", "-c", str(path)]) == 0
    out, err = capsys.readouterr()
    value = json.loads(out)
    assert err == ""
    assert list(unlike(value, SHAPES["config-check-warnings"])) == []
    assert (value["valid"], value["faults"]) == (True, [])
    assert [warning["key"] for warning in value["warnings"]] == ["timezone", "listen", "root", "addresses"]


def test_faults_as_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("version = 2\n")
    assert main(["config", "check", "--json", str(path)]) == 1
    value = json.loads(capsys.readouterr().out)
    assert list(unlike(value, SHAPES["config-check"])) == []
    assert (value["valid"], len(value["faults"]), value["warnings"]) == (False, 1, [])


@pytest.mark.parametrize(
    ("root", "told"),
    [
        ("{here}", ""),
        ("{here}/none", "no such folder"),
        ("{here}/appliance.conf", "not a folder"),
        ("{here}/appliance.conf/x", "Not a directory"),
    ],
)
def test_the_store(root: str, told: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = root.format(here=path.parent)
    path.write_text(f"version = 1\n[paths]\ndata = /nonexistent\n[local]\nroot = {root}\n{EAST}")
    assert main(["config", "check", str(path)]) == 0
    expected = f'warning: [local] root: found "{root}": {told}\n' if told else ""
    assert capsys.readouterr().err == expected
