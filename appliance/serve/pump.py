"""Which pump runs: that of the C extension where it was built, else the same in Python."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

PURE = "APPLIANCE_PURE_PYTHON"
"""The environment variable that, when set, keeps the extension out: to compare, and to test."""

if TYPE_CHECKING:
    from appliance.serve._arrivals import receive, reply
    from appliance.serve._pump import Lane, Pump

    NAME = ""
else:
    try:
        if os.environ.get(PURE):
            raise ImportError(PURE)
        from appliance.serve._arrivals import receive, reply
        from appliance.serve._pump import Lane, Pump

        NAME = "C"
    except ImportError:
        from appliance.serve.arrivals_python import receive, reply
        from appliance.serve.pump_python import Lane, Pump

        NAME = "Python"

__all__ = ["NAME", "Lane", "Pump", "receive", "reply"]
