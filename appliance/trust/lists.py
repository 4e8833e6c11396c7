"""The trust lists of this box: whom the phones of the local store are to trust (phones.md 3.2, 4).

    nonsecure   an ITL
    mixed       a CTL and an ITL
    rollback    an ITL with CAPF entries alone: a phone that has taken it takes any list next

Where a CTL was handed out in mixed mode, it is followed in the other modes by one with CAPF entries alone,
as call managers do; else the phones would keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from appliance.config.model import TrustMode
from appliance.trust import trustlist
from appliance.trust.certificate import Certificate
from appliance.trust.header import Version
from appliance.trust.signing import Signing
from appliance.trust.trustlist import Record, Role, TrustList

CTL, ITL = "CTLFile.tlv", "ITLFile.tlv"
"""The names inside the lists, by whichever name a phone asks for them."""

HTTPS: Version = (1, 1)
"""The signer version that has phones ask for their configuration over HTTPS on port 6971."""


@dataclass(frozen=True, slots=True)
class Server:
    """A certificate and the server that it is of, as a record tells it."""

    certificate: Certificate
    dns_name: str = ""
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whom the lists are to name.

    `signing` signs them, and the files; `standby` is known to phones before it will. `https` is the
    certificate of port 6971, where that is on. The rest are of other servers of the local cluster.
    """

    signing: Server
    standby: Server | None = None
    https: Server | None = None
    tvs: tuple[Server, ...] = ()
    capf: tuple[Server, ...] = ()
    call_managers: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records by the name of their list, and the signer version of all."""

    lists: dict[str, tuple[Record, ...]]
    signer_version: Version | None


def wanted(mode: TrustMode, trusted: Trusted, had_ctl: bool = False) -> Wanted:
    """What the lists are to hold in a mode; `had_ctl`: a CTL was made before.

    Without HTTPS no signer version is told, as by call managers before it came.
    """
    if mode is TrustMode.ROLLBACK:
        only = _capf_only(trusted)
        return Wanted({CTL: only, ITL: only} if had_ctl else {ITL: only}, None)
    signers = [trusted.signing] if trusted.standby is None else [trusted.signing, trusted.standby]
    assert len(signers) <= trustlist.SAST_MAX  # phones pay no attention to more
    common = [*_records(signers, Role.SAST), _record(trusted.signing, Role.TFTP)]
    if trusted.https is not None:
        common.append(_record(trusted.https, Role.TFTP))
    capf = _records(trusted.capf, Role.CAPF)
    lists = {ITL: (*common, *_records(trusted.tvs, Role.TVS), *capf)}
    if mode is TrustMode.MIXED:
        lists[CTL] = (*common, *capf, *_records(trusted.call_managers, Role.CCM))
    elif had_ctl:
        lists[CTL] = _capf_only(trusted)
    return Wanted(lists, None if trusted.https is None else HTTPS)


def build(wanted: Wanted, timestamp: int, signing: Signing) -> dict[str, TrustList]:
    """The lists, signed, by name; `TooLong` where phones would not load one.

    `timestamp` is in seconds since 1970.
    """
    return {
        name: trustlist.build(records, name, timestamp, signing, wanted.signer_version)
        for name, records in wanted.lists.items()
    }


def is_same(one: TrustList, other: TrustList) -> bool:
    """Whether two lists say the same of the same signer, and differ by their time alone."""
    return (
        one.records == other.records
        and one.header.signer == other.header.signer
        and one.header.algorithm == other.header.algorithm
        and one.header.signer_version == other.header.signer_version
    )


def is_capf_only(trust_list: TrustList) -> bool:
    """Whether a phone that has taken it takes any list next."""
    return all(record.role == Role.CAPF for record in trust_list.records)


def _capf_only(trusted: Trusted) -> tuple[Record, ...]:
    """Without a CAPF the signer stands in that entry: a list with no record at all was never seen."""
    return _records(trusted.capf or (trusted.signing,), Role.CAPF)


def _records(servers: Sequence[Server], role: Role) -> tuple[Record, ...]:
    return tuple(_record(server, role) for server in servers)


def _record(server: Server, role: Role) -> Record:
    return trustlist.record(server.certificate, role, server.dns_name, server.addresses)
