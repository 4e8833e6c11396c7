from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.report.trust import Level, TrustFinding
from appliance.trust.expiry import expiry, is_expired
from tests.trust.vectors import CLUSTER

FROM = datetime(2026, 1, 1, tzinfo=UTC)
TO = datetime(2027, 1, 1, tzinfo=UTC)
ONE = replace(CLUSTER, not_before=FROM, not_after=TO)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("now", "level", "text"),
    [
        (FROM - SECOND, Level.WARNING, "not valid before 2026-01-01"),
        (FROM, None, ""),
        (TO - timedelta(days=60) - SECOND, None, ""),
        (TO - timedelta(days=60), Level.NOTE, "expires on 2027-01-01, within 60 days"),
        (TO - timedelta(days=30) - SECOND, Level.NOTE, "expires on 2027-01-01, within 60 days"),
        (TO - timedelta(days=30), Level.WARNING, "expires on 2027-01-01, within 30 days"),
        (TO - timedelta(days=7) - SECOND, Level.WARNING, "expires on 2027-01-01, within 30 days"),
        (TO - timedelta(days=7), Level.FAULT, "expires on 2027-01-01, within 7 days"),
        (TO - SECOND, Level.FAULT, "expires on 2027-01-01, within 7 days"),
        (TO, Level.FAULT, "expired on 2027-01-01"),
        (TO + timedelta(days=4000), Level.FAULT, "expired on 2027-01-01"),
    ],
)
def test_expiry(now: datetime, level: Level | None, text: str) -> None:
    found = list(expiry("signing", ONE, now, "renew it"))
    if level is None:
        assert found == []
        return
    cure = "see whether the clock of this box is right" if now < FROM else "renew it"
    assert found == [TrustFinding(level, "signing", text, cure)]
    assert is_expired(ONE, now) is (now >= TO)
