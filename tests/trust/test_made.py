"""Files signed beforehand: what changes on disk, and what never gets there."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import atomic
from appliance.config.model import TrustMode
from appliance.trust import certificate as certificates
from appliance.trust import envelope, index, made, signature, trustlist
from appliance.trust.header import HashAlgorithm
from appliance.trust.lists import CTL, ITL, Server, Trusted, wanted
from appliance.trust.made import LeftOut, Made, Unsigned
from appliance.trust.trustlist import TooLong
from tests.trust.openssl import openssl, without_signature
from tests.trust.vectors import CLUSTER, FOLDER, SMALL, TIME, needs_openssl, signing

FILES = {
    "RingList.xml": b"<CiscoIPPhoneRingList/>",
    "New_Zealand/g3-tones.xml": b"<tones/>",
    "Desktops/320x196x4/List.xml": b"<list/>",
    "empty": b"",
}


class Box:
    """A store, and what is signed of it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.store = self.data / "tftp"
        self.store.mkdir(parents=True)
        self.made = Made(self.data)
        self.signing = signing()

    def write(self, name: str, content: bytes = b"x") -> None:
        path = self.store / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def sign(self, *more: Path, time: int = TIME) -> made.Outcome:
        return self.made.sign([self.store, *more], time, self.signing)

    def there(self) -> dict[str, bytes]:
        folder = self.data / "made" / "signed"
        return {
            str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()
        }


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    for name, content in FILES.items():
        made.write(name, content)
    return made


def test_signed(box: Box) -> None:
    assert box.sign() == made.Outcome(tuple(sorted(FILES)), (), (), ())
    found = box.there()
    assert found.keys() == {name + ".sgn" for name in FILES}
    for name, content in FILES.items():
        signed = envelope.decode(found[name + ".sgn"])
        assert signed.header.file_name == name + ".sgn"
        assert (signed.body, signed.header.timestamp) == (content, TIME)
        assert signature.verify(signed, [CLUSTER]).certificate == CLUSTER


@needs_openssl
@pytest.mark.parametrize(
    ("algorithm", "name"), [(HashAlgorithm.SHA1, "-sha1"), (HashAlgorithm.SHA512, "-sha512")]
)
def test_openssl_verifies(box: Box, algorithm: HashAlgorithm, name: str, tmp_path: Path) -> None:
    box.signing = signing(algorithm)
    box.sign()
    (tmp_path / "public").write_bytes(openssl("x509", "-in", FOLDER / "cluster.pem", "-noout", "-pubkey"))
    for content in box.there().values():
        signed, found = without_signature(content)
        (tmp_path / "signature").write_bytes(found)
        arguments = ("-verify", tmp_path / "public", "-signature", tmp_path / "signature")
        assert openssl("dgst", name, *arguments, given=signed) == b"Verified OK\n"


def test_only_what_changed(box: Box) -> None:
    box.sign()
    before = box.there()
    box.write("RingList.xml", b"new")
    box.write("more/a.xml")
    (box.store / "empty").unlink()
    later = box.sign(time=TIME + 9)
    assert later.signed == ("RingList.xml", "more/a.xml")
    assert later.removed == ("empty",)
    assert later.unchanged == ("Desktops/320x196x4/List.xml", "New_Zealand/g3-tones.xml")
    after = box.there()
    assert {name for name in before if before[name] != after.get(name)} == {"RingList.xml.sgn", "empty.sgn"}
    assert box.sign(time=TIME + 10) == made.Outcome(
        (), tuple(sorted((*later.signed, *later.unchanged))), (), ()
    )
    assert box.there() == after


def test_a_touched_file_is_not_signed_again(box: Box) -> None:
    box.sign()
    before = box.there()
    box.write("RingList.xml", FILES["RingList.xml"])
    os.utime(box.store / "RingList.xml", (1, 1))
    assert box.sign(time=TIME + 9).signed == ()
    assert box.there() == before


@pytest.mark.parametrize("how", ["hash", "certificate"])
def test_another_signature(box: Box, how: str) -> None:
    box.sign()
    if how == "hash":
        box.signing = signing(HashAlgorithm.SHA512)
    else:
        box.signing = replace(signing(), signer=SMALL.signer)
    assert box.sign().signed == tuple(sorted(FILES))
    assert box.sign().signed == ()


def test_what_was_removed_is_made_again(box: Box) -> None:
    box.sign()
    (box.data / "made/signed/RingList.xml.sgn").unlink()
    assert box.sign().signed == ("RingList.xml",)


def test_without_the_index_all_is_signed(box: Box) -> None:
    box.sign()
    (box.data / "made/signed.json").write_bytes(b"\0")
    assert box.sign().signed == tuple(sorted(FILES))


def test_strange_files_and_empty_folders_go(box: Box) -> None:
    box.sign()
    folder = box.data / "made/signed"
    (folder / ".new-left").touch()
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/x").touch()
    (folder / "link").symlink_to(box.store)
    box.sign()
    assert box.there().keys() == {name + ".sgn" for name in FILES}
    assert not (folder / "deep").exists()
    assert (box.store / "RingList.xml").exists()


def test_a_file_where_a_folder_was(box: Box) -> None:
    (box.data / "made/signed/a.sgn").mkdir(parents=True)
    (box.data / "made/signed/a.sgn/old").touch()
    box.write("a")
    box.write("a.sgn/b")  # a folder may be called so
    assert box.sign().signed == tuple(sorted((*FILES, "a")))


def test_links_are_not_followed(box: Box, tmp_path: Path) -> None:
    """Else whoever may write to the store could have a key signed and handed out."""
    (tmp_path / "key").write_bytes(b"secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/key").write_bytes(b"secret")
    (box.store / "link.xml").symlink_to(tmp_path / "key")
    (box.store / "folder").symlink_to(tmp_path / "folder")
    os.mkfifo(box.store / "fifo.xml")
    assert box.sign().signed == tuple(sorted(FILES))


def test_left_out(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "FILE_MAX", 1000)
    box.write("grows", b"x" * 1000)
    assert "grows" in box.sign().signed
    box.write("grows", b"x" * 1001)
    (box.store / os.fsdecode(b"\xff\n")).touch()
    (box.store / ("x" * 255)).touch()
    found = box.sign()
    assert found.left_out == (
        LeftOut("grows", "more than 1000 bytes"),
        LeftOut("x" * 255, "a name of more than 251 bytes"),
        LeftOut(os.fsdecode(b"\xff\n"), "a name that no phone can ask for"),
    )
    assert "grows.sgn" not in box.there()


def test_the_first_root_counts(box: Box, tmp_path: Path) -> None:
    (tmp_path / "rendered").mkdir()
    (tmp_path / "rendered/RingList.xml").write_bytes(b"rendered")
    (tmp_path / "rendered/SEP001122334455.cnf.xml").write_bytes(b"rendered")
    assert "SEP001122334455.cnf.xml" in box.sign(tmp_path / "rendered").signed
    found = box.there()
    assert found["RingList.xml.sgn"].endswith(FILES["RingList.xml"])
    assert found["SEP001122334455.cnf.xml.sgn"].endswith(b"rendered")


def test_a_store_that_is_not_there_removes_nothing(box: Box, tmp_path: Path) -> None:
    box.sign()
    before = box.there()
    box.store.rename(tmp_path / "elsewhere")
    with pytest.raises(Unsigned, match=r"tftp: No such file or directory$"):
        box.sign()
    assert box.there() == before


def test_modes(box: Box) -> None:
    before = os.umask(0o077)
    try:
        box.sign()
    finally:
        os.umask(before)
    for path in (box.data / "made").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("after", range(6))
def test_broken_off(box: Box, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far it came: the next time makes it right, and each file was whole all the time."""
    box.sign()
    for name in FILES:
        box.write(name, b"second")
    left = iter(range(after))

    def replace_file(path: Path, data: bytes, mode: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        atomic.replace_file(path, data, mode)

    with monkeypatch.context() as patch:
        patch.setattr(made, "replace_file", replace_file)
        if after < 5:
            with pytest.raises(Unsigned, match="No space left on device"):
                box.sign()
    for name, content in FILES.items():
        box.write(name, content)  # as it was at first: an old index would hold it for signed
    box.sign()
    for name, content in FILES.items():
        assert envelope.decode(box.there()[name + ".sgn"]).body == content


TRUSTED = Trusted(Server(CLUSTER), Server(SMALL))


def test_lists(box: Box) -> None:
    assert box.made.list(ITL) is None
    first = box.made.write_lists(wanted(TrustMode.NONSECURE, TRUSTED), TIME, signing())
    assert (list(first), box.made.has_ctl) == ([ITL], False)
    assert box.made.list(ITL) == first[ITL]
    assert box.made.write_lists(wanted(TrustMode.NONSECURE, TRUSTED), TIME + 9, signing()) == {}
    mixed = box.made.write_lists(wanted(TrustMode.MIXED, TRUSTED), TIME + 9, signing())
    assert (list(mixed), box.made.has_ctl) == ([CTL], True)
    box.sign()
    assert {ITL, CTL} < box.there().keys()
    assert box.made.list(ITL) == first[ITL]


def test_a_damaged_list_is_made_again(box: Box) -> None:
    box.made.write_lists(wanted(TrustMode.NONSECURE, TRUSTED), TIME, signing())
    (box.data / "made/signed" / ITL).write_bytes(b"x")
    assert list(box.made.write_lists(wanted(TrustMode.NONSECURE, TRUSTED), TIME, signing())) == [ITL]


def test_lists_that_are_too_long(box: Box) -> None:
    first = box.made.write_lists(wanted(TrustMode.MIXED, TRUSTED), TIME, signing())
    many = replace(TRUSTED, tvs=(Server(CLUSTER),) * 60)
    with pytest.raises(TooLong):
        box.made.write_lists(wanted(TrustMode.MIXED, many), TIME, signing(HashAlgorithm.SHA512))
    assert {name: box.made.list(name) for name in (CTL, ITL)} == first


def test_the_key_signs_not_before_it_must(box: Box) -> None:
    """The second time nothing is signed at all: not even to be compared."""
    box.sign()
    box.signing = replace(signing(), sign=lambda digest, algorithm: pytest.fail("signed"))
    box.sign()


def test_what_is_read_back(box: Box) -> None:
    box.made.write_lists(wanted(TrustMode.MIXED, TRUSTED), TIME, signing())
    for name in (CTL, ITL):
        content = (box.data / "made/signed" / name).read_bytes()
        assert trustlist.encode(trustlist.decode(content)) == content
    assert certificates.read(data_of(ITL, box)[0])[0] == CLUSTER


def data_of(name: str, box: Box) -> list[bytes]:
    found = box.made.list(name)
    assert found is not None
    return [record.value(trustlist.Tag.CERTIFICATE) for record in found.records]
