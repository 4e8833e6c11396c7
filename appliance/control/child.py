"""What takes long, or reads what others have made, is done by a child that may do nothing else (work.py)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent import subprocess
from gevent.lock import BoundedSemaphore

import appliance
from appliance.control.threads import Threads

TIMEOUT = 30.0  # s for one task
CHILDREN_MAX = 2  # at one time
ANSWER_MAX = 16 * 1024 * 1024  # bytes


class ChildFault(Exception):
    """What was given cannot be used. The text says why."""


class ChildFailed(Exception):
    """The child did not do it: it took too long or too much, or ended."""


class Children:
    """Does tasks, each in a child of its own."""

    def __init__(self) -> None:
        self._places = BoundedSemaphore(CHILDREN_MAX)
        self._thread = Threads()

    def work(self, task: str, args: Mapping[str, Any]) -> Any:
        """The data of a task; `ChildFault`, `ChildFailed`."""
        if not self._places.acquire(timeout=TIMEOUT):
            raise ChildFailed("too much is being worked on: try again")
        try:
            request = self._thread.wait(_encode, {"task": task, "args": args})
            answer = self._thread.wait(_decode, _run(request))
        except OSError as fault:
            raise ChildFailed(f"no child can be started: {fault.strerror}") from None
        finally:
            self._places.release()
        if "fault" in answer:
            raise ChildFault(answer["fault"])
        return answer["data"]


def _run(request: bytes) -> bytes:
    """What a child answers."""
    child = subprocess.Popen(
        [sys.executable, "-m", f"{appliance.__name__}.control.work"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(appliance.__file__).parents[1],
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    feeding = gevent.spawn(_feed, child.stdin, request)
    try:
        with gevent.Timeout(TIMEOUT, ChildFailed(f"it took more than {TIMEOUT:g} s")):
            answer: bytes = child.stdout.read(ANSWER_MAX + 1)
            if len(answer) > ANSWER_MAX:
                raise ChildFailed(f"it came to more than {ANSWER_MAX} bytes")
            if child.wait() != 0:
                raise ChildFailed(f"the child that worked on it ended with {child.returncode}")
            return answer
    finally:
        feeding.kill()
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def _feed(pipe: Any, request: bytes) -> None:
    try:
        pipe.write(request)
        pipe.close()
    except OSError:
        pass  # it has ended already


def _encode(request: Mapping[str, Any]) -> bytes:
    return json.dumps(request).encode()


def _decode(answer: bytes) -> dict[str, Any]:
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not value.keys() & {"data", "fault"}:
        raise ChildFailed("the child that worked on it answered nonsense")
    return value
