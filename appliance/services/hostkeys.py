"""The host keys of SSH: made once, by ssh-keygen(1), and kept with the data."""

from __future__ import annotations

import os
from pathlib import Path

import gevent
from gevent import subprocess

from appliance.services.programs import ENVIRONMENT, found
from appliance.services.sshd_config import KEYS, key_path

PROGRAM = "ssh-keygen"
MAKE_MAX = 300.0  # s: RSA takes its time on a small machine


class NoKey(Exception):
    """A key cannot be made. The text says why."""


def make(folder: Path) -> tuple[str, ...]:
    """Make the keys that are missing; their types. `NoKey`, `OSError`."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    missing = tuple(kind for kind in KEYS if not _whole(key_path(folder, kind)))
    for kind in missing:
        _make(folder, kind)
    return missing


def _whole(path: Path) -> bool:
    return path.is_file() and os.stat(path).st_size > 0


def _make(folder: Path, kind: str) -> None:
    path = key_path(folder, kind)
    new = folder / f"new_{kind}"
    for left in (new, new.with_suffix(".pub")):
        left.unlink(missing_ok=True)
    argv = [found(PROGRAM), "-q", "-t", kind, "-N", "", "-C", "", "-f", str(new)]
    making = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT
    )
    with making:
        try:
            said, _ = making.communicate(timeout=MAKE_MAX)
        except subprocess.TimeoutExpired:
            raise NoKey(f"{PROGRAM} took more than {MAKE_MAX:g} s") from None
        finally:
            making.kill()
    if making.returncode != 0:
        raise NoKey(
            f"{PROGRAM} ended with {making.returncode}: {said[:200].decode('utf-8', 'replace').strip()}"
        )
    gevent.get_hub().threadpool.apply(_keep, (new, path))


def _keep(new: Path, path: Path) -> None:
    """Give both files their names, the secret last: where that stands, the key is whole."""
    for source, target in ((new.with_suffix(".pub"), path.with_suffix(".pub")), (new, path)):
        descriptor = os.open(source, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(source, target)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
