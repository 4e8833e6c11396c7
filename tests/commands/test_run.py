"""`scripts/run`, as far as it goes without starting anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.netns.process import REPOSITORY


def run(*arguments: str, environment: Path) -> subprocess.CompletedProcess[str]:
    """Call it with an environment that is made already."""
    return subprocess.run(
        [REPOSITORY / "scripts/run", *arguments],
        capture_output=True,
        timeout=20,
        check=False,
        text=True,
        env={**os.environ, "APPLIANCE_VENV": str(environment)},
    )


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """One in which `appliance` writes down how it was called, and succeeds."""
    (tmp_path / "bin").mkdir()
    for name in ("pip", "appliance"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\necho {name} "$@" >>"{tmp_path}/calls"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "installed").touch()
    return tmp_path


@pytest.mark.parametrize(
    "arguments", [("--config",), ("-c",), ("--config=",), ("--config", ""), ("-x",), ("site.conf",)]
)
def test_a_wrong_call(arguments: tuple[str, ...], environment: Path) -> None:
    done = run(*arguments, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: scripts/run [--config FILE]\n")
    assert not (environment / "calls").exists()


def test_help(environment: Path) -> None:
    done = run("--help", environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: scripts/run [--config FILE]\n")


@pytest.mark.parametrize("option", [("--config", "site.conf"), ("-c", "site.conf"), ("--config=site.conf",)])
def test_a_configuration(option: tuple[str, ...], environment: Path) -> None:
    assert run(*option, environment=environment).returncode == 0
    assert (environment / "calls").read_text() == "appliance proxy -c site.conf\n"


def test_the_example_site_runs_already(environment: Path) -> None:
    done = run(environment=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("scripts/run: already running, with ")
    (call,) = (environment / "calls").read_text().splitlines()
    assert call.startswith("appliance status -c ")
