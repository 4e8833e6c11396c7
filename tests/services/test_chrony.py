from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.services.chrony import SERVERS_MAX, Tracking, places, rendered, tracking, usable
from tests.netns.servers import DEBIAN

THERE = places(Path("/run/x"), Path("/data"))
CHRONYD = DEBIAN / "usr/sbin/chronyd"

FOLLOWS = "0A000001,10.0.0.1,2,1764000000.1,-0.000012345,0.1,0.2,-9.5,0.0,0.03,0.012,0.0003,64.5,Normal\n"
FOLLOWS_NOBODY = "00000000,,0,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"


@pytest.mark.parametrize(
    ("servers", "found"),
    [
        ((), ()),
        (("10.0.0.1", "ntp.example.com", "2001:db8::1"), ("10.0.0.1", "ntp.example.com", "2001:db8::1")),
        (("fe80::1%eth0", "10.0.0.1", "10.0.0.1"), ("fe80::1%eth0", "10.0.0.1")),
        (("", " ", "-x", "a b", "a\nuser root", "a#", "ü"), ()),
        (tuple(f"10.0.0.{n}" for n in range(20)), tuple(f"10.0.0.{n}" for n in range(SERVERS_MAX))),
    ],
)
def test_usable(servers: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert usable(servers) == found


def test_rendered() -> None:
    assert rendered(("10.0.0.1", "ntp.example.com", "2001:db8::1"), THERE, "_chrony").splitlines() == [
        "server 10.0.0.1 iburst",
        "pool ntp.example.com iburst",
        "server 2001:db8::1 iburst",
        "user _chrony",
        "driftfile /data/system/chrony/drift",
        "pidfile /run/x/chrony/chronyd.pid",
        "bindcmdaddress /run/x/chrony/chronyd.sock",
        "cmdport 0",
        "port 0",
        "makestep 1 3",
        "rtcsync",
    ]
    assert "user" not in rendered(("10.0.0.1",), THERE, "")


@given(st.lists(st.text(max_size=30)))
def test_no_name_becomes_a_line_of_its_own(servers: list[str]) -> None:
    lines = rendered(servers, THERE, "").splitlines()
    assert len(lines) == len(usable(servers)) + 7
    assert [line.split()[0] for line in lines[-7:]] == [
        line.split()[0] for line in rendered((), THERE, "").splitlines()
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FOLLOWS, Tracking("10.0.0.1", 2, -0.012)),
        (FOLLOWS_NOBODY, None),
        ("", None),
        ("506 Cannot talk to daemon\n", None),
        (FOLLOWS.replace(",2,", ",16,"), None),
        (FOLLOWS.replace("-0.000012345", "nan"), None),
        (FOLLOWS.replace("-0.000012345", "1e400"), None),
        (FOLLOWS.replace("-0.000012345", "x"), None),
        (FOLLOWS + FOLLOWS, None),
    ],
)
def test_tracking(text: str, found: Tracking | None) -> None:
    assert tracking(text) == found


@given(st.text() | st.lists(st.text(max_size=8), min_size=14, max_size=14).map(",".join))
def test_tracking_of_anything(text: str) -> None:
    assert tracking(text) is None or isinstance(tracking(text), Tracking)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or not CHRONYD.exists(), reason="needs root and scripts/test-packages")
def test_chronyd_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "chrony.conf"
    path.write_text(rendered(("10.0.0.1", "ntp.example.com", "fe80::1%eth0"), THERE, "root"))
    done = subprocess.run(
        [CHRONYD, "-p", "-f", path], capture_output=True, text=True, timeout=10, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pool ntp.example.com iburst" in done.stdout
