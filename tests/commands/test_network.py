"""`network`: what it says of this machine, which nothing here changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from appliance.commands.main import main
from appliance.network import rtnetlink
from tests.report.printed import SHAPES
from tests.report.shape import unlike


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Of a network that is not there, so that no test can change anything."""
    path = tmp_path / "appliance.conf"
    paths = f"[paths]\ndata = {tmp_path}/data\nrun = {tmp_path}/run\n"
    path.write_text(
        f"version = 1\n[system]\ndns = 10.5.0.53\n{paths}[network]\n[[none0]]\nmtu = 1400\n[clusters]\n"
    )
    return path


def test_show(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "show", "-c", str(configuration)]) == 0
    text = capsys.readouterr().out
    lines = {line.split()[0]: line for line in text.splitlines() if line and line[0] != " "}
    assert "no such interface" in lines["none0"]
    assert "not managed" in lines["lo"]
    assert "127.0.0.1/8" in lines["lo"]
    assert text.endswith("name servers: 10.5.0.53\n")


def test_show_json(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "show", "--json", "-c", str(configuration)]) == 0
    value = json.loads(capsys.readouterr().out)
    assert list(unlike(value, SHAPES["network-show"])) == []
    names = [each["name"] for each in value["interfaces"]]
    assert names == ["none0", *(link.name for link in rtnetlink.present().links)]


def test_plan(configuration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the configuration in use, or of another file."""
    assert main(["network", "plan", "-c", str(configuration)]) == 0
    assert capsys.readouterr().out == "nothing to change\n"
    other = tmp_path / "other.conf"
    other.write_text(configuration.read_text().replace("[[none0]]", "[[lo0]]"))
    assert main(["network", "plan", str(other), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"changes": [], "refused": []}


def test_apply_asks_the_daemon(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "apply", "-c", str(configuration)]) == 1
    assert "control.sock" in capsys.readouterr().err


def test_apply_here_needs_root(
    configuration: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["network", "apply", "--here", "-c", str(configuration)]) == 1
    assert capsys.readouterr().err == "appliance: only root can set up interfaces\n"


def test_faults_of_the_file(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configuration.write_text("version = 1\n[network]\n[[eth0]]\nipv4 = perhaps\n")
    assert main(["network", "plan", "-c", str(configuration)]) == 1
    assert "perhaps" in capsys.readouterr().err
