"""The line of a record, written by hand, is what `json.dumps` writes."""

from __future__ import annotations

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from appliance.report.record import Record, Result, Step
from appliance.serve.log import json_line

TEXT = st.text(max_size=20)
MAYBE = st.none() | TEXT
MS = st.floats(0, 1e6).map(lambda ms: round(ms, 1))
HINTS = {"client": TEXT, "kind": MAYBE, "device": MAYBE, "source": MAYBE, "address": MAYBE}


@given(
    st.builds(
        Record,
        steps=st.lists(st.builds(Step, MS, TEXT), max_size=3).map(tuple),
        duration_ms=MS,
        options=st.dictionaries(TEXT, TEXT, max_size=2),
        result=st.sampled_from(Result),
        **HINTS,
    )
)
def test_a_line_is_what_json_makes_of_it(record: Record) -> None:
    assert json_line(record) == json.dumps({"event": "request", **dataclasses.asdict(record)})
