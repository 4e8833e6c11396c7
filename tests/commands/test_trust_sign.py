"""`trust sign`: the files and the lists that the phones of this box get."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.trust import envelope, signature, trustlist
from appliance.trust.identity import Purpose
from appliance.trust.trustlist import Role, Tag
from tests.commands.trust_box import TrustBox, quick_keys
from tests.trust.vectors import CLUSTER, FOLDER


@pytest.fixture
def box(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> TrustBox:
    quick_keys(monkeypatch)
    made = TrustBox(tmp_path, capsys)
    made.text("cert", "make")
    (made.store / "RingList.xml").write_bytes(b"<rings/>")
    (made.store / "New_Zealand").mkdir()
    (made.store / "New_Zealand/g3-tones.xml").write_bytes(b"<tones/>")
    return made


def roles(value: dict[str, list[dict[str, object]]]) -> dict[object, object]:
    return {each["name"]: each["roles"] for each in value["lists"]}


def test_signed(box: TrustBox) -> None:
    value = box.value("trust-sign", "sign")
    assert value["signed"] == ["New_Zealand/g3-tones.xml", "RingList.xml"]
    assert roles(value) == {"ITLFile.tlv": ["SAST", "SAST", "TFTP", "TVS"]}
    found = envelope.decode((box.data / "made/signed/New_Zealand/g3-tones.xml.sgn").read_bytes())
    assert found.header.file_name == "New_Zealand/g3-tones.xml.sgn"
    own = box.own(Purpose.SIGNING).certificate
    assert signature.verify(found, [own]).certificate == own
    again = box.value("trust-sign", "sign")
    assert (again["signed"], again["unchanged"]) == ([], value["signed"])
    assert [each["changed"] for each in again["lists"]] == [False]


def test_rendered_files(box: TrustBox) -> None:
    (box.data / "made/rendered").mkdir(parents=True)
    (box.data / "made/rendered/SEP001122334455.cnf.xml").write_bytes(b"<device/>")
    assert "SEP001122334455.cnf.xml" in box.value("trust-sign", "sign")["signed"]


def test_modes(box: TrustBox) -> None:
    box.text("import", FOLDER / "cluster.pem", "--store", "CallManager-trust")
    box.text("import", FOLDER / "small.pem", "--store", "CAPF-trust")
    box.configure("[trust]\nmode = mixed\n")
    assert roles(box.value("trust-sign", "sign")) == {
        "ITLFile.tlv": ["SAST", "SAST", "TFTP", "TVS", "CAPF"],
        "CTLFile.tlv": ["SAST", "SAST", "TFTP", "CAPF", "CCM"],
    }
    box.configure("[trust]\nmode = rollback\n")
    assert roles(box.value("trust-sign", "sign")) == {"CTLFile.tlv": ["CAPF"], "ITLFile.tlv": ["CAPF"]}
    box.configure()
    assert roles(box.value("trust-sign", "sign"))["CTLFile.tlv"] == ["CAPF"]


def test_another_hash(box: TrustBox) -> None:
    box.text("sign")
    box.configure("[trust]\nhash = sha512\n")
    value = box.value("trust-sign", "sign")
    assert (len(value["signed"]), [each["changed"] for each in value["lists"]]) == (2, [True])
    assert "SHA-512" in box.text("show", box.data / "made/signed/RingList.xml.sgn")


def test_phones_take_the_lists_of_a_renewed_signer(box: TrustBox) -> None:
    """The old list names who signs the new one; the new one names who signs files."""
    box.text("sign")
    path = box.data / "made/signed/ITLFile.tlv"
    before = trustlist.decode(path.read_bytes())
    box.text("cert", "make", "--renew", "signing")
    assert len(box.value("trust-sign", "sign")["signed"]) == 2
    after = trustlist.decode(path.read_bytes())

    def named(trust_list: trustlist.TrustList, role: Role) -> list[bytes]:
        return [each.value(Tag.SERIALNUMBER) for each in trust_list.records if each.role == role]

    assert after.header.signer != before.header.signer
    assert after.header.signer.serial in named(before, Role.SAST)
    assert named(after, Role.TFTP) == [after.header.signer.serial]
    own = box.own(Purpose.SIGNING).certificate
    assert signature.verify(after, [own]).certificate == own


def test_printed(box: TrustBox) -> None:
    (box.store / "x\x1b.xml").touch()
    status, out, err = box.call("sign")
    assert (status, err) == (0, "warning: not signed: x\\x1b.xml: a name that no phone can ask for\n")
    size = (box.data / "made/signed/ITLFile.tlv").stat().st_size
    assert out.splitlines() == [
        "signed       New_Zealand/g3-tones.xml",
        "signed       RingList.xml",
        "unchanged    0 files",
        f"ITLFile.tlv  new, {size} bytes: SAST, SAST, TFTP, TVS",
    ]


def test_too_many_certificates(box: TrustBox, monkeypatch: pytest.MonkeyPatch) -> None:
    box.text("import", FOLDER / "cluster.pem", "--store", "TVS-trust")
    monkeypatch.setattr(trustlist, "SIZE_MAX", 2000)
    why = box.refusal("sign")
    assert why.startswith("5 records make ")
    assert why.endswith(" bytes; phones load 2000")
    assert not (box.data / "made").exists()


def test_a_store_that_is_not_there(box: TrustBox) -> None:
    box.store.rename(box.folder / "elsewhere")
    assert box.refusal("sign") == f"{box.store}: No such file or directory"


def test_without_a_certificate(box: TrustBox) -> None:
    (box.data / "keys/signing.pem").unlink()
    assert box.refusal("sign") == "this box has no signing certificate; appliance trust cert make"


def test_the_signer_is_not_the_key_of_another(box: TrustBox) -> None:
    path = box.data / "keys/signing.pem"
    path.write_bytes(path.read_bytes().partition(b"-----BEGIN CERT")[0] + CLUSTER.pem)
    assert box.refusal("sign") == f"{path}: the key is not the certificate's"
