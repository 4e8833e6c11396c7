"""What was measured on what: nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from pathlib import Path

import gevent

import appliance
from tests.netns.process import REPOSITORY


def describe(bench: Path) -> dict[str, object]:
    """The machine and the software."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "gevent": gevent.__version__,
        "appliance": appliance.__version__,
        "peers": _peers(bench),
    }


def commit_and_date() -> str:
    """Of what commit the figures are, and of what day."""
    commit = _first(["git", "describe", "--always", "--dirty"], r"\S+") or "no commit"
    return f"commit {commit}, {time.strftime('%Y-%m-%d', time.gmtime())}"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()


def _peers(bench: Path) -> dict[str, str]:
    sbin = bench / "debian/usr/sbin"
    python = str(bench / "peers/bin/python")
    show = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    found = {
        "dnsmasq": _first(["dnsmasq", "--version"], r"[\d.]+\w*"),
        "atftpd": _first([str(sbin / "atftpd"), "--version"], r"[\d.]+[\w.]*"),
        "tftpd-hpa": _first([str(sbin / "in.tftpd"), "--version"], r"[\d.]+[\w.]*"),
        "tftpy": _first([python, "-c", show, "tftpy"], r"[\d.]+"),
        "fbtftp": _first([python, "-c", show, "fbtftp"], r"[\d.]+"),
        "nginx": _first([str(sbin / "nginx"), "-v"], r"(?<=/)[\d.]+"),
    }
    return {name: text for name, text in found.items() if text}


def _first(argv: list[str], pattern: str) -> str:
    """What a program says that fits; empty where it does not run."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, cwd=REPOSITORY, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(pattern, done.stdout + done.stderr)
    return match.group() if match else ""
