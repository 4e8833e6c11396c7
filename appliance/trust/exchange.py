"""How people bring certificates from this box to a call manager, and back: click paths (phones.md 4)."""

from __future__ import annotations

UPLOAD = (
    "On the cluster's publisher: Cisco Unified OS Administration > Security > Certificate Management > "
    "Upload Certificate/Certificate chain.",
    "Certificate Purpose: Phone-SAST-trust; choose the file (PEM or DER, one certificate a file); Upload.",
    "Once more with Certificate Purpose: CallManager-trust.",
    "On every node: Cisco Unified Serviceability > Tools > Control Center - Network Services > restart Cisco "
    "Trust Verification Service.",
)
"""Have the cluster's TVS vouch for this box."""

MIXED = (
    "In mixed mode also, on the publisher's command line: utils ctl update CTLFile; then restart Cisco TFTP "
    "and Cisco CallManager (Control Center - Feature Services) on every node that runs them, and the phones.",
)
"""Have its phones hold this box's certificate in their CTL."""

BULK = (
    "Between clusters: Cisco Unified OS Administration > Security > Bulk Certificate Management. The same "
    "SFTP server and directory on all clusters.",
    "Export (type TFTP) on the publisher of each cluster; Consolidate once, on one of them; Import on each. "
    "Phones restart at the import.",
    "The certificates of this box are no part of that: upload them one by one as above.",
)
"""The page for all clusters at once."""

SBD_OFF = (
    "Or, on the cluster, for phones that need no signed files: Cisco Unified CM Administration > System > "
    "Enterprise Parameters > Prepare Cluster for Rollback to pre 8.0 = True; restart Cisco Trust "
    "Verification Service and Cisco TFTP on every node, then the phones."
)
"""Have its phones take what anybody signs."""


def steps(mixed: bool) -> tuple[str, ...]:
    """How a cluster is brought to trust this box."""
    return UPLOAD + MIXED if mixed else UPLOAD
