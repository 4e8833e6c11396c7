"""Trust stores, by the names that administrators of call managers know, and what goes into which.

Phone-SAST-trust    whoever may sign files for phones: this box vouches for it (phones.md 4)
CallManager-trust   call managers that phones may speak to; in the CTL of mixed mode
TVS-trust           other servers that vouch for certificates; in the ITL
CAPF-trust          who gives phones their certificates; in all lists
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from appliance.trust.certificate import Certificate
from appliance.trust.expiry import is_expired
from appliance.trust.header import HashAlgorithm
from appliance.trust.trustlist import Role

STORE_MAX = 500  # certificates in one store


class Store(StrEnum):
    """A store; the value is its name."""

    PHONE_SAST = "Phone-SAST-trust"
    CALL_MANAGER = "CallManager-trust"
    TVS = "TVS-trust"
    CAPF = "CAPF-trust"


SUGGESTED: dict[int, tuple[Store, ...]] = {
    Role.SAST: (Store.PHONE_SAST,),
    Role.CCM: (Store.CALL_MANAGER,),
    Role.CCM_TFTP: (Store.PHONE_SAST, Store.CALL_MANAGER),
    Role.TFTP: (Store.PHONE_SAST,),
}
"""Where a certificate of another cluster's list belongs, by its role. Its TVS and CAPF serve its own phones:
none of ours needs them, unless somebody says so.
"""

Held = Mapping[Store, Iterable[Certificate]]


class Fate(StrEnum):
    """What becomes of an offered certificate; the value is what a person is told."""

    NEW = "new"
    THERE = "there already"
    DUPLICATE = "twice in what was given"
    EXPIRED = "expired"
    NO_STORE = "for no store"


@dataclass(frozen=True, slots=True)
class Offered:
    """A certificate that came from outside, where it is said to belong, and what it was called there."""

    certificate: Certificate
    stores: tuple[Store, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """An offered certificate and its fate. `stores` are those into which it would go now."""

    offered: Offered
    fate: Fate
    stores: tuple[Store, ...] = field(default=())


def sha256(certificate: Certificate) -> str:
    """By what a certificate is told from all others: hexadecimal."""
    return certificate.fingerprint(HashAlgorithm.SHA256).hex()


def judge(offered: Iterable[Offered], held: Held, now: datetime, expired_too: bool = False) -> list[Judged]:
    """What would become of each, in the order given. One that comes several times, for several stores,
    goes into all of them; `expired_too` takes those that have expired as well.
    """
    there = {store: {sha256(each) for each in certificates} for store, certificates in held.items()}
    taken: set[tuple[Store, str]] = set()
    seen: set[str] = set()
    judged = []
    for each in offered:
        name = sha256(each.certificate)
        wanted = [store for store in each.stores if (store, name) not in taken]
        new = tuple(store for store in wanted if name not in there.get(store, ()))
        if is_expired(each.certificate, now) and not expired_too:
            fate, new = Fate.EXPIRED, ()
        elif new:
            fate = Fate.NEW
        elif name in seen and not wanted:
            fate = Fate.DUPLICATE
        else:
            fate = Fate.THERE if wanted else Fate.NO_STORE
        taken |= {(store, name) for store in each.stores}
        seen.add(name)
        judged.append(Judged(each, fate, new))
    return judged


def merge(offered: Iterable[Offered], now: datetime) -> list[Judged]:
    """What becomes of each in a bundle that is made of many: `NEW`, `DUPLICATE` or `EXPIRED`."""
    seen: dict[str, set[Store]] = {}
    judged = []
    for each in offered:
        name = sha256(each.certificate)
        known = seen.get(name)
        if is_expired(each.certificate, now):
            judged.append(Judged(each, Fate.EXPIRED))
        elif known is not None and known >= set(each.stores):
            judged.append(Judged(each, Fate.DUPLICATE))
        else:
            judged.append(Judged(each, Fate.NEW, each.stores))
            seen[name] = (known or set()) | set(each.stores)
    return judged


def matching(certificates: Iterable[Certificate], prefix: str) -> list[Certificate]:
    """Those whose SHA-256 or SHA-1 begins so; `prefix` is hexadecimal, with colons or without."""
    start = prefix.replace(":", "").lower()
    return [
        each
        for each in certificates
        if sha256(each).startswith(start) or each.fingerprint(HashAlgorithm.SHA1).hex().startswith(start)
    ]
