"""What the commands below `appliance trust` share: reading files, and certificates and findings as text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from appliance.commands.answer import Failure, table
from appliance.report.text import printable
from appliance.report.trust import CertificateShown, Level, TrustFinding

FILE_MAX = 256 * 1024 * 1024  # bytes; the largest images that phones load are some 60 MB


def content(path: Path, size_max: int | None = None) -> bytes:
    """A whole file of at most `size_max` bytes (without it: `FILE_MAX`); `Failure`."""
    most = FILE_MAX if size_max is None else size_max
    try:
        with open(path, "rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        raise Failure(f"{printable(str(path))}: {error.strerror}") from None
    if len(found) > most:
        raise Failure(f"{printable(str(path))}: more than {most} bytes")
    return found


def password(path: Path | None) -> bytes | None:
    """The first line of a file; `Failure`."""
    return None if path is None else content(path, 1024).split(b"\n")[0].removesuffix(b"\r")


def warn(doubts: Iterable[str]) -> None:
    """Say what does not stop a command on standard error."""
    for doubt in doubts:
        print(f"warning: {printable(doubt)}", file=sys.stderr)


def certificate_rows(certificate: CertificateShown) -> list[tuple[str, str]]:
    """What is to be compared by people."""
    return [
        ("key", certificate.key),
        ("valid", f"{certificate.not_before} to {certificate.not_after}"),
        ("SHA-1", certificate.sha1),
    ]


def whole(what: str, certificate: CertificateShown, *more: tuple[str, str]) -> str:
    """A certificate with its names and hashes, after a word for what it is."""
    return table(
        [
            (what, certificate.subject),
            *([("issuer", certificate.issuer)] if certificate.issuer != certificate.subject else []),
            ("serial number", certificate.serial),
            *certificate_rows(certificate),
            ("SHA-256", certificate.sha256),
            *more,
        ]
    )


def findings(found: Sequence[TrustFinding]) -> str:
    """Findings, the worst first, each with its cure on a line of its own."""
    order = list(Level)[::-1]
    lines = []
    for each in sorted(found, key=lambda each: order.index(each.level)):
        lines.append(f"{each.level}: {printable(each.about)}: {printable(each.text, 1000)}")
        if each.cure:
            lines.append(f"    cure: {printable(each.cure, None)}")
    return "\n".join(lines)
