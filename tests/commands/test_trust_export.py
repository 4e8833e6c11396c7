"""`trust export` and `consolidate`: what goes out of a box, and a round among three."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.trust import certificate as certificates
from appliance.trust import pkcs12
from appliance.trust.identity import Purpose
from appliance.trust.stores import sha256
from tests.commands.trust_box import EXPIRED, TrustBox, quick_keys
from tests.trust.vectors import CLUSTER, FOLDER, SMALL, data

SAST = "Phone-SAST-trust"


@pytest.fixture
def box(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> TrustBox:
    quick_keys(monkeypatch)
    made = TrustBox(tmp_path, capsys)
    made.text("cert", "make")
    return made


def test_what_this_box_signs_with(box: TrustBox) -> None:
    value = box.value("trust-export", "export", "-o", box.folder / "out.pem")
    own = [box.own(purpose).certificate for purpose in (Purpose.SIGNING, Purpose.STANDBY)]
    assert certificates.read((box.folder / "out.pem").read_bytes()) == own
    assert [each["sha256"] for each in value["certificates"]] == [sha256(each) for each in own]
    assert any("Bulk Certificate Management" in step for step in value["steps"])


@pytest.mark.parametrize("purpose", ["signing", "standby", "https", "tvs"])
def test_der(box: TrustBox, purpose: str) -> None:
    box.text("export", "-o", box.folder / "out.der", "--format", "der", "--what", purpose)
    assert (box.folder / "out.der").read_bytes() == box.own(Purpose(purpose)).certificate.der


def test_der_of_what_is_sent_first(box: TrustBox) -> None:
    box.text("export", "-o", box.folder / "out.der", "--format", "der")
    assert (box.folder / "out.der").read_bytes() == box.own(Purpose.SIGNING).certificate.der


@pytest.mark.parametrize("password", [None, b"secret"])
def test_pkcs12(box: TrustBox, password: bytes | None) -> None:
    options: list[object] = ["--format", "pkcs12"]
    if password:
        (box.folder / "password").write_bytes(password + b"\r\n")
        options += ["--password-file", box.folder / "password"]
    box.text("export", "-o", box.folder / "out.p12", *options)
    found = pkcs12.read((box.folder / "out.p12").read_bytes(), password)
    assert found == [box.own(purpose).certificate for purpose in (Purpose.SIGNING, Purpose.STANDBY)]


@pytest.mark.parametrize("form", ["pem", "der", "pkcs12", "bundle"])
@pytest.mark.parametrize("what", ["signing", "https", "all"])
def test_no_key_goes_out(box: TrustBox, form: str, what: str) -> None:
    box.text("import", FOLDER / "small.pem", "--store", SAST)
    box.text("export", "-o", box.folder / "out", "--format", form, "--what", what)
    found = (box.folder / "out").read_bytes()
    assert b"PRIVATE" not in found
    for purpose in Purpose:
        lines = box.own(purpose).key.splitlines()[1:-1]
        assert not any(line in found for line in lines)


def test_stores(box: TrustBox) -> None:
    box.text("import", FOLDER / "small.pem", "--store", SAST)
    box.text("import", FOLDER / "cluster.pem", "--store", "TVS-trust")
    box.text("export", "-o", box.folder / "one.pem", "--what", SAST)
    assert (box.folder / "one.pem").read_bytes() == SMALL.pem
    box.text("export", "-o", box.folder / "all.json", "--what", "all", "--format", "bundle")
    manifest = json.loads((box.folder / "all.json").read_bytes())
    assert manifest["by"] == "box"
    assert {each["sha256"]: each["stores"] for each in manifest["certificates"]} == {
        sha256(SMALL): [SAST],
        sha256(CLUSTER): ["TVS-trust"],
    }
    why = box.refusal("export", "-o", box.folder / "x", "--what", "all", "--format", "der")
    assert why == "2 certificates; a DER file holds one: use --format pem"
    assert not (box.folder / "x").exists()


def test_nothing_to_export(box: TrustBox) -> None:
    why = "there is no such certificate; see appliance trust cert show, appliance trust list"
    assert box.refusal("export", "-o", box.folder / "x", "--what", "CAPF-trust") == why


def test_printed(box: TrustBox) -> None:
    out = box.text("export", "-o", box.folder / "out.pem")
    head, first, second, steps = out.split("\n\n")
    assert head == f"{box.folder}/out.pem: 2 certificates"
    assert (first.split()[0], second.split()[0]) == ("signing", "standby")
    lines = steps.splitlines()
    assert lines[0].startswith("1. On the cluster's publisher: Cisco Unified OS Administration > Security")
    assert [line.partition(".")[0] for line in lines] == [str(each) for each in range(1, len(lines) + 1)]


def test_consolidated(box: TrustBox) -> None:
    """One that is there twice, and one that has expired, are told and left out."""
    (box.folder / "old.pem").write_bytes(EXPIRED + data("small.pem"))
    out = box.folder / "all.json"
    files = (FOLDER / "small.pem", box.folder / "old.pem", FOLDER / "ITLFile.tlv")
    value = box.value("trust-consolidate", "consolidate", *files, "-o", out)
    assert [each["fate"] for each in value["certificates"]] == [
        *("new", "expired", "twice in what was given"),
        *("new", "new", "new", "twice in what was given", "twice in what was given"),
    ]
    manifest = json.loads(out.read_bytes())
    assert [len(each["stores"]) for each in manifest["certificates"]] == [0, 2, 1]
    assert "fate           expired" in box.text("consolidate", *files, "-o", out)


@pytest.mark.parametrize(
    ("name", "why"),
    [("vectors.ini", "no certificate that can be read"), ("none", "No such file or directory")],
)
def test_what_cannot_be_consolidated(box: TrustBox, name: str, why: str) -> None:
    refusal = box.refusal("consolidate", FOLDER / "small.pem", FOLDER / name, "-o", box.folder / "out")
    assert refusal == f"{FOLDER / name}: {why}"
    assert not (box.folder / "out").exists()


def test_too_much_for_a_bundle(box: TrustBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.trust.bundle.CERTIFICATES_MAX", 1)
    files = (FOLDER / "small.pem", FOLDER / "cluster.pem")
    assert box.refusal("consolidate", *files, "-o", box.folder / "out").startswith("together too much")
    assert not (box.folder / "out").exists()


def test_a_round_among_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends with the signers of the other two, its own among them as it came back."""
    quick_keys(monkeypatch)
    boxes = [TrustBox(tmp_path / name, capsys) for name in ("one", "two", "three")]
    files = []
    for each in boxes:
        each.text("cert", "make")
        files.append(each.folder / "out.json")
        each.text("export", "-o", files[-1], "--format", "bundle")
    (tmp_path / "old.pem").write_bytes(EXPIRED)
    boxes[0].text("consolidate", *files, files[0], tmp_path / "old.pem", "-o", tmp_path / "all.json")
    signers = {sha256(each.own(p).certificate) for each in boxes for p in (Purpose.SIGNING, Purpose.STANDBY)}
    for each in boxes:
        each.text("import", tmp_path / "all.json", "--yes")
        [store] = [item for item in each.value("trust-list", "list")["stores"] if item["certificates"]]
        assert store["store"] == SAST
        assert {item["sha256"] for item in store["certificates"]} == signers
