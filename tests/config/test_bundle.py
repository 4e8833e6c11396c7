from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import bundle, tar
from appliance.config.bundle import BadBundle, Bundle, Origin
from appliance.config.load import parse
from appliance.config.seal import seal
from tests.config.test_load import EXAMPLE

ORIGIN = Origin("0.1.0", "2027-01-15T08:00:00.000Z", "admin", "new cluster", for_peer=False)
CONFIGURATION = EXAMPLE.read_bytes()
FILES = {
    "trust/ITLFile.tlv": b"\1\2\3",
    "keys/signing.pem": b"a private key",
    "system/ssh/authorized_keys": b"ssh-ed25519 AAAA",
    "system/box-id": b"0123456789abcdef",
}
PUBLIC = {path: FILES[path] for path in ("trust/ITLFile.tlv", "system/ssh/authorized_keys")}
PASSPHRASE = "correct horse"


def test_without_a_passphrase_there_are_no_secrets() -> None:
    made = bundle.encode(ORIGIN, CONFIGURATION, FILES)
    assert bundle.decode(made) == Bundle(ORIGIN, CONFIGURATION, PUBLIC, sealed=False)
    assert b"private" not in made
    assert b"0123456789abcdef" not in made


def test_secrets_under_a_passphrase() -> None:
    made = bundle.encode(ORIGIN, CONFIGURATION, FILES, PASSPHRASE)
    assert b"private" not in made
    assert b"signing.pem" not in made
    assert bundle.decode(made) == Bundle(ORIGIN, CONFIGURATION, PUBLIC, sealed=True)
    opened = bundle.decode(made, PASSPHRASE)
    assert opened.files == PUBLIC | {"keys/signing.pem": b"a private key"}
    with pytest.raises(BadBundle, match="another passphrase"):
        bundle.decode(made, "wrong horse")


def test_for_a_peer() -> None:
    origin = replace(ORIGIN, for_peer=True)
    made = bundle.decode(bundle.encode(origin, CONFIGURATION, FILES, PASSPHRASE), PASSPHRASE)
    assert made.origin == origin
    assert made.files == {"trust/ITLFile.tlv": b"\1\2\3"}
    assert not made.sealed
    there, here = parse(made.configuration, "there"), parse(CONFIGURATION, "here")
    assert there.clusters == here.clusters
    assert there.networks == here.networks
    assert there.interfaces == ()
    assert there.system == replace(here.system, hostname="appliance")


@pytest.mark.parametrize("passphrase", ["", "short"])
def test_poor_passphrase(passphrase: str) -> None:
    with pytest.raises(ValueError, match="a passphrase has"):
        bundle.encode(ORIGIN, CONFIGURATION, FILES, passphrase)


@pytest.mark.parametrize(
    "files",
    [
        {"../x": b""},
        {"trust/" + "x" * 100: b""},
        {f"trust/{number}": b"" for number in range(bundle.FILES_MAX + 1)},
        {"trust/large": bytes(bundle.BUNDLE_MAX)},
    ],
)
def test_more_than_it_holds(files: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match=r"no name of a member|more than a bundle holds"):
        bundle.encode(ORIGIN, CONFIGURATION, files)


MEMBERS = tar.decode(bundle.encode(ORIGIN, CONFIGURATION, FILES), 99)
MANIFEST = json.loads(MEMBERS["manifest.json"])


def changed(**members: bytes | None) -> bytes:
    """A bundle with other members; a dot of a name is written _."""
    named = {name.replace("_", ".", 1): data for name, data in members.items()}
    return tar.encode({name: data for name, data in {**MEMBERS, **named}.items() if data is not None})


def manifest(**fields: Any) -> bytes:
    found = {key: value for key, value in {**MANIFEST, **fields}.items() if value is not None}
    return changed(manifest_json=json.dumps(found).encode())


def whole(members: dict[str, bytes]) -> bytes:
    """A bundle of any members, with a manifest that fits them."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    return tar.encode({"manifest.json": json.dumps({**MANIFEST, "sha256": digests}).encode(), **members})


NO_MANIFEST = "it has no manifest of a bundle"
UNPRINTABLE = manifest(sha256={**MANIFEST["sha256"], "\x1b": ""})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it ends in the midst"),
        (bytes(bundle.BUNDLE_MAX + 1), f"more than {bundle.BUNDLE_MAX} bytes"),
        (bytes(1024), NO_MANIFEST),
        (changed(manifest_json=None), NO_MANIFEST),
        (changed(manifest_json=b"{" * 100_000), NO_MANIFEST),
        (changed(manifest_json=b"[]"), NO_MANIFEST),
        (changed(manifest_json=b" " * bundle.MANIFEST_MAX + MEMBERS["manifest.json"]), NO_MANIFEST),
        (manifest(software=None), NO_MANIFEST),
        (manifest(software=1), NO_MANIFEST),
        (manifest(for_peer="no"), NO_MANIFEST),
        (manifest(more=1), NO_MANIFEST),
        (manifest(format=0), NO_MANIFEST),
        (manifest(format="1"), NO_MANIFEST),
        (manifest(sha256=["x"]), NO_MANIFEST),
        (manifest(sha256={"x": 1}), NO_MANIFEST),
        (manifest(format=2, new={}), "of format 2; this software knows up to 1"),
        (changed(appliance_conf=b"version = 1"), "damaged: appliance.conf is not what its manifest says"),
        (changed(appliance_conf=None), "damaged: appliance.conf is not what its manifest says"),
        (changed(more=b""), "damaged: more is not what its manifest says"),
        (UNPRINTABLE, r"damaged: \x1b is not what its manifest says"),
        (whole({}), "it has no configuration"),
        (whole({"appliance.conf": bytes(300_000)}), "its configuration is too large"),
        *(
            (whole({"appliance.conf": b"", name: b""}), "it holds a file that is no part of a bundle")
            for name in ["other", "files", "files/keys/x", "files/system/box-id"]
        ),
        (
            whole({"appliance.conf": b"", "secrets.sealed": b"x"}),
            "these are no sealed secrets, or those of newer software",
        ),
        (
            whole({"appliance.conf": b"", "secrets.sealed": seal(b"x", PASSPHRASE)}),
            "it ends in the midst",
        ),
        (
            whole({"appliance.conf": b"", "secrets.sealed": seal(tar.encode({"x": b""}), PASSPHRASE)}),
            "its secrets hold a file that is none",
        ),
    ],
)
def test_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadBundle) as caught:
        bundle.decode(data, PASSPHRASE)
    assert str(caught.value) == why


def test_what_its_origin_says_is_printable() -> None:
    made = bundle.decode(manifest(comment="\x1b[2J", author="x" * 1000))
    assert made.origin.comment == r"\x1b[2J"
    assert len(made.origin.author) < 300


WHOLE = bundle.encode(ORIGIN, b"version = 1\n", {"trust/a": b"abc"})


def flipped(place: int, flip: int) -> bytes:
    return WHOLE[:place] + bytes([WHOLE[place] ^ flip]) + WHOLE[place + 1 :]


@given(
    st.binary()
    | st.binary().map(lambda data: tar.encode({"manifest.json": data}))
    | st.integers(0, len(WHOLE)).map(lambda length: WHOLE[:length])
    | st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)).map(lambda pair: flipped(*pair))
)
def test_a_bundle_or_refused(data: bytes) -> None:
    try:
        found = bundle.decode(data)
    except BadBundle:
        return
    # What was flipped is a text in the manifest.
    assert (found.configuration, found.files) == (b"version = 1\n", {"trust/a": b"abc"})
