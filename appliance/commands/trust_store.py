"""`appliance trust list`, `import` and `remove`: the trust stores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from appliance.commands import trust_fetch
from appliance.commands.answer import Failure, show, show_json, table
from appliance.commands.trust_text import findings, password, warn, whole
from appliance.config import load
from appliance.report.text import printable
from appliance.report.trust import Imported, NodeShown, OfferedShown, Removed, StoreShown, StoresShown
from appliance.trust import check, stores
from appliance.trust.certificate import Certificate
from appliance.trust.shown import certificate_shown
from appliance.trust.storefolder import StoreFolder, StoresUnusable
from appliance.trust.stores import Judged, Store


def run(options: argparse.Namespace) -> int:
    """Print what is in the stores."""
    held = read(StoreFolder(load.read(options.config).paths.data))
    every = [(str(store), each) for store, certificates in held.items() for each in certificates]
    told = StoresShown(
        stores=tuple(
            StoreShown(store, tuple(map(certificate_shown, certificates)))
            for store, certificates in held.items()
        ),
        findings=tuple(check.own({}, every, {}, datetime.now(UTC))),
    )
    if options.json:
        show_json(asdict(told))
        return 0
    parts = []
    for store in told.stores:
        parts.append(f"{store.store}: {len(store.certificates)} certificates")
        parts += [whole("subject", each) for each in store.certificates]
    show("\n\n".join([*parts, *([findings(told.findings)] if told.findings else [])]))
    return 0


def take(options: argparse.Namespace) -> int:
    """Show what is offered, and take it when told so."""
    configuration = load.read(options.config)
    folder = StoreFolder(configuration.paths.data)
    offer = trust_fetch.offer(options.source, configuration, password(options.password_file))
    if options.yes and offer.forged:
        raise Failure(f"{printable(options.source)}: {offer.forged}; not taken as a whole")
    offered = offer.offered
    if options.store:
        offered = tuple(replace(each, stores=(Store(options.store),)) for each in offered)
    judged = stores.judge(offered, read(folder), datetime.now(UTC), options.expired)
    written = bool(options.yes or options.store)
    if written:
        try:
            for each in judged:
                for store in each.stores:
                    folder.add(store, each.offered.certificate)
        except StoresUnusable as error:
            raise Failure(printable(str(error))) from None
    told = Imported(
        source=options.source,
        kind=offer.kind,
        written=written,
        certificates=offered_shown(judged),
        nodes=tuple(NodeShown(node.name, tuple(map(str, node.addresses))) for node in offer.nodes),
        doubts=offer.doubts,
    )
    if options.json:
        show_json(asdict(told))
        return 0
    show(_imported(told))
    warn(told.doubts)
    return 0


def remove(options: argparse.Namespace) -> int:
    """Have a certificate in a store no more."""
    folder, store = StoreFolder(load.read(options.config).paths.data), Store(options.store)
    found = stores.matching(read(folder)[store], options.fingerprint)
    if len(found) != 1:
        count = "several certificates have" if found else "no certificate has"
        raise Failure(f"{store}: {count} a fingerprint that begins with {options.fingerprint}")
    try:
        folder.remove(store, found[0])
    except StoresUnusable as error:
        raise Failure(printable(str(error))) from None
    told = Removed(store, certificate_shown(found[0]))
    if options.json:
        show_json(asdict(told))
    else:
        show(f"{store}: holds no more\n\n{whole('subject', told.certificate)}")
    return 0


def read(folder: StoreFolder) -> dict[Store, list[Certificate]]:
    """What is in the stores; `Failure`."""
    try:
        return folder.read()
    except StoresUnusable as error:
        raise Failure(printable(str(error))) from None


def offered_shown(judged: Sequence[Judged]) -> tuple[OfferedShown, ...]:
    """What becomes of certificates."""
    return tuple(
        OfferedShown(
            certificate=certificate_shown(each.offered.certificate),
            label=each.offered.label,
            fate=each.fate,
            stores=tuple(map(str, each.stores)),
        )
        for each in judged
    )


def offered_text(offered: Sequence[OfferedShown], where: str) -> str:
    """Each with its fate; `where` says what is done with the new ones."""
    return "\n\n".join(
        whole(
            each.label or "certificate",
            each.certificate,
            ("fate", f"{each.fate}{f': {where} ' if each.stores else ''}{', '.join(each.stores)}"),
        )
        for each in offered
    )


def _imported(told: Imported) -> str:
    parts = [f"{printable(told.source)}: {told.kind}, {len(told.certificates)} certificates"]
    parts.append(offered_text(told.certificates, "taken into" if told.written else "would go into"))
    if told.nodes:
        rows = [(node.name, ", ".join(node.addresses)) for node in told.nodes]
        parts.append(f"servers of the cluster that have its files:\n{table(rows)}")
    if not told.written:
        parts.append(
            "Nothing is trusted yet. Compare the fingerprints with those that the other side shows; then "
            "give --yes, or --store STORE."
        )
    return "\n\n".join(part for part in parts if part)
