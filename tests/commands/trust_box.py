"""A box with its folder of data, on which `appliance trust` is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.commands.main import main
from appliance.trust import identity
from appliance.trust.identity import Identity, Purpose
from appliance.trust.keystore import Keystore
from tests.report.printed import SHAPES
from tests.report.shape import unlike

EXPIRED = b"""-----BEGIN CERTIFICATE-----
MIIBBzCBr6ADAgECAgEFMAoGCCqGSM49BAMCMA4xDDAKBgNVBAMMA29sZDAeFw0x
NTAxMDEwMDAwMDBaFw0yMDAxMDEwMDAwMDBaMA4xDDAKBgNVBAMMA29sZDBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABBM3uD2noU2mbJCMIqaTIQ//5zh94y99cvFs
MIDbYDoBQkTxvXhIT6lWhzNNXnz9ku6csQ0DbOBRlQOYHIOnfdswCgYIKoZIzj0E
AwIDRwAwRAIgZI+N7n8zB5qD1FBUZw5MlTj7t0ms6NKcXIOLHeVH+isCIERNr/s8
oVuU5/z2PXvnTbrDQAq/tcilTKowYp9/4d+w
-----END CERTIFICATE-----
"""
"""Valid until 2020."""


class TrustBox:
    """Its configuration is written anew by `configure`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.store = self.data / "tftp"
        self.store.mkdir(parents=True)
        self.keystore = Keystore(self.data)
        self._capsys = capsys
        self.configure()

    def configure(self, more: str = "") -> None:
        paths = f"[paths]\ndata = {self.data}\nrun = {self.folder}/run\n"
        text = f"version = 1\n[system]\nhostname = box\n{paths}{more}"
        (self.folder / "appliance.conf").write_text(text)

    def call(self, *arguments: object) -> tuple[int, str, str]:
        """The exit status, and what went to standard output and to standard error."""
        self._capsys.readouterr()
        whole = ["trust", *map(str, arguments), "-c", str(self.folder / "appliance.conf")]
        try:
            status = main(whole)
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, *self._capsys.readouterr()

    def text(self, *arguments: object, status: int = 0, err: str = "") -> str:
        """What a verb prints that says nothing else on standard error."""
        found = self.call(*arguments)
        assert (found[0], found[2]) == (status, err)
        return found[1]

    def refusal(self, *arguments: object) -> str:
        """Why a verb failed, without what every message begins with."""
        status, out, err = self.call(*arguments)
        assert (status, out) == (1, "")
        return err.removeprefix("appliance: ").removesuffix("\n")

    def value(self, shape: str, *arguments: object, status: int = 0) -> Any:
        """What a verb prints with `--json`, which has the shape of its example."""
        value = json.loads(self.text(*arguments, "--json", status=status))
        assert list(unlike(value, SHAPES[shape])) == []
        return value

    def own(self, purpose: Purpose) -> Identity:
        found = self.keystore.read(purpose)
        assert found is not None
        return found


def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of 1024 bits, which are made in no time."""
    monkeypatch.setattr(identity, "RSA_BITS", 1024)
