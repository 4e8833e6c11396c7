"""The door to the trust stores on disk: a folder a store, a PEM file a certificate.

trust/stores/Phone-SAST-trust/SHA256.pem
"""

from __future__ import annotations

from pathlib import Path

from appliance.config.atomic import replace_file
from appliance.trust import certificate as certificates
from appliance.trust.certificate import BadCertificate, Certificate
from appliance.trust.stores import STORE_MAX, Store, sha256

SIZE_MAX = 64 * 1024  # bytes of one certificate


class StoresUnusable(Exception):
    """The stores cannot be read or written. The text names the file."""


class StoreFolder:
    """The trust stores below `data`, the folder of everything that outlives a restart. All calls block."""

    def __init__(self, data: Path) -> None:
        self._root = data / "trust" / "stores"

    def read(self) -> dict[Store, list[Certificate]]:
        """The certificates of each store, sorted by their names; `StoresUnusable`."""
        return {store: self._read(store) for store in Store}

    def add(self, store: Store, certificate: Certificate) -> None:
        """Have a certificate in a store; `StoresUnusable`, also where the store is full."""
        folder = self._root / store
        try:
            for each in (self._root.parent, self._root, folder):
                each.mkdir(parents=True, exist_ok=True)
                each.chmod(0o755)  # whatever the umask: others read them
            if len(list(folder.glob("*.pem"))) >= STORE_MAX:
                raise StoresUnusable(f"{store}: holds {STORE_MAX} certificates, which is the most")
            replace_file(folder / f"{sha256(certificate)}.pem", certificate.pem, 0o644)
        except OSError as error:
            raise StoresUnusable(f"{error.filename or folder}: {error.strerror}") from None

    def remove(self, store: Store, certificate: Certificate) -> None:
        """Have it no more; `StoresUnusable`."""
        path = self._root / store / f"{sha256(certificate)}.pem"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoresUnusable(f"{path}: {error.strerror}") from None

    def _read(self, store: Store) -> list[Certificate]:
        found = []
        folder = self._root / store
        try:
            for path in sorted(folder.glob("*.pem"))[: STORE_MAX + 1]:
                with open(path, "rb") as file:
                    found += certificates.read(file.read(SIZE_MAX))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoresUnusable(f"{error.filename}: {error.strerror}") from None
        except BadCertificate as error:
            raise StoresUnusable(f"{path}: {error}") from None
        return sorted(found, key=lambda each: (each.subject, sha256(each)))
