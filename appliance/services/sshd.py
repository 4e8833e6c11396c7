"""SSH, by sshd(8) while it is open.

Once it is switched off, or its time is over, running sessions end as well: "off" shall mean that nobody is on
the box. Where only the networks change, sessions go on and the new ones count for the next login. Sessions
outlive the daemon, and an sshd that was killed; after that they are not known any more, and end when their
clients go.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import gevent

from appliance.config.atomic import replace_file
from appliance.config.model import Ssh
from appliance.services import hostkeys, sessions
from appliance.services.programs import ENVIRONMENT, found
from appliance.services.sshd_config import PORT, rendered
from appliance.services.supervised import Supervised

PROGRAM = "sshd"
SESSION_MAX = 2.0  # s for a session to end by itself
LINES_MAX, LINES_PER = 60, 60.0  # lines of its log in as many seconds: strangers make it write


class Sshd:
    """sshd for `[ssh]`. `run` is the folder of its configuration, `folder` that of the keys, `localtime` the
    zone's file, in which sessions show times.
    """

    def __init__(
        self, run: Path, folder: Path, localtime: Path, told: Callable[[str], None], *, port: int = PORT
    ) -> None:
        self._path = run / "sshd_config"
        self._folder = folder
        self._port = port
        self._environment = {**ENVIRONMENT, "TZ": f":{localtime}"}
        self._told = told
        self._text = ""
        self._said = ""
        self._since, self._lines = 0.0, 0
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

    def settle(self, ssh: Ssh) -> None:
        """Have it go by the configuration; `OSError`, `NoKey`."""
        text = rendered(ssh, self._folder, self._port)
        if self._program is not None and text == self._text:
            return
        for kind in hostkeys.make(self._folder):
            self._told(f"{PROGRAM}: made the host key {kind}")
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        replace_file(self._path, text.encode(), 0o600)
        if self._program is None:
            argv = [found(PROGRAM), "-D", "-e", "-f", str(self._path)]
            self._program = Supervised(
                PROGRAM, argv, self._told, heard=self._hear, errors=True, environment=self._environment
            )
        else:
            self._program.signal(signal.SIGHUP)  # it reads the file again and stays the sessions' parent
        self._text = text

    def leave(self) -> None:
        """End it; running sessions go on."""
        program, self._program = self._program, None
        if program is not None:
            program.stop()

    def stop(self) -> None:
        """End it and its sessions."""
        program, self._program = self._program, None
        self._text = self._said = ""
        if program is None:
            return
        program.signal(signal.SIGSTOP)  # until all sessions are known, none begins
        begun = sessions.descendants(program.pid) if program.pid is not None else ()
        program.signal(signal.SIGTERM)
        program.signal(signal.SIGCONT)
        program.stop()
        sessions.end(begun)
        deadline = time.monotonic() + SESSION_MAX
        while (begun := sessions.alive(begun)) and time.monotonic() < deadline:
            gevent.sleep(0.05)
        sessions.end(begun, signal.SIGKILL)

    def _hear(self, line: str) -> None:
        self._said = line
        now = time.monotonic()
        if now > self._since + LINES_PER:
            if self._lines > LINES_MAX:
                self._told(f"{PROGRAM}: {self._lines - LINES_MAX} more lines were left out")
            self._since, self._lines = now, 0
        self._lines += 1
        if self._lines <= LINES_MAX:
            self._told(f"{PROGRAM}: {line}")
