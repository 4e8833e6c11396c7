from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import tar
from appliance.config.tar import BadArchive

FILES = {"manifest.json": b"{}", "files/a/b.txt": b"x" * 512, "files/empty": b"", "files/c": b"\0" * 513}


def test_tar_reads_ours(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar.encode(FILES))
    subprocess.run(["tar", "xf", "a.tar"], cwd=tmp_path, check=True, timeout=60)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES
    assert (tmp_path / "manifest.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", ["ustar", "gnu", "v7"])
def test_what_tar_makes(tmp_path: Path, form: str) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    made = subprocess.run(
        ["tar", "c", f"--format={form}", *FILES], cwd=tmp_path, check=True, capture_output=True, timeout=60
    )
    if form == "v7":
        with pytest.raises(BadArchive, match="not a tar archive"):
            tar.decode(made.stdout, 9)
    else:
        assert tar.decode(made.stdout, 9) == FILES


def member(
    name: str = "a", kind: bytes = tarfile.REGTYPE, link: str = "", form: int = tarfile.USTAR_FORMAT
) -> bytes:
    """An archive of one member, as the library writes it."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(b"abc"))
    return whole.getvalue()


def test_one_member() -> None:
    assert tar.decode(member(), 1) == {"a": b"abc"}


NAME = "a file in it has a name that none of a bundle has"
KIND = "it holds more than regular files"


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        *(
            (member(name), NAME)
            for name in ["/a", "../a", "a/../b", "./a", "a//b", "a\\b", "a b", "ä", ".a", "-a"]
        ),
        (member("x" * 60 + "/" + "y" * 60), NAME),  # whose start stands in the prefix
        *(
            (member(kind=kind, link="/etc/passwd"), KIND)
            for kind in [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
        ),
        (member("x" * 120, form=tarfile.GNU_FORMAT), KIND),
        (member("ä", form=tarfile.PAX_FORMAT), KIND),
        (b"", "it ends in the midst"),
        (member()[:511], "it ends in the midst"),
        (member()[:514], "it ends in the midst"),
        (member()[:1024], "it ends in the midst"),
        (member() + b"x", "something follows its end"),
        (member()[:1024] + member()[:1024] + bytes(512), "a stands there twice"),
        (member()[:1024] + member("a/b")[:1024] + bytes(512), "a/b lies in a file"),
        (member("a/b")[:1024] + member()[:1024] + bytes(512), "a stands there twice"),
        (b"PK\3\4" + bytes(600), "not a tar archive"),
        (member().replace(b"ustar", b"USTAR"), "not a tar archive"),
        (b"b" + member()[1:], "not a tar archive"),  # its checksum
        (tar.encode({"a": b"", "b": b"", "c": b""}), "more than 2 files"),
    ],
)
def test_refused(archive: bytes, why: str) -> None:
    with pytest.raises(BadArchive) as caught:
        tar.decode(archive, 2)
    assert str(caught.value) == why


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/", "x" * 101])
def test_names_that_none_has(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a member"):
        tar.encode({name: b""})


PART = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)


PATH = st.lists(PART, min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(PATH, st.binary()))
def test_again(files: dict[str, bytes]) -> None:
    archive = tar.encode(files)
    if any(name.startswith(f"{other}/") for name in files for other in files):
        with pytest.raises(BadArchive):
            tar.decode(archive, len(files))
    else:
        assert tar.decode(archive, len(files)) == files


@given(st.binary(max_size=2000), st.integers(0, 1100), st.binary(max_size=20))
def test_any_bytes(data: bytes, place: int, patch: bytes) -> None:
    whole = tar.encode(FILES)
    for archive in (data, whole[:place], whole[:place] + patch + whole[place + len(patch) :]):
        try:
            found = tar.decode(archive, 9)
        except BadArchive:
            continue
        assert all(tar.is_name(name) for name in found)
