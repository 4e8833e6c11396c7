"""Where a fetched file goes."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from appliance.commands.answer import Failure, standard_output
from appliance.report.text import printable


@contextmanager
def sink(target: str) -> Iterator[BinaryIO]:
    """A file that is there, under its name, only when all of it is; `-` is standard output. `Failure`."""
    if target == "-":
        with standard_output() as out:
            yield out.buffer
        return
    path = Path(target)
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as device:  # /dev/null must never become a file
                yield device
            return
        with _ended_as_by_ctrl_c(), _partial(path) as file:
            yield file
    except OSError as error:
        raise Failure(f"{printable(target)}: {error.strerror}") from None


@contextmanager
def _partial(path: Path) -> Iterator[BinaryIO]:
    """A hidden file beside `path`, which takes its place at the end or goes away."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:80]}.", delete=False) as file:
        partial = Path(file.name)
        try:
            yield file  # type: ignore[misc]  # the wrapper has all that a BinaryIO has
            file.flush()
            partial.chmod(0o644)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Have SIGTERM, and SIGHUP of a terminal that goes away, raise `KeyboardInterrupt` too."""
    # One that is ignored, as under nohup, stays so.
    changed = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in changed:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
