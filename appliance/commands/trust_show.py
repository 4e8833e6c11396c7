"""`appliance trust show`, `verify` and `strip`: what is in signed files, and who signed them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from appliance.commands.answer import Failure, fail, show, show_json, table
from appliance.commands.sink import sink
from appliance.commands.trust_text import certificate_rows, content, warn
from appliance.report.text import printable
from appliance.report.trust import RecordShown, SignedFileShown, SignerShown
from appliance.trust import certificate, envelope, signature, signedfile
from appliance.trust.shown import shown, verified
from appliance.trust.tlv import Malformed

LIST_MAX = 1024 * 1024  # bytes of a trust list: one that is too long for phones is shown all the same


def run(options: argparse.Namespace) -> int:
    """Print what is in a file."""
    found = shown(str(options.file), _signed(options.file))
    if options.json:
        show_json(asdict(found))
        return 0
    show("\n\n".join((_file(found), *(_record(*each) for each in enumerate(found.records, 1)))))
    warn(found.doubts)
    return 0


def verify(options: argparse.Namespace) -> int:
    """Tell who signed a file; 1 where none of the certificates did."""
    known = []
    for path in options.certificates:
        try:
            known += certificate.read(content(path))
        except certificate.BadCertificate as error:
            raise Failure(f"{printable(str(path))}: {error}") from None
    signed = _signed(options.file)
    found = verified(str(options.file), signed, signature.verify(signed, known))
    if options.json:
        show_json(asdict(found))
        return 0 if found.valid else 1
    if found.certificate is None:
        named = f"it names {printable(found.signer.subject)} as its signer"
        return fail(f"{printable(found.file)}: {printable(found.why)} ({named})")
    show(
        f"{printable(found.file)}: signed by {printable(found.certificate.subject)}, "
        f"serial number {found.certificate.serial}"
    )
    warn(found.doubts)
    return 0


def strip(options: argparse.Namespace) -> int:
    """Write what is inside a signed file."""
    try:
        inside = envelope.strip(content(options.file))
    except (Malformed, envelope.Sealed) as error:
        raise Failure(f"{printable(str(options.file))}: {error}") from None
    with sink(options.output) as out:
        out.write(inside)
    print(f"{printable(options.output)}: {len(inside)} bytes", file=sys.stderr)
    return 0


def _signed(path: Path) -> signedfile.SignedFile:
    try:
        return signedfile.decode(content(path), LIST_MAX)
    except Malformed as error:
        raise Failure(f"{printable(str(path))}: {error}") from None


def _file(found: SignedFileShown) -> str:
    signer_version = f", signer version {found.signer_version}" if found.signer_version else ""
    return table(
        [
            ("file", f"{found.file}: {found.kind}, {found.size_bytes} bytes"),
            ("header", f"version {found.version}{signer_version}, {found.header_bytes} bytes"),
            *_named("signer", found.signer),
            ("signature", f"{found.algorithm}, {found.signature_bytes} bytes"),
            *_told(("name", found.name), ("signed at", found.time), ("unknown", "; ".join(found.unknown))),
        ]
    )


def _record(number: int, record: RecordShown) -> str:
    return table(
        [
            (f"record {number}", record.role),
            *_named("subject", SignerShown(record.subject, record.issuer, record.serial)),
            *_told(("server", ", ".join(filter(None, (record.dns_name, *record.addresses))))),
            *(certificate_rows(record.certificate) if record.certificate else ()),
            *_told(("certificate", record.fault), ("hash", record.certificate_hash)),
            *_told(("unknown", "; ".join(record.unknown))),
        ]
    )


def _named(what: str, signer: SignerShown) -> list[tuple[str, str]]:
    return [(what, signer.subject), ("issuer", signer.issuer), ("serial number", signer.serial)]


def _told(*rows: tuple[str, str | None]) -> list[tuple[str, str]]:
    """Those of which something is known."""
    return [(name, text) for name, text in rows if text]
