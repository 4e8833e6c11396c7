"""The clock, kept right by chronyd(8) where time servers are known."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from gevent import subprocess

from appliance.config.atomic import replace_file
from appliance.services.chrony import Places, Tracking, rendered, tracking, usable
from appliance.services.programs import ENVIRONMENT, found
from appliance.services.supervised import Supervised

PROGRAM, ASKING = "chronyd", "chronyc"
USERS = ("_chrony", "chrony")
"""Those of Debian and of others."""

ANSWER_MAX = 4096  # bytes of chronyc
ASK_MAX = 3.0  # s


class Chronyd:
    """chronyd for the servers that are told. Without `steers` it leaves the clock as it is (chronyd -x)."""

    def __init__(self, there: Places, told: Callable[[str], None], *, steers: bool = True) -> None:
        self._there = there
        self._told = told
        self._steers = steers
        self._text = ""
        self._said = ""
        self._program: Supervised | None = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._program is not None and self._program.running

    @property
    def why(self) -> str:
        """Why it ended last, and its last words."""
        ended = self._program.why if self._program is not None else ""
        return f"{ended}: {self._said}" if ended and self._said else ended

    def settle(self, servers: Sequence[str]) -> None:
        """Have it go by these servers; without any it ends. `OSError`."""
        servers = usable(servers)
        text = rendered(servers, self._there, _user()) if servers else ""
        if text == self._text and (self._program is not None) == bool(text):
            return
        self.stop()
        if text:
            self._make_places()
            replace_file(self._there.configuration, text.encode(), 0o644)
            _end_former(self._there.pid)
            argv = [found(PROGRAM), "-d", "-f", str(self._there.configuration)]
            argv += [] if self._steers else ["-x"]
            self._program = Supervised(
                PROGRAM, argv, self._told, heard=self._hear, errors=True, environment=ENVIRONMENT
            )
        self._text = text

    def tracking(self) -> Tracking | None:
        """What it follows now; None where it follows nothing, or does not say so in time."""
        if not self.running:
            return None
        argv = [found(ASKING), "-c", "-h", str(self._there.socket), "tracking"]
        try:
            asking = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
            )
        except OSError:
            return None
        assert asking.stdout is not None
        with asking:
            try:
                asking.wait(ASK_MAX)  # a line fits into the pipe
                answer = asking.stdout.read(ANSWER_MAX)
            except subprocess.TimeoutExpired:
                return None
            finally:
                asking.kill()
        return tracking(answer.decode("ascii", "replace"))

    def stop(self) -> None:
        """End it."""
        if self._program is not None:
            self._program.stop()
        self._program, self._text, self._said = None, "", ""

    def _hear(self, line: str) -> None:
        # "2027-01-31T18:00:00Z Could not open …": the time would make the same reason a new one each time.
        said = line.partition(" ")[2]
        if said != self._said:
            self._told(f"{PROGRAM}: {said}")
        self._said = said

    def _make_places(self) -> None:
        """chronyd writes as a user of its own."""
        self._there.configuration.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self._there.drift.parent, self._there.socket.parent):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            if os.geteuid() == 0 and (name := _user()):
                user = pwd.getpwnam(name)
                os.chown(folder, user.pw_uid, user.pw_gid)
                os.chmod(folder, 0o750)


def _user() -> str:
    """The user that chronyd becomes; empty where there is none for it."""
    if os.geteuid() != 0:
        return ""
    for name in USERS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return "root"


def _end_former(pid_file: Path) -> None:
    """chronyd gives up its rights and so does not end with a daemon that was killed; the next one would not
    start beside it.
    """
    try:
        pid = int(pid_file.read_bytes()[:16])
        if Path(os.readlink(f"/proc/{pid}/exe")).name == PROGRAM:
            os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        pass  # none runs
