"""The door to this box's keys and certificates on disk.

keys/PURPOSE.pem        private key, certificate and chain: one file, so that they are never of two kinds
trust/own/PURPOSE.pem   certificate and chain once more, for those who may not read keys
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.config.atomic import replace_file
from appliance.trust import certificate as certificates
from appliance.trust import identity as identities
from appliance.trust.certificate import BadCertificate, BadKey, Certificate
from appliance.trust.identity import Identity, Purpose

SIZE_MAX = 256 * 1024  # bytes of a key with its chain; the longest chain has some 30,000


class KeysUnusable(Exception):
    """The keys cannot be read, or are none. The text names the file."""


class Keystore:
    """The keys below `data`, the folder of everything that outlives a restart. All calls block."""

    def __init__(self, data: Path) -> None:
        self._keys = data / "keys"
        self._own = data / "trust" / "own"

    def read(self, purpose: Purpose) -> Identity | None:
        """The key for a purpose; None where there is none yet. `KeysUnusable`."""
        path = self._path(purpose)
        try:
            with open(path, "rb") as file:
                content = file.read(SIZE_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeysUnusable(f"{path}: {error.strerror}") from None
        try:
            return identities.decode(content)
        except (BadCertificate, BadKey) as error:
            raise KeysUnusable(f"{path}: {error}") from None

    def certificate(self, purpose: Purpose) -> Certificate | None:
        """The published certificate for a purpose, for which no key is read; `KeysUnusable`."""
        path = self._own / f"{purpose}.pem"
        try:
            with open(path, "rb") as file:
                return certificates.read(file.read(SIZE_MAX))[0]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeysUnusable(f"{path}: {error.strerror}") from None
        except BadCertificate as error:
            raise KeysUnusable(f"{path}: {error}") from None

    def write(self, purpose: Purpose, identity: Identity) -> None:
        """Keep it, in place of what was there; `KeysUnusable`."""
        self._prepare()
        # The key first: what follows can be made from it again, see `publish`.
        self._replace(self._path(purpose), identities.encode(identity), 0o600)
        self._replace(self._own / f"{purpose}.pem", identities.published(identity), 0o644)

    def make_missing(self, make: Callable[[Purpose], Identity]) -> list[Purpose]:
        """Make the keys that are not there; which these were. `KeysUnusable`."""
        made = []
        for purpose in Purpose:
            identity = self.read(purpose)
            if identity is None or (purpose is Purpose.STANDBY and identity == self.read(Purpose.SIGNING)):
                self.write(purpose, make(purpose))  # the second: `renew` was broken off in its middle
                made.append(purpose)
        self.publish()
        return made

    def renew(self, purpose: Purpose, make: Callable[[Purpose], Identity]) -> list[Purpose]:
        """Put another key in place; which purposes have changed. `KeysUnusable`.

        In place of the signing one comes the standby, which phones know already.
        """
        standby = self.read(Purpose.STANDBY)
        if purpose is Purpose.SIGNING and standby is not None:
            self.write(Purpose.SIGNING, standby)
            self.write(Purpose.STANDBY, make(Purpose.STANDBY))
            return [Purpose.SIGNING, Purpose.STANDBY]
        self.write(purpose, make(purpose))
        return [purpose]

    def publish(self) -> None:
        """Have the published certificates be those of the keys, also after a crash; `KeysUnusable`."""
        for purpose in Purpose:
            identity, path = self.read(purpose), self._own / f"{purpose}.pem"
            if identity is None:
                continue
            with suppress(OSError):
                if path.read_bytes() == identities.published(identity):
                    continue
            self._replace(path, identities.published(identity), 0o644)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing keys meanwhile; `KeysUnusable` where one does just now."""
        self._prepare()
        try:
            descriptor = os.open(self._keys / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KeysUnusable(f"{self._keys}: {error.strerror}") from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise KeysUnusable(f"{self._keys}: another process changes them just now") from None
            yield
        finally:
            os.close(descriptor)

    def _path(self, purpose: Purpose) -> Path:
        return self._keys / f"{purpose}.pem"

    def _prepare(self) -> None:
        try:
            self._keys.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._keys.chmod(0o700)  # whoever made it
            self._own.mkdir(parents=True, exist_ok=True)
            for folder in (self._own.parent, self._own):
                folder.chmod(0o755)  # whatever the umask: others read them
        except OSError as error:
            raise KeysUnusable(f"{error.filename}: {error.strerror}") from None

    def _replace(self, path: Path, content: bytes, mode: int) -> None:
        try:
            replace_file(path, content, mode)
        except OSError as error:
            raise KeysUnusable(f"{path}: {error.strerror}") from None
