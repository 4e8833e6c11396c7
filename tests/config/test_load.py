from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path

import pytest

from appliance.config import load
from appliance.config.faults import ConfigurationError, Fault
from appliance.config.lines import SIZE_MAX
from appliance.config.model import (
    Autoregistration,
    Cache,
    Cluster,
    CommonFiles,
    Configuration,
    Interface,
    IPv4Mode,
    IPv6Mode,
    Local,
    Lookup,
    Paths,
    Policy,
    Protocol,
    Route,
    SignatureHash,
    Ssh,
    System,
    Tftp,
    Trust,
    TrustMode,
    Unavailable,
)

EXAMPLE = Path(__file__).with_name("example.conf")

DEFAULTS = Configuration(
    version=1,
    system=System(hostname="appliance", timezone="UTC", dns=(), ntp=(), syslog="", serial_speed=115200),
    paths=Paths(data=Path("/data"), run=Path("/run/appliance")),
    interfaces=(),
    tftp=Tftp(
        listen=(IPv4Address("0.0.0.0"), IPv6Address("::")),
        interfaces=(),
        port=69,
        http_port=6970,
        allow=(),
        blksize_max=65464,
        windowsize_max=64,
        mtu_clamp=True,
        timeout=1.0,
        retries=5,
        dscp=24,
        workers=1,
        transfers_max=8192,
        transfers_per_client_max=4096,
    ),
    local=Local(name="local", root=Path("/data/tftp"), common_files=CommonFiles.HOME),
    clusters=(),
    lookup=Lookup(
        budget=3.0,
        expiry=1800.0,
        negative=30.0,
        stale=0.0,
        stale_configs=False,
        unavailable=Unavailable.ERROR,
    ),
    networks=(),
    autoregistration=Autoregistration(Policy.NONE, None),
    cache=Cache(size=256 * 1024**2, memory=64 * 1024**2),
    ssh=Ssh(enabled=False, allow=(), until=None),
    trust=Trust(mode=TrustMode.NONSECURE, hash=SignatureHash.SHA1),
)

FULL = Configuration(
    version=1,
    system=System(
        hostname="phones-1.example.com",
        timezone="Europe/Berlin",
        dns=(IPv4Address("10.1.0.53"), IPv6Address("2001:db8::53")),
        ntp=("10.1.0.123", "ntp.example.com", "2001:db8::123"),
        syslog="tls://[2001:db8::514]:6514",
        serial_speed=9600,
    ),
    paths=Paths(data=Path("/srv/phones"), run=Path("/run/phones")),
    interfaces=(
        Interface(
            name="eth0",
            ipv4=IPv4Mode.STATIC,
            address=(IPv4Interface("10.1.1.5/24"), IPv4Interface("10.1.1.6/24")),
            gateway=IPv4Address("10.1.1.1"),
            ipv6=IPv6Mode.STATIC,
            address6=(IPv6Interface("2001:db8:1::5/64"),),
            gateway6=IPv6Address("fe80::1"),
            mtu=9000,
            routes=(
                Route(IPv4Network("10.0.0.0/8"), IPv4Address("10.1.1.2")),
                Route(IPv6Network("2001:db8:9::/48"), IPv6Address("2001:db8:1::2")),
            ),
        ),
        Interface(
            name="eth0.10",
            ipv4=IPv4Mode.OFF,
            address=(),
            gateway=None,
            ipv6=IPv6Mode.DHCP,
            address6=(),
            gateway6=None,
            mtu=None,
            routes=(),
        ),
    ),
    tftp=Tftp(
        listen=(IPv4Address("10.1.1.5"), IPv6Address("2001:db8:1::5"), IPv6Address("fe80::5%eth0.10")),
        interfaces=("eth0", "eth0.10"),
        port=6969,
        http_port=0,
        allow=(IPv4Network("10.9.0.0/16"), IPv4Network("192.0.2.7/32"), IPv6Network("2001:db8:9::/48")),
        blksize_max=1428,
        windowsize_max=1,
        mtu_clamp=False,
        timeout=0.5,
        retries=20,
        dscp=46,
        workers=4,
        transfers_max=100,
        transfers_per_client_max=2,
    ),
    local=Local(name="branch-1", root=Path("/srv/files"), common_files=CommonFiles.HOME_LOCAL),
    clusters=(
        Cluster(
            name="east",
            addresses=(IPv4Address("10.1.0.10"), IPv4Address("10.1.0.11"), IPv6Address("2001:db8::12")),
            protocol=Protocol.HTTP,
            http_port=80,
            tftp_port=6970,
            enabled=True,
            nat=True,
            description="Frankfurt, building #2",
            secure=True,
            stale=86400.0,
            inventory=True,
        ),
        Cluster(
            name="west_2.old",
            addresses=(IPv4Address("10.1.0.10"),),  # the other that has it is enabled, this one is not
            protocol=Protocol.TFTP,
            http_port=6970,
            tftp_port=69,
            enabled=False,
            nat=False,
            description="Zoë's test system",
            secure=False,
            stale=None,
            inventory=False,
        ),
    ),
    lookup=Lookup(
        budget=1.5,
        expiry=600.0,
        negative=0.0,
        stale=3600.0,
        stale_configs=True,
        unavailable=Unavailable.SILENCE,
    ),
    networks=(
        (IPv6Network("2001:db8:9::/48"), "east"),
        (IPv4Network("10.9.8.7/32"), "branch-1"),
        (IPv4Network("10.9.8.0/24"), "west_2.old"),
        (IPv4Network("10.9.0.0/16"), "east"),
    ),
    autoregistration=Autoregistration(Policy.CLUSTER, "east"),
    cache=Cache(size=1024**3, memory=1024**2),
    ssh=Ssh(
        enabled=True, allow=(IPv4Network("10.1.0.0/16"),), until=datetime(2027, 1, 31, 17, 0, tzinfo=UTC)
    ),
    trust=Trust(mode=TrustMode.MIXED, hash=SignatureHash.SHA512),
)


def test_example() -> None:
    assert load.read(EXAMPLE) == FULL


@pytest.mark.parametrize(
    "text",
    [
        b"version = 1",
        b"version=1\n",
        b"\xef\xbb\xbfversion = 1\r\n\r\n[cache]\r\n",
        b'\n# text # \'with" [everything] = , \xc3\xa9\n  version\t= \'1\' # "one", "two"\n',
        b"version = 1\n[ tftp ] # phones\n[clusters]\n[paths]\n[local]\n[lookup]\n[cache]",
        b"version = 1\n[networks]\n[autoregistration]\npolicy = None",
        b"version = 1\n[local]\ncommon_files = Home",
        b"version = 1\n[tftp]\nallow =\n",
        b"version = 1\n[tftp]\nallow = ,\nlisten = 0.0.0.0, '::',\n",
        b"version = 1\n[local]\nroot = /data/tftp",
        b"version = 1\n[system]\n[network]\n[ssh]\nuntil =\n",
        b"version = 1\n[system]\nsyslog = ''\n[ssh]\nuntil = ''\nallow = ,",
    ],
)
def test_defaults(text: bytes) -> None:
    assert load.parse(text, "test.conf") == DEFAULTS


def test_store_follows_data() -> None:
    assert load.parse(b"version = 1\n[paths]\ndata = /srv", "test.conf").local.root == Path("/srv/tftp")


@pytest.mark.parametrize(
    ("text", "common_files"),
    [
        ("home", CommonFiles.HOME),
        ("home, local", CommonFiles.HOME_LOCAL),
        ("home,local", CommonFiles.HOME_LOCAL),
        ('"home, local"', CommonFiles.HOME_LOCAL),
        ("local", CommonFiles.LOCAL),
        ("local,", CommonFiles.LOCAL),
    ],
)
def test_common_files(text: str, common_files: CommonFiles) -> None:
    configuration = load.parse(f"version = 1\n[local]\ncommon_files = {text}".encode(), "test.conf")
    assert configuration.local.common_files is common_files


@pytest.mark.parametrize(
    ("text", "policy", "named"),
    [
        ("none", Policy.NONE, None),
        ("network", Policy.NETWORK, None),
        ("Local", Policy.LOCAL, None),
        ("east", Policy.CLUSTER, "east"),
        ("cluster", Policy.CLUSTER, "cluster"),
    ],
)
def test_autoregistration(text: str, policy: Policy, named: str | None) -> None:
    clusters = "[clusters]\n[[east]]\naddresses = 10.1.0.10\n[[cluster]]\naddresses = 10.1.0.11\n"
    whole = f"version = 1\n{clusters}[autoregistration]\npolicy = {text}"
    assert load.parse(whole.encode(), "test.conf").autoregistration == Autoregistration(policy, named)


def test_order_of_clusters() -> None:
    names = [f"{letter}{number}" for number, letter in enumerate("zaymbx" * 10)]
    text = "".join(f"[[{name}]]\naddresses = 10.0.0.{n}\n" for n, name in enumerate(names, 1))
    configuration = load.parse(f"version = 1\n[clusters]\n{text}".encode(), "test.conf")
    assert [cluster.name for cluster in configuration.clusters] == names


def test_defaults_of_an_interface() -> None:
    found = load.parse(b"version = 1\n[network]\n[[eth0.10]]\n[[eth0]]", "test.conf").interfaces
    assert found[0] == Interface("eth0.10", IPv4Mode.DHCP, (), None, IPv6Mode.AUTO, (), None, None, ())
    assert [(each.parent, each.vlan) for each in found] == [("eth0", 10), (None, None)]


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to("loop")
    return folder / "loop"


def _large(folder: Path) -> Path:
    (folder / "large").write_bytes(b"#" * (SIZE_MAX + 1))
    return folder / "large"


@pytest.mark.parametrize(
    ("make", "found", "allowed"),
    [
        (lambda folder: folder, "a folder", "a regular file"),
        (_fifo, "a FIFO or a device", "a regular file"),
        (lambda folder: Path("/dev/null"), "a FIFO or a device", "a regular file"),
        (lambda folder: folder / "absent", "No such file or directory", "a file that can be read"),
        (lambda folder: folder / "a\0b", "a name that no file can have", "a file that can be read"),
        (_loop, "Too many levels of symbolic links", "a file that can be read"),
        (_large, "more than 262144 bytes", "at most 262144 bytes"),
    ],
)
def test_not_a_file_to_read(tmp_path: Path, make: Callable[[Path], Path], found: str, allowed: str) -> None:
    path = make(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load.read(path)
    assert caught.value.faults == (Fault("", "", found, allowed, None),)
    assert caught.value.base == str(path)


def test_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    with pytest.raises(ConfigurationError) as caught:
        load.read(tmp_path / "file")
    assert caught.value.faults == (Fault("", "", "Permission denied", "a file that can be read"),)


def test_descriptors_are_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    load.read(EXAMPLE)
    with pytest.raises(ConfigurationError):
        load.read(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_largest_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    line = b"#" * 1023 + b"\n"
    path.write_bytes(b"version=1" + b" " * 1014 + b"\n" + line * (SIZE_MAX // 1024 - 1))
    assert path.stat().st_size == SIZE_MAX
    assert load.read(path) == DEFAULTS
