"""When certificates end, and when somebody must be told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from appliance.report.trust import Level, TrustFinding
from appliance.trust.certificate import Certificate

EARLY, SOON, URGENT = timedelta(days=60), timedelta(days=30), timedelta(days=7)


def expiry(about: str, certificate: Certificate, now: datetime, cure: str) -> Iterator[TrustFinding]:
    """Yield what is to be said of a certificate's dates: nothing, or one finding.

    `about` names the certificate to people, `cure` is what they can do.
    """
    left = certificate.not_after - now
    ends = f"{certificate.not_after:%Y-%m-%d}"
    if now < certificate.not_before:
        yield TrustFinding(
            Level.WARNING,
            about,
            f"not valid before {certificate.not_before:%Y-%m-%d}",
            "see whether the clock of this box is right",
        )
    elif left <= timedelta(0):
        yield TrustFinding(Level.FAULT, about, f"expired on {ends}", cure)
    elif left <= URGENT:
        yield TrustFinding(Level.FAULT, about, f"expires on {ends}, within 7 days", cure)
    elif left <= SOON:
        yield TrustFinding(Level.WARNING, about, f"expires on {ends}, within 30 days", cure)
    elif left <= EARLY:
        yield TrustFinding(Level.NOTE, about, f"expires on {ends}, within 60 days", cure)


def is_expired(certificate: Certificate, now: datetime) -> bool:
    """Whether its time is over."""
    return certificate.not_after <= now
