"""`appliance trust export` and `consolidate`: certificates for others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from appliance.commands import trust_cert, trust_store
from appliance.commands.answer import Failure, show, show_json
from appliance.commands.sink import sink
from appliance.commands.trust_text import content, password, whole
from appliance.config import load
from appliance.config.model import Configuration
from appliance.report.text import printable
from appliance.report.trust import Consolidated, Exported
from appliance.trust import bundle, exchange, pkcs12, stores
from appliance.trust.bundle import BadBundle
from appliance.trust.identity import Purpose
from appliance.trust.keystore import Keystore
from appliance.trust.shown import certificate_shown
from appliance.trust.storefolder import StoreFolder
from appliance.trust.stores import Fate, Offered, Store

SIGNERS = (Purpose.SIGNING, Purpose.STANDBY)


def run(options: argparse.Namespace) -> int:
    """Write certificates, and say how a call manager is given them."""
    configuration = load.read(options.config)
    entries = _chosen(options, configuration)
    made = _encoded(options, configuration, entries)
    with sink(options.output) as out:
        out.write(made)
    told = Exported(
        output=options.output,
        format=options.format,
        certificates=tuple(certificate_shown(each.certificate) for each in entries),
        steps=(*exchange.UPLOAD, *exchange.MIXED, *exchange.BULK),
    )
    if options.output == "-":
        return 0  # what is printed is the certificates themselves
    if options.json:
        show_json(asdict(told))
        return 0
    parts = [f"{printable(told.output)}: {len(told.certificates)} certificates"]
    parts += [
        whole(entry.label or "certificate", each)
        for entry, each in zip(entries, told.certificates, strict=True)
    ]
    parts.append("\n".join(f"{number}. {step}" for number, step in enumerate(told.steps, 1)))
    show("\n\n".join(parts))
    return 0


def consolidate(options: argparse.Namespace) -> int:
    """One bundle of many files."""
    hostname = load.read(options.config).system.hostname
    offered: list[Offered] = []
    for path in options.files:
        try:
            offered += bundle.read(content(path, bundle.SIZE_MAX)).offered
        except BadBundle as error:
            raise Failure(f"{printable(str(path))}: {error}") from None
    now = datetime.now(UTC)
    judged = stores.merge(offered, now)
    made = bundle.encode([each.offered for each in judged if each.fate is Fate.NEW], now, hostname)
    try:
        bundle.read(made)
    except BadBundle as error:
        raise Failure(f"together too much for a bundle: {error}") from None
    with sink(options.output) as out:
        out.write(made)
    told = Consolidated(options.output, trust_store.offered_shown(judged))
    if options.output == "-":
        return 0
    if options.json:
        show_json(asdict(told))
        return 0
    show(f"{printable(told.output)}\n\n{trust_store.offered_text(told.certificates, 'for')}")
    return 0


def _chosen(options: argparse.Namespace, configuration: Configuration) -> list[Offered]:
    """The certificates asked for; `Failure` where there is none."""
    own = trust_cert.own_certificates(Keystore(configuration.paths.data))
    held = trust_store.read(StoreFolder(configuration.paths.data))
    default = SIGNERS[:1] if options.format == "der" else SIGNERS
    purposes = [each for each in own if each == options.what] if options.what else default
    wanted = [store for store in Store if options.what in (store, "all")]
    entries = [
        Offered(certificate, (Store.PHONE_SAST,) if purpose in SIGNERS else (), str(purpose))
        for purpose, certificate in own.items()
        if certificate is not None and purpose in purposes
    ]
    entries += [Offered(each, (store,), str(store)) for store in wanted for each in held[store]]
    if not entries:
        raise Failure("there is no such certificate; see appliance trust cert show, appliance trust list")
    return entries


def _encoded(options: argparse.Namespace, configuration: Configuration, entries: Sequence[Offered]) -> bytes:
    if options.format == "der":
        if len(entries) > 1:
            raise Failure(f"{len(entries)} certificates; a DER file holds one: use --format pem")
        return entries[0].certificate.der
    if options.format == "pkcs12":
        secret = password(options.password_file)
        return pkcs12.encode([(each.certificate.subject, each.certificate) for each in entries], secret)
    if options.format == "bundle":
        return bundle.encode(entries, datetime.now(UTC), configuration.system.hostname)
    return b"".join(each.certificate.pem for each in entries)
