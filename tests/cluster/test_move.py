from __future__ import annotations

import pytest

from appliance.cluster.move import Move, plan
from appliance.cluster.situation import State

ORDER = ("local", "a", "b")
SEP = "SEP001122334455"
STATES = {"y": State.YES, "n": State.NO, "s": State.SILENT}


@pytest.mark.parametrize(
    ("said", "move"),
    [
        ("nny", Move(True, ())),
        ("nyn", Move(False, ("b does not have it", "a still has it"))),
        ("nyy", Move(True, ("a still has it",))),
        ("nsy", Move(True, ("a is silent",))),
        ("yns", Move(False, ("b is silent", "local still has it"))),
        ("yny", Move(False, ("local still has it",))),
        ("sny", Move(True, ("local is silent",))),
    ],
)
def test_plan(said: str, move: Move) -> None:
    words = {
        "b does not have it": f"b does not have {SEP}: add it there",
        "b is silent": "b gives no answer: say this again when it does",
        "a still has it": f"a still has {SEP}: delete it there",
        "local still has it": f"local still has {SEP}, and comes first: delete it there, and say this again",
        "local is silent": f"local gives no answer: it may still have {SEP}",
        "a is silent": f"a gives no answer: it may still have {SEP}",
    }
    states = {place: STATES[letter] for place, letter in zip(ORDER, said, strict=True)}
    assert plan(SEP, "b", ORDER, states) == Move(move.ready, tuple(words[each] for each in move.left))
