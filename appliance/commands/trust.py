"""`appliance trust`: what is in trust lists and signed files, and who signed them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from appliance.commands.answer import Failure, Subparsers, fail, show, show_json, table
from appliance.commands.sink import sink
from appliance.report.text import printable
from appliance.report.trust import CertificateShown, RecordShown, SignedFileShown, SignerShown
from appliance.trust import envelope, signedfile
from appliance.trust.tlv import Malformed

FILE_MAX = 256 * 1024 * 1024  # bytes; the largest images that phones load are some 60 MB
LIST_MAX = 1024 * 1024  # bytes of a trust list: one that is too long for phones is shown all the same


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "trust",
        help="look into trust lists and signed files",
        description="Trust lists (CTL, ITL), signed files (.sgn) and encrypted ones (.enc.sgn).",
    )
    verbs = command.add_subparsers(metavar="VERB", required=True)
    shower = verbs.add_parser(
        "show",
        parents=[shared, reporting],
        help="print what is in a file",
        description="Print what is in a trust list, a signed or an encrypted file. Nothing is verified.",
    )
    shower.set_defaults(run=run_show)
    verifier = verbs.add_parser(
        "verify",
        parents=[shared, reporting],
        help="tell whether one of these certificates has signed a file",
        description="Tell whether the key of one of these certificates has signed a file, and the file was "
        "not changed since. That a certificate has expired is not looked at.",
    )
    verifier.add_argument(
        "--with",
        action="append",
        required=True,
        type=Path,
        metavar="CERTS",
        dest="certificates",
        help="certificates, PEM or DER; may be given several times",
    )
    verifier.set_defaults(run=run_verify)
    stripper = verbs.add_parser(
        "strip",
        parents=[shared],
        help="take a signed file out of its envelope",
        description="Write X out of X.sgn. Nothing is verified.",
    )
    stripper.add_argument("-o", "--output", required=True, metavar="OUT", help="- is standard output")
    stripper.set_defaults(run=run_strip)
    for verb in (shower, verifier, stripper):
        verb.add_argument("file", type=Path, metavar="FILE")


def run_show(options: argparse.Namespace) -> int:
    """Print what is in a file."""
    # cryptography takes a while to load, which no other command has to wait for.
    from appliance.trust.shown import shown

    found = shown(str(options.file), _signed(options.file))
    if options.json:
        show_json(asdict(found))
        return 0
    show("\n\n".join((_file(found), *(_record(*each) for each in enumerate(found.records, 1)))))
    _warn(found.doubts)
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """Tell who signed a file; 1 where none of the certificates did."""
    from appliance.trust import certificate, signature
    from appliance.trust.shown import verified

    known = []
    for path in options.certificates:
        try:
            known += certificate.read(_content(path))
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
    _warn(found.doubts)
    return 0


def run_strip(options: argparse.Namespace) -> int:
    """Write what is inside a signed file."""
    try:
        content = envelope.strip(_content(options.file))
    except (Malformed, envelope.Sealed) as error:
        raise Failure(f"{printable(str(options.file))}: {error}") from None
    with sink(options.output) as out:
        out.write(content)
    print(f"{printable(options.output)}: {len(content)} bytes", file=sys.stderr)
    return 0


def _signed(path: Path) -> signedfile.SignedFile:
    try:
        return signedfile.decode(_content(path), LIST_MAX)
    except Malformed as error:
        raise Failure(f"{printable(str(path))}: {error}") from None


def _content(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_MAX + 1)
    except OSError as error:
        raise Failure(f"{printable(str(path))}: {error.strerror}") from None
    if len(content) > FILE_MAX:
        raise Failure(f"{printable(str(path))}: more than {FILE_MAX} bytes")
    return content


def _warn(doubts: Iterable[str]) -> None:
    for doubt in doubts:
        print(f"warning: {doubt}", file=sys.stderr)


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
            *(_certificate(record.certificate) if record.certificate else ()),
            *_told(("certificate", record.fault), ("hash", record.certificate_hash)),
            *_told(("unknown", "; ".join(record.unknown))),
        ]
    )


def _certificate(certificate: CertificateShown) -> list[tuple[str, str]]:
    return [
        ("key", certificate.key),
        ("valid", f"{certificate.not_before} to {certificate.not_after}"),
        ("SHA-1", certificate.sha1),
    ]


def _named(what: str, signer: SignerShown) -> list[tuple[str, str]]:
    return [(what, signer.subject), ("issuer", signer.issuer), ("serial number", signer.serial)]


def _told(*rows: tuple[str, str | None]) -> list[tuple[str, str]]:
    """Those of which something is known."""
    return [(name, text) for name, text in rows if text]
