"""`appliance trust check`: what phones of each cluster make of what this box signs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime

from appliance.commands import trust_cert, trust_fetch, trust_sign, trust_store, trust_tvs
from appliance.commands.answer import Failure, show, show_json, table
from appliance.commands.trust_text import findings
from appliance.config import load
from appliance.config.model import Cluster, Configuration
from appliance.report.text import printable
from appliance.report.trust import ClusterTrust, Level, TrustChecked
from appliance.trust import check
from appliance.trust.check import Known
from appliance.trust.identity import Purpose
from appliance.trust.keystore import Keystore
from appliance.trust.lists import CTL, ITL
from appliance.trust.made import Made
from appliance.trust.storefolder import StoreFolder
from appliance.trust.stores import Store


def run(options: argparse.Namespace) -> int:
    """Print what was found; 1 where there is a fault."""
    configuration = load.read(options.config)
    now = datetime.now(UTC)
    clusters = _clusters(configuration, options.cluster)
    keystore, made = Keystore(configuration.paths.data), Made(configuration.paths.data)
    own = trust_cert.own_certificates(keystore)
    held = trust_store.read(StoreFolder(configuration.paths.data))
    signing = own[Purpose.SIGNING]
    wanted = {} if signing is None else trust_sign.own_lists(configuration, keystore, made).lists
    known = Known(signing, tuple(held[Store.PHONE_SAST]))
    told = TrustChecked(
        own=tuple(
            check.own(
                {str(purpose): each for purpose, each in own.items()},
                [(str(store), each) for store, stored in held.items() for each in stored],
                {name: (made.list(name), records) for name, records in wanted.items()},
                now,
            )
        ),
        clusters=tuple(_checked(each, known, now) for each in clusters),
    )
    every = [*told.own, *(finding for each in told.clusters for finding in each.findings)]
    if options.json:
        show_json(asdict(told))
    else:
        show("\n\n".join([f"this box\n{findings(told.own) or 'no findings'}", *map(_cluster, told.clusters)]))
    return 1 if any(each.level is Level.FAULT for each in every) else 0


def _checked(cluster: Cluster, known: Known, now: datetime) -> ClusterTrust:
    ctl, itl = trust_fetch.fetched(cluster, CTL), trust_fetch.fetched(cluster, ITL)
    servers = check.tvs_servers(cluster, ctl, itl)
    asked = trust_tvs.ask(servers, known.signing) if servers and known.signing else check.NOT_ASKED
    return check.check(cluster, ctl, itl, known, now, asked)


def _clusters(configuration: Configuration, names: list[str]) -> list[Cluster]:
    known = {each.name: each for each in configuration.clusters}
    for name in names:
        if name not in known:
            raise Failure(f"{printable(name)}: no such cluster; there are: {', '.join(known) or 'none'}")
    return [known[name] for name in names] if names else [each for each in known.values() if each.enabled]


def _cluster(told: ClusterTrust) -> str:
    words = {True: "yes", False: "no", None: "only if its TVS vouches for this box"}
    sizes = (("ITL", told.itl_bytes), ("CTL", told.ctl_bytes))
    rows = [
        ("cluster", told.cluster),
        ("mode", told.mode),
        ("lists signed by", told.signer),
        ("takes what this box signs", words[told.accepts]),
        *((name, f"{size} bytes") for name, size in sizes if size is not None),
    ]
    return "\n".join(part for part in (table(rows), findings(told.findings)) if part)
