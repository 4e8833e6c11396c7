"""What all requests share, whichever way they come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.config.model import Tftp, Unavailable
from appliance.report.counters import Counters
from appliance.report.record import Record
from appliance.serve.cuts import Cuts
from appliance.serve.deadlines import Deadlines
from appliance.serve.lookup import Lookup
from appliance.serve.tids import Tids
from appliance.tftp.timing import Timing


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`ended` takes the record of each request, `fault` an exception that is a mistake of ours."""

    settings: Tftp
    timing: Timing
    unavailable: Unavailable
    lookup: Lookup
    tids: Tids
    cuts: Cuts
    deadlines: Deadlines
    counters: Counters
    ended: Callable[[Record], None]
    fault: Callable[[Exception], None]
