"""A firmware boots: DHCP names the proxy, iPXE fetches from it; judged by what crossed the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import capture, files, ipxe, servers
from tests.netns.lab import Lab
from tests.netns.proxy import Cluster, Proxy
from tests.netns.servers import HTTP_PORT

pytestmark = pytest.mark.root

SIZES = (0, 1, 513, 1432, 8192, 1 << 20)  # 1432 is iPXE's own block


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Iterator[Proxy]:
    root = lab.scratch("firmware")
    root.mkdir()
    files.write_sizes(root, "remote", SIZES)
    east = lab.host("i-east")
    server = servers.tftpd_hpa(east, root)
    running = Proxy(lab.host("proxy"), [Cluster("east", (east.ipv4,), "tftp")])
    files.write_sizes(running.store, "near", SIZES)
    yield running
    running.stop()
    server.stop()


def test_boot(lab: Lab, proxy: Proxy) -> None:
    host = proxy.host
    names = {f"{place}-{size}.bin": size for place in ("near", "remote") for size in SIZES}
    by_tftp = [f"tftp://{host.ipv4}/{name}" for name in names]
    by_tftp += [f"tftp://[{host.ipv6}]/near-8192.bin"]
    by_http = [f"http://{host.ipv4}:{HTTP_PORT}/{name}" for name in names]
    script = ipxe.script([*by_tftp, *by_http])
    (proxy.store / ipxe.SCRIPT).write_bytes(script)
    dhcp = servers.dhcp(lab.host("dhcp"), host.ipv4, ipxe.SCRIPT, "10.66.0.200", "10.66.0.220")
    try:
        path, machine = ipxe.boot(lab, "firmware")
    finally:
        dhcp.stop()
    assert "failed:" not in machine.output()
    found = capture.transfers(path)
    expected = [(ipxe.SCRIPT, script)]
    expected += [(name, files.body(name, size)) for name, size in names.items()]
    expected += [("near-8192.bin", files.body("near-8192.bin", 8192))]
    assert [(each.name, each.body) for each in found[:-1]] == expected
    assert all(each.whole for each in found[:-1])
    assert found[-1].name == ipxe.LAST_NAME
    assert found[-1].refused.startswith("ERROR 1 ")
    for each in found[:-1]:
        granted = {key: value for key, value in each.oack.items() if key != "tsize"}
        assert granted == {"blksize": "1432"}
        assert each.oack.get("tsize", str(len(each.body))) == str(len(each.body))
    assert capture.complaints(path) == ""
