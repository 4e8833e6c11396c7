from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from appliance.config.model import Ssh
from appliance.services.sshd_config import is_open, rendered

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
BEFORE, AFTER = NOON - timedelta(microseconds=1), NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("enabled", "until", "now", "found"),
    [
        (False, None, NOON, False),
        (False, AFTER, NOON, False),
        (True, None, NOON, True),
        (True, NOON, BEFORE, True),
        (True, NOON, NOON, False),
        (True, NOON, AFTER, False),
    ],
)
def test_is_open(enabled: bool, until: datetime | None, now: datetime, found: bool) -> None:
    assert is_open(Ssh(enabled, (), until), now) is found


@pytest.mark.parametrize(
    ("allow", "users"),
    [
        ((), ["admin"]),
        (("10.1.0.0/16",), ["admin@10.1.0.0/16"]),
        (("10.1.0.0/16", "2001:db8::/32"), ["admin@10.1.0.0/16", "admin@2001:db8::/32"]),
    ],
)
def test_who_may(allow: tuple[str, ...], users: list[str]) -> None:
    text = rendered(Ssh(True, tuple(map(ip_network, allow)), None), Path("/data/system/ssh"))
    lines = text.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("AllowUsers ")] == users


def test_where() -> None:
    lines = rendered(Ssh(True, (), None), Path("/data/system/ssh")).splitlines()
    assert lines[:5] == [
        "Port 22",
        "HostKey /data/system/ssh/ssh_host_ed25519_key",
        "HostKey /data/system/ssh/ssh_host_ecdsa_key",
        "HostKey /data/system/ssh/ssh_host_rsa_key",
        "AuthorizedKeysFile /data/system/ssh/authorized_keys",
    ]
