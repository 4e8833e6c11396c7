"""The process that workers are born in, and that sees them end.

It is made before the proxy has opened anything, with all that a worker needs imported: once the proxy has
given up root, it may not be able to read the Python installation any more. It has no loop and no threads,
so that it can be copied at any time; and what the copies never write to, they have in common.
"""

from __future__ import annotations

import gc
import os
import pwd
import select
import signal
import socket
import sys
import traceback

from appliance.config.model import Configuration
from appliance.serve import channel, privileges
from appliance.serve.channel import close_all, receive, transmit
from appliance.serve.framing import MESSAGE_MAX, encode
from appliance.serve.messages import Born, Died, Kill, Message, Spawn
from appliance.serve.storage import local_store
from appliance.serve.worker import Worker, share

# The supervisor tells workers when to end. From a terminal or an init these come to all at once.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(configuration: Configuration, human_log: bool) -> socket.socket:
    """Start a nursery; its channel, at whose end it ends, and all its workers with it.

    Before there is a loop or a thread in this process. It gives up root at once; `KeyError` where there is
    no user to become, `OSError`.
    """
    user = privileges.user() if os.geteuid() == 0 else None
    ours, theirs = channel.pair()
    sys.stderr.flush()
    if os.fork():
        theirs.close()
        return ours
    status = 1
    try:
        ours.close()
        _Nursery(theirs, configuration, human_log, user).run()
        status = 0
    except BaseException:  # noqa: BLE001  the end of a process: nobody else can tell
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


class _Nursery:
    def __init__(
        self,
        wire: socket.socket,
        configuration: Configuration,
        human_log: bool,
        user: pwd.struct_passwd | None,
    ) -> None:
        self._wire = wire
        self._human_log = human_log
        self._running: dict[int, int] = {}  # process id to number
        self._store = local_store(configuration)  # held open, while there are the rights to
        privileges.raise_descriptors(share(configuration).tftp.transfers_max)
        if user is not None:
            privileges.load_ahead()
            privileges.drop(user)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        self._woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        self._wake = wake
        gc.freeze()

    def run(self) -> None:
        """Do what is asked, until nobody asks any more."""
        poll = select.poll()
        poll.register(self._wire, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        buffer = memoryview(bytearray(MESSAGE_MAX))
        while True:
            ready = [number for number, _ in poll.poll()]
            if self._woken in ready:
                self._reap()
            if self._wire.fileno() in ready:
                try:
                    message, descriptors = receive(self._wire, buffer)
                except OSError:
                    break
                if message is None:
                    break
                self._do(message, descriptors)
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)

    def _do(self, message: Message, descriptors: list[int]) -> None:
        match message:
            case Spawn(number=number):
                self._spawn(number, descriptors)
            case Kill(number=number):
                for pid, running in self._running.items():
                    if running == number:
                        os.kill(pid, signal.SIGKILL)
        close_all(descriptors)

    def _spawn(self, number: int, descriptors: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError:  # no memory, too many processes
            self._tell(Died(number, 1))
            return
        if not pid:
            self._become(*descriptors)
        self._running[pid] = number
        self._tell(Born(number, pid))

    def _become(self, descriptor: int) -> None:
        """The new process: it never comes back."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._wire.close()
            close_all([self._woken, self._wake])
            Worker(socket.socket(fileno=descriptor), self._store, self._human_log).run()
            status = 0
        except BaseException:  # noqa: BLE001  the end of a process: nobody else can tell
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                os.read(self._woken, 4096)
            except BlockingIOError:
                break
        for pid, number in list(self._running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._running[pid]
                self._tell(Died(number, os.waitstatus_to_exitcode(status)))

    def _tell(self, message: Message) -> None:
        try:
            transmit(self._wire, encode(message), ())
        except OSError:
            pass  # whoever would hear it is gone, as reading finds out
