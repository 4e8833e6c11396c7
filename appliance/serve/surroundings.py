"""What all requests share, whichever way they come in."""

from __future__ import annotations

from collections.abc import Callable

from appliance.config.model import Configuration
from appliance.report.counters import Counters
from appliance.report.record import Record
from appliance.serve.listening import Filter
from appliance.serve.lookup import Opener
from appliance.serve.tids import Tids
from appliance.tftp.timing import Timing


class Surroundings:
    """`ended` takes the record of each request, `fault` an exception that is a mistake of ours."""

    def __init__(
        self,
        configuration: Configuration,
        lookup: Opener,
        tids: Tids,
        counters: Counters,
        ended: Callable[[Record], None],
        fault: Callable[[Exception], None],
    ) -> None:
        self.lookup = lookup
        self.tids = tids
        self.counters = counters
        self.ended = ended
        self.fault = fault
        self.filter: Filter | None = None
        """What keeps out requests that come in elsewhere than `[tftp] interfaces` says."""
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Go by another configuration from the next request on."""
        self.settings = configuration.tftp
        self.timing = Timing(timeout=configuration.tftp.timeout, retries=configuration.tftp.retries)
        self.unavailable = configuration.lookup.unavailable
