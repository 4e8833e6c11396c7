"""`trust show`, `verify` and `strip`: what they print, and how they fail."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.commands import trust_text
from appliance.commands.main import main
from appliance.trust import envelope, trustlist
from appliance.trust.header import HashAlgorithm
from appliance.trust.trustlist import Record, Role, TrustList, record
from tests.report.printed import SHAPES
from tests.report.shape import unlike
from tests.trust.vectors import CLUSTER, FILES, FOLDER, SMALL, TIME, TOLD, data, signing

VERBS = (
    *("show", "verify", "strip", "list", "import", "remove", "export", "consolidate", "sign", "check"),
    *("cert show", "cert make", "cert request", "cert install"),
)
EAST = "CN=cucm-east-pub;OU=Voice;O=Example;L=Krakow;ST=Malopolska;C=PL"
SERIAL = CLUSTER.serial.hex()


def exit_of(*arguments: str) -> int:
    """The exit status, be it returned or raised by argparse."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def path(name: str) -> str:
    return str(FOLDER / name)


@pytest.mark.parametrize("verb", ["", "cert", *VERBS])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of("trust", *verb.split(), "--help") == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: appliance trust {verb}".rstrip())
    assert err == ""
    assert ("--config FILE" in out) is (verb in VERBS)
    assert ("--json" in out) is (verb in VERBS and verb != "strip")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "required: VERB"),
        ("nonsense", "invalid choice: 'nonsense'"),
        ("show", "required: FILE"),
        ("show a b", "unrecognized arguments: b"),
        ("verify a", "required: --with"),
        ("verify --with a", "required: FILE"),
        ("verify a --with", "expected one argument"),
        ("strip a", "required: -o/--output"),
        ("strip -o a", "required: FILE"),
        ("strip a -o b --json", "unrecognized arguments: --json"),
    ],
)
def test_a_wrong_call(arguments: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of("trust", *arguments.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.startswith("usage: appliance")) == ("", True)
    assert told in err


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "show", path("CTLFile.tlv")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    head, *records = out.removesuffix("\n").split("\n\n")
    west = EAST.replace("east", "west")
    serial = SMALL.serial.hex()
    assert head.splitlines() == [
        f"file           {path('CTLFile.tlv')}: trust list, 4122 bytes",
        "header         version 1.2, 340 bytes",
        f"signer         {west}",
        f"issuer         {west}",
        f"serial number  {serial}",
        "signature      SHA-1, 128 bytes",
        "name           CTLFile.tlv",
        "signed at      2024-01-02T03:04:05.000Z",
    ]
    dates = f"{SMALL.not_before:%Y-%m-%dT%H:%M:%S}.000Z to {SMALL.not_after:%Y-%m-%dT%H:%M:%S}.000Z"
    hashed = SMALL.fingerprint(HashAlgorithm.SHA1).hex()
    assert records[1].splitlines() == [
        "record 2       CCM+TFTP",
        f"subject        {west}",
        f"issuer         {west}",
        f"serial number  {serial}",
        "server         cucm-west-pub, 10.1.0.10",
        "key            RSA 1024",
        f"valid          {dates}",
        f"SHA-1          {hashed}",
    ]
    assert records[2].splitlines()[-1] == (
        f"certificate    it has another serial number than the record: {serial}"
    )
    assert records[3].splitlines()[-1] == f"hash           {CLUSTER.fingerprint(HashAlgorithm.SHA1).hex()}"
    assert records[4].splitlines()[-1] == "unknown        tag 77, 12 bytes"


@pytest.mark.parametrize("name", FILES)
def test_show_as_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "show", path(name), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert list(unlike(value, SHAPES["trust-show"])) == []
    assert (value["file"], value["kind"]) == (path(name), TOLD[name]["kind"])


@pytest.mark.parametrize("name", FILES)
def test_the_kind_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "show", path(name)]) == 0
    kind = TOLD[name]["kind"]
    assert capsys.readouterr().out.startswith(
        f"file           {path(name)}: {kind}, {len(data(name))} bytes\n"
    )


def test_verify(capsys: pytest.CaptureFixture[str]) -> None:
    known = ("--with", path("small.pem"), "--with", path("cluster.pem"))
    assert main(["trust", "verify", path("RingList.xml.sgn"), *known]) == 0
    assert capsys.readouterr() == (
        f"{path('RingList.xml.sgn')}: signed by {EAST}, serial number {SERIAL}\n",
        "",
    )


def test_verify_with_der(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cluster.der").write_bytes(CLUSTER.der)
    assert main(["trust", "verify", path("ITLFile.tlv"), "--with", str(tmp_path / "cluster.der")]) == 0
    assert f"signed by {EAST}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        ("small.pem", f"no certificate given has its signer's serial number {SERIAL}"),
        ("impostor.pem", "the signature does not fit: the file was changed, or another key has signed it"),
    ],
)
def test_not_verified(certificate: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["trust", "verify", path("RingList.xml.sgn"), "--with", path(certificate)]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"appliance: {path('RingList.xml.sgn')}: {why} (it names {EAST} as its signer)\n"
    assert main([*arguments, "--json"]) == 1
    out, err = capsys.readouterr()
    value = json.loads(out)
    assert err == ""
    assert list(unlike(value, SHAPES["trust-verify"])) == []
    assert (value["valid"], value["certificate"], value["why"]) == (False, None, why)


def test_verify_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "verify", path("g3-tones.xml.sgn"), "--with", path("cluster.pem"), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert list(unlike(value, SHAPES["trust-verify"])) == []
    assert (value["valid"], value["certificate"]["serial"], value["why"]) == (True, SERIAL, "")


@pytest.mark.parametrize("verb", [["show"], ["verify", "--with", path("cluster.pem")]])
def test_doubts_are_warnings(verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ITLFile.tlv"
    made = trustlist.build([record(CLUSTER, Role.TVS)], "ITLFile.tlv", TIME, signing())
    file.write_bytes(trustlist.encode(made))
    assert main(["trust", *verb, str(file)]) == 0
    assert capsys.readouterr().err == "warning: no record of role SAST is its signer's\n"


def test_a_list_that_is_too_long_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = trustlist.build([], "ITLFile.tlv", TIME, signing())
    records: list[Record] = [record(CLUSTER, Role.SAST)] + [record(CLUSTER, Role.TVS)] * 40
    whole = trustlist.encode(TrustList(empty.header, tuple(records)))
    file = tmp_path / "ITLFile.tlv"
    file.write_bytes(whole)
    assert main(["trust", "show", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "record 41      TVS" in out
    assert err == f"warning: 41 records make {len(whole)} bytes; phones load 65536\n"


def test_strip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "RingList.xml"
    assert main(["trust", "strip", path("RingList.xml.sgn"), "-o", str(out)]) == 0
    assert out.read_bytes() == b"<CiscoIPPhoneRingList/>\n"
    assert capsys.readouterr() == ("", f"{out}: 24 bytes\n")


def test_strip_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["trust", "strip", path("image.loads"), "-o", "-"]) == 0
    assert capfdbinary.readouterr() == (b"# images\r\njar42sip.sbn\r\n", b"-: 24 bytes\n")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ITLFile.tlv", "a trust list is signed as a whole, and nothing without its header"),
        ("SEP001122334455.cnf.xml.enc.sgn", "what is inside is encrypted, and its header tells how"),
        (
            "cluster.pem",
            "header, byte 0: no signed file: it does not begin with VERSION and HEADERLENGTH",
        ),
    ],
)
def test_not_stripped(name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["trust", "strip", path(name), "-o", str(out)]) == 1
    assert capsys.readouterr() == ("", f"appliance: {path(name)}: {why}\n")
    assert not out.exists()


@pytest.mark.parametrize("verb", [["show"], ["verify", "--with", path("cluster.pem")], ["strip", "-o", "-"]])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "No such file or directory"),
        (".", "Is a directory"),
        ("empty", "header, byte 0: no signed file: it does not begin with VERSION and HEADERLENGTH"),
        ("cut", "header, byte 8: HEADERLENGTH is 472, but the file has 300 bytes"),
    ],
)
def test_files_that_cannot_be_read(
    verb: list[str], name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(data("RingList.xml.sgn")[:300])
    assert main(["trust", *verb, str(tmp_path / name)]) == 1
    assert capsys.readouterr() == ("", f"appliance: {tmp_path / name}: {told}\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory"),
        (b"", "no certificate that can be read"),
        (b"-----BEGIN CERTIFICATE-----\n", "a PEM file whose certificates cannot all be read"),
    ],
)
def test_certificates_that_cannot_be_read(
    content: bytes | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = tmp_path / "known"
    if content is not None:
        known.write_bytes(content)
    arguments = ["--with", path("cluster.pem"), "--with", str(known)]
    assert main(["trust", "verify", path("ITLFile.tlv"), *arguments]) == 1
    assert capsys.readouterr() == ("", f"appliance: {known}: {told}\n")


def test_a_file_without_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(trust_text, "FILE_MAX", 1000)
    assert main(["trust", "show", "/dev/zero"]) == 1
    assert capsys.readouterr() == ("", "appliance: /dev/zero: more than 1000 bytes\n")


NASTY = "x\x1b[31m\n\u202e\udc80.sgn"


@pytest.mark.parametrize("verb", [["show"], ["verify", "--with", path("cluster.pem")]])
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_texts_of_strangers(
    verb: list[str], option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of a file reaches the screen as it is."""
    file = tmp_path / "x.sgn"
    whole = envelope.encode(envelope.build(b"x", NASTY, TIME, signing()))
    file.write_bytes(whole.replace(b"CN=cucm-east", b"CN=\x1b[31m\r\n\xff-\x07"))
    main(["trust", *verb, str(file), *option])
    said = "".join(capsys.readouterr())
    assert said
    assert all(character.isprintable() or character == "\n" for character in said)


def test_a_serial_number_without_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = signing()
    endless = replace(made, signer=replace(made.signer, serial=b"\xee" * 60_000))
    file = tmp_path / "x.sgn"
    file.write_bytes(envelope.encode(envelope.build(b"x", "x.sgn", TIME, endless)))
    assert main(["trust", "verify", str(file), "--with", path("cluster.pem")]) == 1
    assert main(["trust", "show", str(file)]) == 0
    assert len("".join(capsys.readouterr())) < 2000


def test_cryptography_waits_until_it_is_needed() -> None:
    """It takes as long to load as all the rest."""
    code = "import sys, appliance.commands.main; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
