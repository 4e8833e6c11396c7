from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.services.sessions import Born, alive, descendants, end, parsed


@pytest.mark.parametrize("name", ["sh", "a b", "a) S 1 (b", ")", ""])
def test_parsed(name: str) -> None:
    assert parsed(f"7 ({name}) S 5 {' '.join(map(str, range(5, 30)))}\n") == (5, 22)


@given(st.text())
def test_parsed_of_anything(text: str) -> None:
    try:
        assert len(parsed(text)) == 2
    except ValueError:
        pass


@pytest.fixture
def shell() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A shell that has begun two, and their ids with that of a grandchild."""
    script = "sh -c 'sleep 60 & echo $!; wait' & echo $!; sleep 60 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()) for _ in range(3)]
        yield process, pids
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.kill()


def test_what_came_from_a_process_ends(shell: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, pids = shell
    begun = descendants(process.pid)
    assert {each.pid for each in begun} == set(pids)
    assert set(alive(begun)) == set(begun)
    end(begun)
    process.wait(10)
    assert descendants(process.pid) == ()


def test_one_of_the_same_id_is_not_meant() -> None:
    """Ids are used again."""
    end([Born(os.getpid(), 1)], signal.SIGKILL)
    assert alive([Born(os.getpid(), 1)]) == ()
