from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from appliance.trust.certificate import Certificate
from appliance.trust.header import HashAlgorithm
from appliance.trust.stores import SUGGESTED, Fate, Offered, Store, judge, matching, merge, sha256
from appliance.trust.trustlist import Role
from tests.trust.vectors import CLUSTER, CURVE, SMALL

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OLD = replace(CURVE, not_after=datetime(2026, 11, 24, tzinfo=UTC))
SAST, CCM, TVS, CAPF = Store.PHONE_SAST, Store.CALL_MANAGER, Store.TVS, Store.CAPF

ONE = Offered(CLUSTER, (SAST,))
BOTH = Offered(CLUSTER, (SAST, CCM))


@pytest.mark.parametrize(
    ("offered", "held", "fates"),
    [
        ([ONE], {}, [(Fate.NEW, (SAST,))]),
        ([ONE], {SAST: [CLUSTER]}, [(Fate.THERE, ())]),
        ([ONE], {CCM: [CLUSTER], SAST: [SMALL]}, [(Fate.NEW, (SAST,))]),
        ([BOTH], {SAST: [CLUSTER]}, [(Fate.NEW, (CCM,))]),
        ([ONE, ONE], {}, [(Fate.NEW, (SAST,)), (Fate.DUPLICATE, ())]),
        ([ONE, BOTH], {}, [(Fate.NEW, (SAST,)), (Fate.NEW, (CCM,))]),
        ([BOTH, ONE], {}, [(Fate.NEW, (SAST, CCM)), (Fate.DUPLICATE, ())]),
        ([ONE, ONE], {SAST: [CLUSTER]}, [(Fate.THERE, ()), (Fate.DUPLICATE, ())]),
        ([Offered(CLUSTER)], {}, [(Fate.NO_STORE, ())]),
        ([Offered(CLUSTER), ONE], {}, [(Fate.NO_STORE, ()), (Fate.NEW, (SAST,))]),
        ([Offered(OLD, (SAST,))], {}, [(Fate.EXPIRED, ())]),
        ([], {}, []),
    ],
)
def test_judge(
    offered: list[Offered], held: dict[Store, list[Certificate]], fates: list[tuple[Fate, tuple[Store, ...]]]
) -> None:
    assert [(each.fate, each.stores) for each in judge(offered, held, NOW)] == fates


def test_expired_ones_on_demand() -> None:
    [found] = judge([Offered(OLD, (SAST,))], {}, NOW, expired_too=True)
    assert (found.fate, found.stores) == (Fate.NEW, (SAST,))


@pytest.mark.parametrize(
    ("offered", "fates"),
    [
        ([ONE, Offered(SMALL)], [Fate.NEW, Fate.NEW]),
        ([ONE, ONE], [Fate.NEW, Fate.DUPLICATE]),
        ([ONE, BOTH, BOTH], [Fate.NEW, Fate.NEW, Fate.DUPLICATE]),
        ([BOTH, ONE], [Fate.NEW, Fate.DUPLICATE]),
        ([Offered(OLD, (SAST,)), ONE], [Fate.EXPIRED, Fate.NEW]),
    ],
)
def test_merge(offered: list[Offered], fates: list[Fate]) -> None:
    assert [each.fate for each in merge(offered, NOW)] == fates


def test_where_the_certificates_of_a_cluster_belong() -> None:
    """As call managers import them (phones.md 4)."""
    assert SUGGESTED == {
        Role.SAST: (SAST,),
        Role.CCM: (CCM,),
        Role.CCM_TFTP: (SAST, CCM),
        Role.TFTP: (SAST,),
    }


def test_matching() -> None:
    certificates = [CLUSTER, SMALL, CURVE]
    for each in certificates:
        sha1 = each.fingerprint(HashAlgorithm.SHA1)
        for prefix in (sha256(each), sha256(each)[:12], sha1.hex(), sha1.hex(":").upper()):
            assert matching(certificates, prefix) == [each]
    assert matching(certificates, "") == certificates
    assert matching(certificates, "x") == []
