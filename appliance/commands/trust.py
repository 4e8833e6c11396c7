"""`appliance trust`: its verbs and their arguments. What they do is in the modules named trust_…."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.commands.answer import Subparsers

PURPOSES = ("signing", "standby", "https", "tvs")
STORES = ("Phone-SAST-trust", "CallManager-trust", "TVS-trust", "CAPF-trust")
FORMATS = ("pem", "der", "pkcs12", "bundle")

Verb = Callable[..., argparse.ArgumentParser]


def add(commands: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser) -> None:
    """Its place among the commands."""
    command = commands.add_parser(
        "trust",
        help="certificates, trust lists and signed files",
        description="Trust lists (CTL, ITL), signed files (.sgn) and encrypted ones (.enc.sgn); the "
        "certificates of this box, and those that it and its phones trust.",
    )
    verbs = command.add_subparsers(metavar="VERB", required=True)
    _files(_adder(verbs, shared), reporting)
    _certificates(verbs, shared, reporting)
    _stores(_adder(verbs, shared), reporting)
    _exchange(_adder(verbs, shared), reporting)
    _rest(_adder(verbs, shared), reporting)


def run(options: argparse.Namespace) -> int:
    """Do what a verb says."""
    # cryptography takes a while to load, which no other command has to wait for.
    from appliance.commands import (
        trust_cert,
        trust_check,
        trust_export,
        trust_show,
        trust_sign,
        trust_store,
    )

    verbs: dict[str, Callable[[argparse.Namespace], int]] = {
        "show": trust_show.run,
        "verify": trust_show.verify,
        "strip": trust_show.strip,
        "cert show": trust_cert.run,
        "cert make": trust_cert.make,
        "cert request": trust_cert.request,
        "cert install": trust_cert.install,
        "list": trust_store.run,
        "import": trust_store.take,
        "remove": trust_store.remove,
        "export": trust_export.run,
        "consolidate": trust_export.consolidate,
        "sign": trust_sign.run,
        "check": trust_check.run,
    }
    return verbs[options.verb](options)


def _adder(verbs: Subparsers, shared: argparse.ArgumentParser, before: str = "") -> Verb:
    def add_verb(name: str, *more: argparse.ArgumentParser, **texts: Any) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, parents=[shared, *more], **texts)
        verb.set_defaults(run=run, verb=before + name)
        return verb

    return add_verb


def _files(verb: Verb, reporting: argparse.ArgumentParser) -> None:
    shower = verb(
        "show",
        reporting,
        help="print what is in a file",
        description="Print what is in a trust list, a signed or an encrypted file. Nothing is verified.",
    )
    verifier = verb(
        "verify",
        reporting,
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
    stripper = verb(
        "strip",
        help="take a signed file out of its envelope",
        description="Write X out of X.sgn. Nothing is verified.",
    )
    stripper.add_argument("-o", "--output", required=True, metavar="OUT", help="- is standard output")
    for each in (shower, verifier, stripper):
        each.add_argument("file", type=Path, metavar="FILE")


def _certificates(
    verbs: Subparsers, shared: argparse.ArgumentParser, reporting: argparse.ArgumentParser
) -> None:
    command = verbs.add_parser(
        "cert",
        help="the certificates of this box",
        description="The certificates of this box: signing (trust lists and files), standby (the next one to "
        "sign, which all lists name already), https (port 6971), tvs.",
    )
    verb = _adder(command.add_subparsers(metavar="VERB", required=True), shared, "cert ")
    verb("show", reporting, help="print them", description="Print them, and which expire soon.")
    maker = verb(
        "make",
        reporting,
        help="make those that are missing, or another one",
        description="Make the certificates that are missing. With --renew signing the standby becomes the "
        "signing one, and a new standby is made: phones know it already, if they have started since it was "
        "in their lists. Then: appliance trust sign.",
    )
    maker.add_argument("--renew", choices=PURPOSES, help="put another key in place of this one")
    maker.add_argument("--name", help="what the names of the certificates begin with (default: the hostname)")
    maker.add_argument("--unit", default="Voice", help="OU (default: %(default)s)")
    maker.add_argument("--organization", default="Phone appliance", help="O (default: %(default)s)")
    maker.add_argument("--locality", default="", help="L (default: none)")
    maker.add_argument("--state", default="", help="ST (default: none)")
    maker.add_argument("--country", default="", help="C, two capital letters (default: none)")
    maker.add_argument(
        "--not-before",
        type=_date,
        metavar="DATE",
        help="the day from which they are valid, YYYY-MM-DD (default: now); for a box whose clock is not set",
    )
    requester = verb(
        "request",
        reporting,
        help="write a request for a certificate authority",
        description="Write a request (PKCS #10, PEM) that a certificate authority sign a key of this box. "
        "For signing, request it for the standby: see install.",
    )
    requester.add_argument("purpose", choices=PURPOSES[1:])
    requester.add_argument("-o", "--output", required=True, metavar="OUT", help="- is standard output")
    installer = verb(
        "install",
        reporting,
        help="install what a certificate authority has signed",
        description="Install a certificate for the present key, with the certificates above it. For signing, "
        "install it as the standby, let phones start once, and then renew signing: phones know the signer by "
        "its serial number, and would take nothing that another one has signed.",
    )
    installer.add_argument("purpose", choices=PURPOSES[1:])
    installer.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="certificates, PEM or DER, in any order"
    )


def _stores(verb: Verb, reporting: argparse.ArgumentParser) -> None:
    verb(
        "list",
        reporting,
        help="print what is in the trust stores",
        description="Print what is in the trust stores, and which certificates expire soon.",
    )
    importer = verb(
        "import",
        reporting,
        help="show certificates that come from outside, and take them when told so",
        description="Show the certificates in a file (PEM, DER, PKCS #12, a bundle, or a trust list of a "
        "cluster), with their fingerprints, and the servers that a list names. Nothing is trusted unless "
        "--yes or --store is given.",
    )
    importer.add_argument(
        "source", metavar="SOURCE", help="a file, a tftp:// or http:// URL, or the name of a cluster"
    )
    importer.add_argument("--yes", action="store_true", help="take each into the stores where it belongs")
    importer.add_argument("--store", choices=STORES, help="take all of them into this store")
    importer.add_argument("--expired", action="store_true", help="take those that have expired as well")
    importer.add_argument(
        "--password-file", type=Path, metavar="FILE", help="its first line is the password (PKCS #12)"
    )
    remover = verb("remove", reporting, help="remove a certificate from a store", description="Remove it.")
    remover.add_argument("store", choices=STORES)
    remover.add_argument(
        "fingerprint", type=_fingerprint, metavar="FINGERPRINT", help="SHA-256 or SHA-1, or how it begins"
    )


def _exchange(verb: Verb, reporting: argparse.ArgumentParser) -> None:
    exporter = verb(
        "export",
        reporting,
        help="write certificates for others, and say how a call manager is given them",
        description="Write certificates, without any key: those with which this box signs, or those of a "
        "store. Print how they are brought to a call manager.",
    )
    exporter.add_argument("-o", "--output", required=True, metavar="OUT", help="- is standard output")
    exporter.add_argument("--format", choices=FORMATS, default="pem", help="(default: %(default)s)")
    exporter.add_argument(
        "--what",
        choices=(*PURPOSES, *STORES, "all"),
        help="a certificate of this box, a store, or all (default: signing and standby; for der signing)",
    )
    exporter.add_argument(
        "--password-file", type=Path, metavar="FILE", help="its first line is the password (PKCS #12)"
    )
    consolidator = verb(
        "consolidate",
        reporting,
        help="make one bundle of many",
        description="Make one bundle of the certificates in many files. What is there twice, or has expired, "
        "is told and left out.",
    )
    consolidator.add_argument("files", nargs="+", type=Path, metavar="FILE")
    consolidator.add_argument("-o", "--output", required=True, metavar="OUT", help="- is standard output")


def _rest(verb: Verb, reporting: argparse.ArgumentParser) -> None:
    verb(
        "sign",
        reporting,
        help="sign the files of the local store, and make the trust lists",
        description="Sign the files of the local store that have changed since, remove what was signed of "
        "files that are gone, and make the trust lists of this box where they say something new.",
    )
    checker = verb(
        "check",
        reporting,
        help="tell what phones of each cluster make of what this box signs",
        description="For each cluster: its mode, who signs its lists, whether they name this box, whether "
        "its phones would take what this box signs, what expires; each with the cure. Exit status 1 where a "
        "fault was found.",
    )
    checker.add_argument("cluster", nargs="*", metavar="CLUSTER", help="(default: all)")


def _date(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError("allowed: a day, as 2026-11-24") from None


def _fingerprint(text: str) -> str:
    plain = text.replace(":", "").lower()
    if len(plain) < 8 or not set(plain) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("allowed: 8 or more hexadecimal digits")
    return plain
