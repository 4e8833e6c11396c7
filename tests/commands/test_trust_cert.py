"""`trust cert`: this box's certificates, as an administrator makes and installs them."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from appliance.trust.identity import Purpose, published
from tests.commands.trust_box import TrustBox, quick_keys
from tests.trust.vectors import CLUSTER, FOLDER, needs_openssl


@pytest.fixture
def box(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> TrustBox:
    quick_keys(monkeypatch)
    return TrustBox(tmp_path, capsys)


def test_made(box: TrustBox) -> None:
    value = box.value("trust-cert", "cert", "make", "--country", "PL", "--not-before", "2026-11-01")
    assert value["changed"] == ["signing", "standby", "https", "tvs"]
    assert value["findings"] == []
    subjects = [each["certificate"]["subject"] for each in value["certificates"]]
    rest = "OU=Voice;O=Phone appliance;C=PL"
    assert subjects == [f"CN=box-{name};{rest}" for name in ("signing", "signing", "https", "tvs")]
    assert {each["certificate"]["not_before"] for each in value["certificates"]} == {
        "2026-11-01T00:00:00.000Z"
    }
    assert stat.S_IMODE((box.data / "keys").stat().st_mode) == 0o700
    again = box.value("trust-cert", "cert", "make")
    assert (again["changed"], again["certificates"]) == ([], value["certificates"])
    assert box.value("trust-cert", "cert", "show") == again


def test_renewed(box: TrustBox) -> None:
    before = box.value("trust-cert", "cert", "make")["certificates"]
    after = box.value("trust-cert", "cert", "make", "--renew", "signing")
    assert after["changed"] == ["signing", "standby"]
    assert after["certificates"][0]["certificate"] == before[1]["certificate"]
    assert after["certificates"][2:] == before[2:]
    assert box.value("trust-cert", "cert", "make", "--renew", "tvs")["changed"] == ["tvs"]


def test_printed(box: TrustBox) -> None:
    assert "fault: tvs: this box has no such certificate\n    cure: appliance trust cert make" in box.text(
        "cert", "show"
    )
    made = box.text("cert", "make", "--name", "east", "--unit", "A", "--organization", "B", "--locality", "D")
    first, *others = made.split("\n\n")
    own = box.own(Purpose.SIGNING).certificate
    lines = first.splitlines()
    assert lines[0] == "signing        CN=east-signing;OU=A;O=B;L=D"
    assert lines[1] == f"serial number  {own.serial.hex()}"
    assert [line.split()[0] for line in lines[2:]] == ["key", "valid", "SHA-1", "SHA-256", "new"]
    assert len(others) == 3


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("make", "--name", "a,b"), "a name that cannot stand in a certificate: CN: allowed are"),
        (("make", "--country", "Poland"), "a name that cannot stand in a certificate: C: allowed are two"),
        (("make", "--renew", "signing", "--unit", "a;b"), "a name that cannot stand in a certificate: OU:"),
        (("request", "tvs", "-o", "-"), "this box has no tvs certificate; appliance trust cert make"),
        (("install", "tvs", FOLDER / "cluster.pem"), "this box has no tvs certificate; appliance trust cert"),
        (("install", "tvs", FOLDER / "cluster.key"), f"{FOLDER / 'cluster.key'}: no certificate that can be"),
        (("install", "tvs", "/nowhere"), "/nowhere: No such file or directory"),
    ],
)
def test_refused(box: TrustBox, arguments: tuple[object, ...], why: str) -> None:
    assert box.refusal("cert", *arguments).startswith(why)
    assert not any((box.data / "keys").glob("*.pem"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("make", "--renew", "x"), "invalid choice: 'x'"),
        (("make", "--not-before", "x"), "allowed: a day, as 2026-11-24"),
        (("install", "signing", "x"), "invalid choice: 'signing'"),
        (("request", "signing", "-o", "x"), "invalid choice: 'signing'"),
        (("request", "tvs"), "required: -o/--output"),
        (("nonsense",), "invalid choice: 'nonsense'"),
    ],
)
def test_a_wrong_call(box: TrustBox, arguments: tuple[str, ...], told: str) -> None:
    status, out, err = box.call("cert", *arguments)
    assert (status, out) == (2, "")
    assert told in err


def test_a_key_that_cannot_be_read(box: TrustBox) -> None:
    box.text("cert", "make")
    (box.data / "keys/standby.pem").write_bytes(CLUSTER.pem)
    why = f"{box.data}/keys/standby.pem: no private key in PEM without a password"
    box.value("trust-cert", "cert", "show")  # needs no key
    for verb in (("make",), ("request", "standby", "-o", "-")):
        assert box.refusal("cert", *verb) == why


@needs_openssl
def test_signed_by_an_authority(box: TrustBox) -> None:
    box.text("cert", "make")
    before = box.own(Purpose.STANDBY)
    told = box.value("trust-cert-request", "cert", "request", "standby", "-o", box.folder / "box.csr")
    assert told["subject"] == before.certificate.subject

    def openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)

    authority = ("-CA", FOLDER / "cluster.pem", "-CAkey", FOLDER / "cluster.key", "-CAcreateserial")
    serial = ("-CAserial", box.folder / "serial")
    files = ("-in", box.folder / "box.csr", "-out", box.folder / "box.pem")
    openssl("x509", "-req", *files, *authority, *serial, "-days", "30")
    value = box.value(
        "trust-cert", "cert", "install", "standby", box.folder / "box.pem", FOLDER / "cluster.pem"
    )
    assert value["changed"] == ["standby"]
    after = box.own(Purpose.STANDBY)
    assert (after.key, after.certificate.issuer) == (before.key, CLUSTER.subject)
    assert after.chain == (CLUSTER,)
    assert (box.data / "trust/own/standby.pem").read_bytes() == published(after)
    assert [each["about"] for each in value["findings"]] == ["standby"]
    why = box.refusal("cert", "install", "tvs", box.folder / "box.pem")
    assert why == "none of the certificates is for the key of this box"
