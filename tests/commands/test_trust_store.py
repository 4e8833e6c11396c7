"""`trust list`, `import` and `remove`: nothing is trusted unasked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.trust import bundle, pkcs12
from appliance.trust.storefolder import StoreFolder
from appliance.trust.stores import Offered, Store, sha256
from tests.commands.conftest import upstream
from tests.commands.servers import TftpServer, blocks
from tests.commands.trust_box import EXPIRED, TrustBox
from tests.trust.vectors import CLUSTER, CURVE, FOLDER, SMALL, data

ITL = FOLDER / "ITLFile.tlv"
SAST, CCM = "Phone-SAST-trust", "CallManager-trust"


@pytest.fixture
def box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> TrustBox:
    return TrustBox(tmp_path, capsys)


def held(box: TrustBox) -> dict[str, list[str]]:
    """The SHA-256 of what each store holds."""
    value = box.value("trust-list", "list")
    return {
        store["store"]: [each["sha256"] for each in store["certificates"]]
        for store in value["stores"]
        if store["certificates"]
    }


def test_shown_and_not_trusted(box: TrustBox) -> None:
    value = box.value("trust-import", "import", ITL)
    assert (value["kind"], value["written"], value["doubts"]) == ("trust list", False, [])
    assert [(each["label"], each["fate"], each["stores"]) for each in value["certificates"]] == [
        ("SAST", "new", [SAST]),
        ("CCM+TFTP", "new", [CCM]),
        ("TFTP", "new", [SAST]),
        ("TVS", "twice in what was given", []),
        ("CAPF", "twice in what was given", []),
    ]
    assert value["nodes"] == [
        {"name": "cucm-east-pub", "addresses": ["10.1.0.10", "2001:db8::10"]},
        {"name": "", "addresses": ["10.1.0.10"]},
    ]
    assert held(box) == {}


def test_printed(box: TrustBox) -> None:
    out = box.text("import", ITL)
    assert f"SHA-256        {sha256(CLUSTER)}" in out
    assert "fate           new: would go into Phone-SAST-trust" in out
    assert "cucm-east-pub  10.1.0.10, 2001:db8::10" in out
    assert "Nothing is trusted yet." in out
    out = box.text("import", ITL, "--yes")
    assert "fate           new: taken into Phone-SAST-trust" in out
    assert "Nothing is trusted yet." not in out
    out = box.text("list")
    assert out.startswith(f"{SAST}: 2 certificates\n\nsubject        CN=cucm-east-pub-EC;")
    assert f"\n\n{CCM}: 1 certificates\n\n" in out
    assert out.endswith("\n\nTVS-trust: 0 certificates\n\nCAPF-trust: 0 certificates\n")


def test_taken(box: TrustBox) -> None:
    assert box.value("trust-import", "import", ITL, "--yes")["written"] is True
    assert held(box) == {SAST: [sha256(CURVE), sha256(CLUSTER)], CCM: [sha256(CLUSTER)]}
    again = box.value("trust-import", "import", ITL, "--yes")
    assert {each["fate"] for each in again["certificates"][:3]} == {"there already"}


def test_an_explicit_store(box: TrustBox) -> None:
    value = box.value("trust-import", "import", FOLDER / "small.pem")
    assert [(each["fate"], each["stores"]) for each in value["certificates"]] == [("for no store", [])]
    box.value("trust-import", "import", FOLDER / "small.pem", "--yes")
    assert held(box) == {}
    box.value("trust-import", "import", FOLDER / "small.pem", "--store", "TVS-trust")
    assert held(box) == {"TVS-trust": [sha256(SMALL)]}


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("x.pem", data("small.pem"), "PEM"),
        ("x.der", SMALL.der, "DER"),
        ("x.p12", pkcs12.encode([("x", SMALL)], b"secret"), "PKCS #12"),
        ("x.json", bundle.encode([Offered(SMALL, (Store.TVS,))], datetime.now(UTC), "other"), "bundle"),
    ],
)
def test_kinds(box: TrustBox, name: str, content: bytes, kind: str) -> None:
    (box.folder / name).write_bytes(content)
    (box.folder / "password").write_bytes(b"secret\nmore")
    options = ("--store", "TVS-trust", "--password-file", box.folder / "password")
    assert box.value("trust-import", "import", box.folder / name, *options)["kind"] == kind
    assert held(box) == {"TVS-trust": [sha256(SMALL)]}


def expired(box: TrustBox) -> Path:
    """A bundle of a certificate that has expired, and of one that has not."""
    made = box.folder / "old.pem"
    made.write_bytes(EXPIRED + data("small.pem"))
    return made


def test_expired_ones(box: TrustBox) -> None:
    source = expired(box)
    value = box.value("trust-import", "import", source, "--store", SAST)
    assert [each["fate"] for each in value["certificates"]] == ["expired", "new"]
    assert held(box) == {SAST: [sha256(SMALL)]}
    value = box.value("trust-import", "import", source, "--store", SAST, "--expired")
    assert [each["fate"] for each in value["certificates"]] == ["new", "there already"]
    [finding] = box.value("trust-list", "list")["findings"]
    assert finding["level"] == "fault"
    assert finding["text"].startswith("expired on ")
    arguments = finding["cure"].split()[2:]  # what it says helps
    box.text(*arguments)
    assert box.value("trust-list", "list")["findings"] == []


def test_removed(box: TrustBox) -> None:
    box.text("import", ITL, "--yes")
    value = box.value("trust-remove", "remove", SAST, sha256(CURVE)[:16].upper())
    assert (value["store"], value["certificate"]["sha256"]) == (SAST, sha256(CURVE))
    assert held(box) == {SAST: [sha256(CLUSTER)], CCM: [sha256(CLUSTER)]}
    why = box.refusal("remove", SAST, sha256(CURVE)[:16])
    assert why == f"{SAST}: no certificate has a fingerprint that begins with {sha256(CURVE)[:16]}"


@pytest.mark.parametrize("given", ["", "0123456", "zzzzzzzz", "../../../x"])
def test_a_fingerprint_that_is_none(box: TrustBox, given: str) -> None:
    status, _, err = box.call("remove", SAST, given)
    assert (status, "allowed: 8 or more hexadecimal digits" in err) == (2, True)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("/nowhere", "/nowhere: No such file or directory"),
        (str(FOLDER / "vectors.ini"), "no certificate that can be read"),
        ("/dev/zero", "/dev/zero: more than 1048576 bytes"),
        ("ftp://10.1.0.10/x", "ftp://10.1.0.10/x is not tftp://HOST[:PORT]/NAME or http://HOST[:PORT]/NAME"),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1/x: Connection refused"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/ names no file"),
        ("x\x1b[31m", "x\\x1b[31m: No such file or directory"),
    ],
)
def test_sources_that_are_none(box: TrustBox, source: str, why: str) -> None:
    assert box.refusal("import", source, "--yes").endswith(why)
    assert held(box) == {}


def test_from_a_url(box: TrustBox) -> None:
    with upstream({"ITLFile.tlv": data("ITLFile.tlv")}, "127.0.2.41") as port:
        url = f"http://127.0.2.41:{port}/"
        value = box.value("trust-import", "import", url + "ITLFile.tlv")
        assert (value["source"], len(value["certificates"])) == (url + "ITLFile.tlv", 5)
        assert box.refusal("import", url + "CTLFile.tlv").startswith(f"{url}CTLFile.tlv: HTTP status 404")


def test_from_a_url_of_tftp(box: TrustBox) -> None:
    with TftpServer(*blocks(data("small.pem"))) as server:
        value = box.value("trust-import", "import", server.url("small.pem"))
        assert [each["certificate"]["sha256"] for each in value["certificates"]] == [sha256(SMALL)]
    with TftpServer(b"\0\5\0\1File not found\0") as server:
        assert box.refusal("import", server.url("x")).endswith("the server does not have it")


def configure(box: TrustBox, port: int) -> None:
    settings = f"addresses = 127.0.2.41\nprotocol = http\nhttp_port = {port}\n"
    box.configure(f"[clusters]\n[[east]]\n{settings}")


def test_from_a_cluster(box: TrustBox) -> None:
    files = {"ITLFile.tlv": data("ITLFile.tlv"), "CTLFile.tlv": data("CTLFile.tlv")}
    with upstream(files, "127.0.2.41") as port:
        configure(box, port)
        value = box.value("trust-import", "import", "east", "--yes")
        assert value["kind"] == "trust lists of east"
        assert [each["label"] for each in value["certificates"]][:6] == [
            *("ITLFile.tlv, SAST", "ITLFile.tlv, CCM+TFTP", "ITLFile.tlv, TFTP", "ITLFile.tlv, TVS"),
            *("ITLFile.tlv, CAPF", "CTLFile.tlv, SAST"),
        ]
        assert sha256(SMALL) in held(box)[SAST]
        del files["CTLFile.tlv"]
        assert len(box.value("trust-import", "import", "east")["certificates"]) == 5
        files["ITLFile.tlv"] = b"nonsense"
        assert "ITLFile.tlv: header, byte 0: no signed file" in box.refusal("import", "east", "--yes")
        files.clear()
        assert box.refusal("import", "east") == "east: it has no trust lists"


def test_doubts_are_told(box: TrustBox) -> None:
    (box.folder / "x.tlv").write_bytes(data("ITLFile.tlv").replace(b"cucm-east-pub\0", b"cucm-west-pub\0"))
    _, out, err = box.call("import", box.folder / "x.tlv")
    assert "cucm-west-pub" in out
    doubt = "its signature is not that of a certificate in it: the signature does not fit"
    assert err.startswith(f"warning: {doubt}")
    assert box.refusal("import", box.folder / "x.tlv", "--yes").startswith(f"{box.folder}/x.tlv: {doubt}")
    assert held(box) == {}


NASTY = "x\x1b[31m\n\u202e"


def test_texts_of_strangers(box: TrustBox) -> None:
    """Labels and names reach no screen as they are."""
    made = bundle.encode([Offered(replace(SMALL), (), NASTY)], datetime.now(UTC), NASTY)
    (box.folder / "x.json").write_bytes(made)
    for options in ([], ["--json"]):
        said = "".join(map(str, box.call("import", box.folder / "x.json", *options)))
        assert all(character.isprintable() or character == "\n" for character in said)


def test_a_damaged_store(box: TrustBox) -> None:
    StoreFolder(box.data).add(Store.TVS, SMALL)
    path = box.data / "trust/stores/TVS-trust" / f"{sha256(SMALL)}.pem"
    path.write_bytes(b"")
    for verb in (("list",), ("import", ITL), ("remove", SAST, "00000000")):
        assert box.refusal(*verb) == f"{path}: no certificate that can be read"
