"""The files of tests/vectors/trust, and what can be made with their key."""

from __future__ import annotations

import shutil
from configparser import RawConfigParser
from pathlib import Path

import pytest

from appliance.trust import certificate as certificates
from appliance.trust.certificate import Certificate, Key
from appliance.trust.header import HashAlgorithm
from appliance.trust.signing import Signing

FOLDER = Path(__file__).parents[1] / "vectors" / "trust"

TOLD = RawConfigParser()
TOLD.read_string((FOLDER / "vectors.ini").read_text(encoding="utf-8"))
FILES = TOLD.sections()
LISTS = [name for name in FILES if name.endswith(".tlv")]

TIME = 1704164645  # 2024-01-02T03:04:05Z

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


def data(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def certificate(name: str) -> Certificate:
    [one] = certificates.read(data(f"{name}.pem"))
    return one


CLUSTER, SMALL, CURVE = map(certificate, ("cluster", "small", "curve"))


def key() -> Key:
    """The key of `CLUSTER`."""
    return certificates.read_key(data("cluster.key"))


def signing(algorithm: HashAlgorithm = HashAlgorithm.SHA1) -> Signing:
    """Sign as `CLUSTER`."""
    return certificates.signing(CLUSTER, key(), algorithm)
