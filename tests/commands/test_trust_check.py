"""`trust check` against clusters that answer, and one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.trust import trustlist
from appliance.trust.identity import Purpose
from appliance.trust.trustlist import Role, record
from tests.commands.conftest import upstream
from tests.commands.trust_box import TrustBox, quick_keys
from tests.trust.vectors import CLUSTER, SMALL, TIME, signing

NAMES = ("nonsecure", "mixed", "rollback")


@pytest.fixture
def box(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> TrustBox:
    quick_keys(monkeypatch)
    made = TrustBox(tmp_path, capsys)
    made.text("cert", "make")
    return made


@pytest.fixture
def files(box: TrustBox) -> Iterator[dict[str, dict[str, bytes]]]:
    """The lists of three clusters, one in each mode, which may change meanwhile."""
    found: dict[str, dict[str, bytes]] = {name: {} for name in NAMES}
    text = "[clusters]\n"
    with ExitStack() as stack:
        for number, name in enumerate(NAMES):
            address = f"127.0.2.{50 + number}"
            port = stack.enter_context(upstream(found[name], address))
            text += f"[[{name}]]\naddresses = {address}\nprotocol = http\nhttp_port = {port}\n"
            text += "secure = yes\n" if name == "mixed" else ""
        text += "[[gone]]\naddresses = 127.0.2.59\nhttp_port = 1\ntftp_port = 1\n"
        text += "[[off]]\naddresses = 127.0.2.60\nenabled = no\n"
        box.configure(text)
        yield found


def lists(*roles: tuple[Role, object]) -> bytes:
    records = [record(certificate, role) for role, certificate in roles]  # type: ignore[arg-type]
    return trustlist.encode(trustlist.build(records, "x.tlv", TIME, signing()))


def serve(files: dict[str, dict[str, bytes]], *ours: object) -> None:
    """Lists that name this box's certificates for files, or do not."""
    named = [(Role.SAST, CLUSTER), (Role.CCM_TFTP, CLUSTER), *((Role.TFTP, each) for each in ours)]
    files["nonsecure"]["ITLFile.tlv"] = files["mixed"]["ITLFile.tlv"] = lists(*named)
    files["mixed"]["CTLFile.tlv"] = lists(*named)
    files["rollback"]["ITLFile.tlv"] = lists((Role.CAPF, SMALL))


def test_before_and_after_the_exchange(box: TrustBox, files: dict[str, dict[str, bytes]]) -> None:
    box.text("sign")
    serve(files)
    before = box.value("trust-check", "check")
    assert [(each["cluster"], each["mode"], each["accepts"]) for each in before["clusters"]] == [
        ("nonsecure", "nonsecure", None),
        ("mixed", "mixed", None),
        ("rollback", "rollback", True),
        ("gone", "unknown", None),
    ]
    for name in ("nonsecure", "mixed"):
        box.text("import", name, "--yes")
    serve(files, box.own(Purpose.SIGNING).certificate)
    box.text("import", "mixed", "--store", "TVS-trust")
    [stale] = box.value("trust-check", "check", "nonsecure")["own"]
    assert (stale["about"], stale["cure"]) == ("ITLFile.tlv", "appliance trust sign")
    box.text("sign")
    after = box.value("trust-check", "check", "nonsecure", "mixed")
    assert [(each["cluster"], each["accepts"]) for each in after["clusters"]] == [
        ("nonsecure", True),
        ("mixed", True),
    ]
    findings = [finding for each in after["clusters"] for finding in each["findings"]]
    assert {each["level"] for each in findings} == {"note"}
    assert after["own"] == []


def test_a_renewed_signer_is_rejected_until_the_exchange(
    box: TrustBox, files: dict[str, dict[str, bytes]]
) -> None:
    box.text("sign")
    serve(files, box.own(Purpose.SIGNING).certificate)
    box.text("cert", "make", "--renew", "signing")
    box.text("sign")
    value = box.value("trust-check", "check", "nonsecure", status=1)
    [cluster] = value["clusters"]
    assert cluster["accepts"] is False
    assert any("names another certificate of this box" in each["text"] for each in cluster["findings"])


def test_printed(box: TrustBox, files: dict[str, dict[str, bytes]]) -> None:
    serve(files)
    out = box.text("check")
    own, *clusters = out.split("\n\n")
    assert own.splitlines() == [
        "this box",
        "warning: ITLFile.tlv: not made yet",
        "    cure: appliance trust sign",
    ]
    assert [each.split()[1] for each in clusters] == ["nonsecure", "mixed", "rollback", "gone"]
    size = len(files["mixed"]["CTLFile.tlv"])
    assert f"CTL                        {size} bytes" in clusters[1]
    assert "takes what this box signs  only if its TVS vouches for this box" in clusters[1]
    assert "utils ctl update CTLFile" in clusters[1]
    assert "warning: gone: CTLFile.tlv: http://127.0.2.59:1/CTLFile.tlv: Connection refused" in clusters[3]


def test_a_box_without_certificates(box: TrustBox, files: dict[str, dict[str, bytes]]) -> None:
    serve(files)
    for path in box.data.rglob("*.pem"):
        path.unlink()
    value = box.value("trust-check", "check", "nonsecure", status=1)
    assert [each["about"] for each in value["own"]] == ["signing", "standby", "https", "tvs"]


def test_lists_that_are_none(box: TrustBox, files: dict[str, dict[str, bytes]]) -> None:
    files["nonsecure"]["ITLFile.tlv"] = b"\x1b[31mnonsense"
    files["nonsecure"]["CTLFile.tlv"] = b"x" * (1024 * 1024 + 1)
    [cluster] = box.value("trust-check", "check", "nonsecure")["clusters"]
    assert cluster["mode"] == "unknown"
    texts = [each["text"] for each in cluster["findings"]]
    assert texts[0].startswith("CTLFile.tlv: ")
    assert texts[0].endswith("more than 1048576 bytes")
    assert texts[1].endswith(
        "header, byte 0: no signed file: it does not begin with VERSION and HEADERLENGTH"
    )


def test_an_unknown_cluster(box: TrustBox, files: dict[str, dict[str, bytes]]) -> None:
    why = "x: no such cluster; there are: nonsecure, mixed, rollback, gone, off"
    assert box.refusal("check", "x") == why
    assert files
