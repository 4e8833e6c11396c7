from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from appliance.cluster.names import NAME_MAX, BadName, Fault, Kind, classify, read

MAC = "2834A2823B58"
SEP = f"SEP{MAC}"

# phones.md 2.3, step by step, then its notes on locales, desktops, gateways, adapters and soft clients.
NAMES: list[tuple[str, Kind, str | None]] = [
    (f"CTL{SEP}.tlv", Kind.DEVICE, SEP),
    (f"ITL{SEP}.tlv", Kind.DEVICE, SEP),
    ("CTLFile.tlv", Kind.TRUST_LIST, None),
    ("ITLFile.tlv", Kind.TRUST_LIST, None),
    (f"{SEP}.cnf.xml", Kind.DEVICE, SEP),
    (f"{SEP}.cnf", Kind.DEVICE, SEP),
    (f"SIP{MAC}.cnf", Kind.DEVICE, SEP),
    (f"SIP{MAC}.cnf.xml", Kind.DEVICE, SEP),
    ("SIPDefault.cnf", Kind.DEFAULT, None),
    ("XMLDefault.cnf.xml", Kind.DEFAULT, None),
    ("XmlDefault.cnf.xml", Kind.DEFAULT, None),
    ("SEPDefault.cnf", Kind.DEFAULT, None),
    ("SEDDefault.cnf", Kind.DEFAULT, None),
    ("SPDefault.cnf", Kind.DEFAULT, None),
    ("sip78xx.12-5-1SR3-74.loads", Kind.COMMON, None),
    ("SIP42.9-4-2SR3-1S.loads", Kind.COMMON, None),
    ("term65.default.loads", Kind.COMMON, None),
    ("kern78xx.12-5-1SR3-74.sbn", Kind.IMAGE, None),
    ("apps42.9-4-2ES26.sbn", Kind.IMAGE, None),
    ("vc488xx.12-0-1MPPSR1-1.sb2", Kind.IMAGE, None),
    ("rootfs88xx.14-1-1-0001-125.zz", Kind.IMAGE, None),
    ("P0S3-8-12-00.sb2", Kind.IMAGE, None),
    ("P003-08-12-00.bin", Kind.IMAGE, None),
    ("P00307020200.bin", Kind.IMAGE, None),
    ("P00307020200.sbn", Kind.IMAGE, None),
    ("P0S30203.bin", Kind.IMAGE, None),
    ("P0S3080000.sb2", Kind.IMAGE, None),
    ("D00404000021.bin", Kind.IMAGE, None),
    ("dsp99xx.zz", Kind.IMAGE, None),
    ("CP7905080003SCCP070409A.sbin", Kind.IMAGE, None),
    ("ATA030203SCCP051201A.zup", Kind.IMAGE, None),
    ("P00307020200.loads", Kind.COMMON, None),
    ("AppDialRules.xml", Kind.COMMON, None),
    ("DirLookupDialRules.xml", Kind.COMMON, None),
    ("SK72f64050-7ad5-4b47-9bfa-5e9ad9cd4aa9.xml", Kind.COMMON, None),
    ("FeaturePolicyDefault.xml", Kind.COMMON, None),
    ("FeaturePolicy72f64050-7ad5-4b47-9bfa-5e9ad9cd4aa9.xml", Kind.COMMON, None),
    ("dialplan.xml", Kind.COMMON, None),
    ("English_United_Kingdom/be-sip.jar", Kind.COMMON, None),
    ("New_Zealand/mk-sccp.jar", Kind.COMMON, None),
    ("New_Zealand/g3-tones.xml", Kind.COMMON, None),
    ("Germany/g4-tones.xml", Kind.COMMON, None),
    ("Ringlist.xml", Kind.COMMON, None),
    ("RingList.xml", Kind.COMMON, None),
    ("ringlist.xml", Kind.COMMON, None),
    ("Ringlist-wb.xml", Kind.COMMON, None),
    ("Chime.raw", Kind.COMMON, None),
    ("Chime.rwb", Kind.COMMON, None),
    ("Chime.pcm", Kind.COMMON, None),
    ("DistinctiveRingList.xml", Kind.COMMON, None),
    ("Desktops/320x212x12/List.xml", Kind.COMMON, None),
    ("Desktops/800x480x24/Fountain.png", Kind.COMMON, None),
    ("Desktops/272x480x24/List.xml", Kind.COMMON, None),
    ("ConfigFileCacheList.txt", Kind.COMMON, None),
    ("defaultheadsetconfig.json", Kind.COMMON, None),
    ("caconfig.json", Kind.COMMON, None),
    ("LdapDirectories.xml", Kind.COMMON, None),
    ("DialingRules.xml", Kind.COMMON, None),
    # Gateways
    (f"SAA{MAC}.cnf", Kind.DEVICE, f"SAA{MAC}"),
    ("SAADefault.cnf", Kind.DEFAULT, None),
    (f"SDA{MAC}.cnf", Kind.DEVICE, f"SDA{MAC}"),
    ("SDADefault.cnf", Kind.DEFAULT, None),
    (f"MTP{MAC}.cnf", Kind.DEVICE, f"MTP{MAC}"),
    ("MTPDefault.cnf", Kind.DEFAULT, None),
    (f"CFB{MAC}.cnf", Kind.DEVICE, f"CFB{MAC}"),
    ("CFBDefault.cnf", Kind.DEFAULT, None),
    ("SEPDefault.cnf.xml", Kind.DEFAULT, None),
    ("gw1.cnf.xml", Kind.DEVICE, "GW1"),
    ("gw1.example.com.cnf.xml", Kind.DEVICE, "GW1.EXAMPLE.COM"),
    ("SKIGW34A2823B58.cnf.xml", Kind.DEVICE, "SKIGW34A2823B58"),
    ("AN34A2823B58400.cnf.xml", Kind.DEVICE, "AN34A2823B58400"),
    ("VGC34A2823B5800.cnf.xml", Kind.DEVICE, "VGC34A2823B5800"),
    # Adapters and the phones that are asked for like them
    (f"ata{MAC.lower()}", Kind.DEVICE, f"ATA{MAC}"),
    ("atadefault.cfg", Kind.DEFAULT, None),
    (f"ld{MAC.lower()}", Kind.DEVICE, SEP),
    (f"ld{MAC.lower()}.cfg", Kind.DEVICE, SEP),
    ("lddefault.cfg", Kind.DEFAULT, None),
    (f"gk{MAC.lower()}", Kind.DEVICE, SEP),
    ("gkdefault.cfg", Kind.DEFAULT, None),
    (f"ata{MAC.lower()}.cfg", Kind.DEVICE, f"ATA{MAC}"),
    (f"ATA{MAC}.cnf.xml", Kind.DEVICE, f"ATA{MAC}"),
    (f"CTLATA{MAC}.tlv", Kind.DEVICE, f"ATA{MAC}"),
    (f"ITLATA{MAC}.tlv", Kind.DEVICE, f"ATA{MAC}"),
    (f"ATA{MAC[2:]}01.cnf.xml", Kind.DEVICE, f"ATA{MAC[2:]}01"),
    # Soft clients
    ("Communicator/LdapDirectories.xml", Kind.COMMON, None),
    (f"Communicator/{SEP}.cnf.xml", Kind.DEVICE, SEP),
    (f"Communicator/CTL{SEP}.tlv", Kind.DEVICE, SEP),
    ("jabber-config.xml", Kind.COMMON, None),
    ("CSFalice.cnf.xml", Kind.DEVICE, "CSFALICE"),
    ("CSFalice.smith@example.com.cnf.xml", Kind.DEVICE, "CSFALICE.SMITH@EXAMPLE.COM"),
    ("CSFo'neill & co_(2)+.cnf.xml", Kind.DEVICE, "CSFO'NEILL & CO_(2)+"),
    ("BOTALICE.cnf.xml", Kind.DEVICE, "BOTALICE"),
    ("TCTALICE.cnf.xml", Kind.DEVICE, "TCTALICE"),
    ("TABALICE.cnf.xml", Kind.DEVICE, "TABALICE"),
    ("SPDefault.cnf.xml", Kind.DEFAULT, None),
    ("global-settings.xml", Kind.COMMON, None),
    ("homeClusterUser.xml", Kind.COMMON, None),
]


@pytest.mark.parametrize("suffix", ["", ".sgn", ".enc.sgn"])
@pytest.mark.parametrize(("name", "kind", "device"), NAMES)
def test_kind_and_device(name: str, kind: Kind, device: str | None, suffix: str) -> None:
    signed = name + suffix
    for asked in (signed, signed.lower(), signed.upper(), signed.swapcase()):
        found = read(asked.encode())
        assert (found.asked, found.path, found.kind, found.device) == (asked, asked, kind, device)
        assert (found.signed, found.encrypted) == (suffix != "", suffix == ".enc.sgn")
        assert found.inventory == (name == "ConfigFileCacheList.txt")
        assert found.opens_boot == (device is not None and "CTL" in name)
        assert bool(found.configurations) == (kind is Kind.DEVICE)
        assert found.is_configuration == (kind is Kind.DEVICE and suffix != ".enc.sgn" and ".tlv" not in name)


FORMS = (f"{SEP}.cnf.xml", f"{SEP}.cnf.xml.sgn")
ANY_FORM = (*FORMS, f"SIP{MAC}.cnf")
"""A phone that asks for its trust list may be one that takes the form of a 7940 with SIP."""


@pytest.mark.parametrize(
    ("asked", "configurations"),
    [
        (f"CTL{SEP}.tlv", ANY_FORM),
        (f"ITL{SEP}.tlv", ANY_FORM),
        (f"itl{SEP.lower()}.tlv", ANY_FORM),
        (f"CTL{SEP}.tlv.sgn", ANY_FORM),
        (f"CTLATA{MAC}.tlv", (f"ATA{MAC}.cnf.xml", f"ATA{MAC}.cnf.xml.sgn")),
        (f"{SEP}.cnf.xml", FORMS),
        (f"{SEP}.cnf.xml.sgn", FORMS[::-1]),
        (f"{SEP}.cnf.xml.enc.sgn", FORMS),
        (SEP.lower() + ".CNF.XML.SGN", (SEP.lower() + ".CNF.XML.SGN", SEP.lower() + ".CNF.XML")),
        (f"{SEP}.cnf", (f"{SEP}.cnf", f"{SEP}.cnf.sgn", *FORMS)),
        (f"SIP{MAC}.cnf", (f"SIP{MAC}.cnf", f"SIP{MAC}.cnf.sgn", *FORMS)),
        (f"SIP{MAC}.cnf.sgn", (f"SIP{MAC}.cnf.sgn", f"SIP{MAC}.cnf", *FORMS)),
        (f"SIP{MAC}.cnf.enc.sgn", (f"SIP{MAC}.cnf", f"SIP{MAC}.cnf.sgn")),
        (f"ld{MAC.lower()}", (f"ld{MAC.lower()}", f"ld{MAC.lower()}.sgn", *FORMS)),
        (f"gk{MAC.lower()}.cfg", (f"gk{MAC.lower()}.cfg", f"gk{MAC.lower()}.cfg.sgn", *FORMS)),
        (f"ata{MAC.lower()}", (f"ata{MAC.lower()}", f"ata{MAC.lower()}.sgn")),
        ("gw1.example.com.cnf.xml", ("gw1.example.com.cnf.xml", "gw1.example.com.cnf.xml.sgn")),
        ("Zo\u00eb.cnf.xml.enc.sgn", ("Zo\u00eb.cnf.xml", "Zo\u00eb.cnf.xml.sgn")),
        # Folders, and slashes, as asked
        (f"/{SEP}.cnf.xml", (f"/{SEP}.cnf.xml", f"/{SEP}.cnf.xml.sgn")),
        (f"Communicator\\CTL{SEP}.tlv", tuple(f"Communicator\\{form}" for form in ANY_FORM)),
        (f"/a//b/{SEP}.cnf.xml.enc.sgn", tuple(f"/a//b/{form}" for form in FORMS)),
        (f"{SEP}.cnf.xml/./", (f"{SEP}.cnf.xml/./", f"{SEP}.cnf.xml.sgn")),
        (f"{SEP}.cnf.xml/{SEP}.cnf.xml", tuple(f"{SEP}.cnf.xml/{form}" for form in FORMS)),
        # What would be too long a name is not asked for
        ("a" * 247 + ".cnf.xml", ("a" * 247 + ".cnf.xml",)),
        # Of no device
        ("XMLDefault.cnf.xml", ()),
        ("ITLFile.tlv", ()),
        ("ConfigFileCacheList.txt", ()),
        ("RingList.xml.sgn", ()),
    ],
)
def test_configurations(asked: str, configurations: tuple[str, ...]) -> None:
    assert read(asked.encode()).configurations == configurations


@pytest.mark.parametrize(
    ("asked", "inventory"),
    [
        ("/ConfigFileCacheList.txt", True),
        ("\\configfilecachelist.TXT.sgn", True),
        ("a/ConfigFileCacheList.txt.enc.sgn", True),
        ("ConfigFileCacheList.txt/x", False),
        ("ConfigFileCacheList.txt.bak", False),
        ("xConfigFileCacheList.txt", False),
    ],
)
def test_inventory(asked: str, inventory: bool) -> None:
    assert read(asked.encode()).inventory is inventory


@pytest.mark.parametrize(
    ("path", "kind", "device"),
    [
        # What looks like a device's file, but is none of its own
        (f"CTLSEP{MAC[:-1]}.tlv", Kind.COMMON, None),
        (f"CTLSEP{MAC}0.tlv", Kind.COMMON, None),
        (f"XTLSEP{MAC}.tlv", Kind.COMMON, None),
        (f"CTL{SEP}.tlv.bak", Kind.COMMON, None),
        (f"{SEP}.cnf.xml.bak", Kind.COMMON, None),
        (f"{SEP}.cnf.xml/x", Kind.COMMON, None),
        (SEP, Kind.COMMON, None),
        (f"{SEP}.xml", Kind.COMMON, None),
        (f"ata{MAC[:-1]}", Kind.COMMON, None),
        (".cnf.xml", Kind.COMMON, None),
        ("MyXMLDefault.cnf.xml", Kind.DEVICE, "MYXMLDEFAULT"),
        ("XMLDefault2.cnf.xml", Kind.DEVICE, "XMLDEFAULT2"),
        # One signature is taken off, once
        (f"{SEP}.cnf.xml.sgn.sgn", Kind.COMMON, None),
        (f"{SEP}.cnf.xml.enc", Kind.COMMON, None),
        (".sgn", Kind.COMMON, None),
        # An image has a version in its name
        ("logo.bin", Kind.COMMON, None),
        ("logo7.bin", Kind.COMMON, None),
        ("logo2024.bin", Kind.COMMON, None),
        (".zz", Kind.COMMON, None),
        ("P00307020200", Kind.COMMON, None),
        ("x.sbn", Kind.IMAGE, None),
        ("1-2.txt", Kind.COMMON, None),
        # Letters that fold to ASCII ones in Unicode name another device, if any
        (f"\u017fEP{MAC}.cnf.xml", Kind.DEVICE, f"\u017fEP{MAC}"),
        (f"CTL\u017fEP{MAC}.tlv", Kind.COMMON, None),
        ("Zo\u00eb.cnf.xml", Kind.DEVICE, "ZO\u00eb"),
    ],
)
def test_near_misses(path: str, kind: Kind, device: str | None) -> None:
    assert classify(path) == (kind, device)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/g3-tones.xml", "g3-tones.xml"),
        ("///g3-tones.xml", "g3-tones.xml"),
        ("\\g3-tones.xml", "g3-tones.xml"),
        ("Communicator\\LdapDirectories.xml", "Communicator/LdapDirectories.xml"),
        ("Communicator\\\\x", "Communicator/x"),
        ("Desktops//320x212x12/List.xml", "Desktops/320x212x12/List.xml"),
        ("./a/./b", "a/b"),
        (".\\a", "a"),
        ("a/", "a"),
        ("...", "..."),
        ("..a", "..a"),
        ("a b.xml", "a b.xml"),
        ("Gr\u00fc\u00dfe.xml", "Gr\u00fc\u00dfe.xml"),
        ("%2e%2e/x", "%2e%2e/x"),
        ("C:\\x", "C:/x"),
        ("~", "~"),
        ("a" * NAME_MAX, "a" * NAME_MAX),
    ],
)
def test_path(asked: str, path: str) -> None:
    name = read(asked.encode())
    assert (name.asked, name.path) == (asked, path)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"a" * (NAME_MAX + 1), Fault.TOO_LONG),
        ("\u00fc".encode() * 128, Fault.TOO_LONG),
        (b"../" * 100, Fault.TOO_LONG),
        (b"a\0b", Fault.NOT_PRINTABLE),
        (b"a\nb", Fault.NOT_PRINTABLE),
        (b"a\n", Fault.NOT_PRINTABLE),
        (b"\x1b[2J", Fault.NOT_PRINTABLE),
        (b"a\x7f", Fault.NOT_PRINTABLE),
        ("\u0085".encode(), Fault.NOT_PRINTABLE),
        ("\u202eIPX".encode(), Fault.NOT_PRINTABLE),
        ("\u2028".encode(), Fault.NOT_PRINTABLE),
        (b"\xff", Fault.NOT_PRINTABLE),
        (b"\xc0\xae\xc0\xae/x", Fault.NOT_PRINTABLE),  # an overlong encoding of ..
        (b"\xed\xa0\x80", Fault.NOT_PRINTABLE),  # a surrogate
        (b"..", Fault.ESCAPES),
        (b"../x", Fault.ESCAPES),
        (b"a/..", Fault.ESCAPES),
        (b"a/../b", Fault.ESCAPES),
        (b"/../etc/passwd", Fault.ESCAPES),
        (b"..\\x", Fault.ESCAPES),
        (b"a\\..\\..\\x", Fault.ESCAPES),
        (b"a/..\\x", Fault.ESCAPES),
        (b"", Fault.EMPTY),
        (b"/", Fault.EMPTY),
        (b"\\", Fault.EMPTY),
        (b"./.", Fault.EMPTY),
    ],
)
def test_bad_name(raw: bytes, fault: Fault) -> None:
    with pytest.raises(BadName) as refused:
        read(raw)
    assert refused.value.fault is fault
    assert str(refused.value) == fault.value


PIECES = st.sampled_from(
    [
        *(b"..", b".", b"/", b"\\", b"SEP", b"\0", b"\xc3", b"\xbc", b".cnf.xml", b".sgn", b"a"),
        *(b"CTL", b"SIP", b"ld", MAC.encode(), b".tlv", b".cnf", b".enc", b"Default", b".bin"),
    ]
)
RAW = st.binary(max_size=300) | st.lists(PIECES, max_size=12).map(b"".join) | st.text().map(str.encode)


@given(RAW)
@example(b"")
def test_a_name_or_a_bad_name(raw: bytes) -> None:
    try:
        name = read(raw)
    except BadName:
        return
    assert name.asked.encode() == raw
    assert name.path.isprintable()
    assert not {"", ".", ".."} & set(name.path.split("/"))
    assert "\\" not in name.path
    assert isinstance(name.kind, Kind)
    assert (name.device is not None) == (name.kind is Kind.DEVICE)


@given(RAW)
def test_a_path_is_its_own_name(raw: bytes) -> None:
    try:
        name = read(raw)
    except BadName:
        return
    again = read(name.path.encode())
    assert (again.path, again.kind, again.device) == (name.path, name.kind, name.device)


WRITTEN = st.sampled_from([name for name, _, _ in NAMES]) | RAW.map(lambda raw: raw.decode(errors="ignore"))
FRONT = st.sampled_from(["", "/", "\\", "//", "./", "\\.\\"])
SUFFIX = st.sampled_from(["", ".sgn", ".enc.sgn", ".x"])


def told(asked: str) -> object:
    try:
        name = read(asked.encode())
    except BadName as refused:
        return refused.fault
    return name.kind, name.device, name.opens_boot, name.inventory, name.is_configuration


@given(WRITTEN, FRONT, SUFFIX)
def test_neither_case_nor_slashes_matter(written: str, front: str, suffix: str) -> None:
    name = written + suffix
    assume(len((front + name).encode()) <= NAME_MAX)
    expected = told(name)
    assert told(front + name) == expected
    assert told(name.replace("/", "\\")) == expected
    if name.isascii():  # other letters have no case here
        assert {told(name.lower()), told(name.upper()), told(name.swapcase())} == {expected}


@given(RAW)
def test_configurations_are_names_of_the_same_device(raw: bytes) -> None:
    try:
        name = read(raw)
    except BadName:
        return
    assert name.is_configuration == (name.asked in name.configurations)
    assert len({form.lower() for form in name.configurations}) == len(name.configurations)
    for form in name.configurations:
        again = read(form.encode())
        assert (again.device, again.is_configuration) == (name.device, True)
