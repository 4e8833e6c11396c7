"""`appliance trust sign`: what this box signs, and its trust lists."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from appliance.commands import trust_cert, trust_store
from appliance.commands.answer import Failure, show, show_json, table
from appliance.commands.trust_text import warn
from appliance.config import load
from appliance.config.model import Configuration, SignatureHash
from appliance.report.text import printable
from appliance.report.trust import LeftOutShown, ListMade, Signed
from appliance.trust import certificate as certificates
from appliance.trust import lists, trustlist
from appliance.trust.certificate import Certificate
from appliance.trust.header import HashAlgorithm
from appliance.trust.identity import Purpose
from appliance.trust.keystore import Keystore, KeysUnusable
from appliance.trust.lists import Server, Trusted, Wanted
from appliance.trust.made import Made, Unsigned
from appliance.trust.shown import ROLES
from appliance.trust.signing import Signing
from appliance.trust.storefolder import StoreFolder
from appliance.trust.stores import Store
from appliance.trust.trustlist import TooLong

NO_SIGNER = "this box has no signing certificate; appliance trust cert make"
ALGORITHMS = {SignatureHash.SHA1: HashAlgorithm.SHA1, SignatureHash.SHA512: HashAlgorithm.SHA512}


def run(options: argparse.Namespace) -> int:
    """Sign, and tell what."""
    configuration = load.read(options.config)
    data, now = configuration.paths.data, int(time.time())
    keystore, made = Keystore(data), Made(data)
    try:
        with keystore.locked():
            signing = _signing(configuration, keystore)
            keystore.publish()  # what the lists name is the keys, also after a crash
            wanted = own_lists(configuration, keystore, made)
            changed = made.write_lists(wanted, now, signing)
            outcome = made.sign(_roots(configuration), now, signing)
    except (KeysUnusable, Unsigned, TooLong) as error:
        raise Failure(printable(str(error))) from None
    told = Signed(
        signed=outcome.signed,
        unchanged=outcome.unchanged,
        removed=outcome.removed,
        left_out=tuple(LeftOutShown(each.name, each.why) for each in outcome.left_out),
        lists=tuple(_list_made(made, name, name in changed) for name in wanted.lists),
    )
    if options.json:
        show_json(asdict(told))
        return 0
    rows = [
        *(("signed", name) for name in told.signed),
        *(("removed", name) for name in told.removed),
        ("unchanged", f"{len(told.unchanged)} files"),
        *(
            (
                each.name,
                f"{'new' if each.changed else 'unchanged'}, {each.size_bytes} bytes: {', '.join(each.roles)}",
            )
            for each in told.lists
        ),
    ]
    show(table(rows))
    warn(f"not signed: {each.name}: {each.why}" for each in told.left_out)
    return 0


def own_lists(configuration: Configuration, keystore: Keystore, made: Made) -> Wanted:
    """What the lists of this box are to hold now; `Failure`."""
    own = trust_cert.own_certificates(keystore)
    held = trust_store.read(StoreFolder(configuration.paths.data))
    host = configuration.system.hostname

    signing, standby, tvs = own[Purpose.SIGNING], own[Purpose.STANDBY], own[Purpose.TVS]
    if signing is None:
        raise Failure(NO_SIGNER)
    trusted = Trusted(
        signing=Server(signing, host),
        standby=None if standby is None else Server(standby, host),
        tvs=(*([] if tvs is None else [Server(tvs, host)]), *_servers(held[Store.TVS])),
        capf=_servers(held[Store.CAPF]),
        call_managers=_servers(held[Store.CALL_MANAGER]),
    )
    return lists.wanted(configuration.trust.mode, trusted, made.has_ctl)


def _servers(stored: Sequence[Certificate]) -> tuple[Server, ...]:
    return tuple(Server(each) for each in stored)


def _signing(configuration: Configuration, keystore: Keystore) -> Signing:
    own = keystore.read(Purpose.SIGNING)
    if own is None:
        raise Failure(NO_SIGNER)
    key = certificates.read_key(own.key)
    return certificates.signing(own.certificate, key, ALGORITHMS[configuration.trust.hash])


def _roots(configuration: Configuration) -> list[Path]:
    """The administrator's files, then those that were rendered, where there are any."""
    rendered = configuration.paths.data / "made" / "rendered"
    return [configuration.local.root, *([rendered] if rendered.exists() else [])]


def _list_made(made: Made, name: str, changed: bool) -> ListMade:
    found = made.list(name)
    assert found is not None  # just written, or compared
    roles = tuple(ROLES.get(record.role, str(record.role)) for record in found.records)
    return ListMade(name, len(trustlist.encode(found)), changed, roles)
