"""The steps of a change: checked, kept in the history, put in force, tested, confirmed or reverted.

On disk the order is: the history, the marker (pending), the file in force; then the proxy reads it and the
interfaces are set up; on confirmation the confirmed file, then the marker (confirmed). Whatever ends the
daemon or the machine between two of these steps, the confirmed file is whole, and a marker that is still
pending tells the next start to go back to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import gevent
from gevent.lock import BoundedSemaphore

from appliance.config import load
from appliance.config.changes import changes
from appliance.config.faults import ConfigurationError
from appliance.config.migrate import migrate
from appliance.config.model import Configuration
from appliance.control import pending
from appliance.control.audit import Entry
from appliance.control.disk import Disk
from appliance.control.force import Applied, Force, Version
from appliance.control.log import Log
from appliance.control.pending import Event, NotNow, Phase
from appliance.control.protocol import VerbError, Whose
from appliance.control.proxy import ProxyRefused
from appliance.control.selftests import Findings, compared, shown
from appliance.network.configured import NotApplied
from appliance.report.control import Change, Committed, Result, Waiting
from appliance.report.record import stamp
from appliance.report.text import printable

WINDOW = 120.0  # s to confirm a change of the network, where nobody says how long
LOOK = 1.0  # s between looks at a change that waits
TEST = 5.0  # s between self-tests while it waits
AGAIN = 5.0  # s until what could not be reverted is tried again

CANDIDATE = "the candidate"
"""What a configuration is called that has no name yet."""

OWN = "appliance"
"""The author of revisions that the box adds by itself."""


@dataclass(slots=True)
class Course:
    """A change on its way, with the self-tests before it and the last ones."""

    version: Version
    author: str
    comment: str
    before: Findings
    after: Findings
    files: Mapping[str, bytes]


class Commits:
    """The configuration of one machine: what is confirmed, what is in force, and a change between them."""

    def __init__(
        self,
        confirmed: Version,
        last: Change | None,
        disk: Disk,
        force: Force,
        addressed: Callable[[], bool],
        log: Log,
        unusable: str = "",
    ) -> None:
        """`addressed` tells whether the machine has an address by which somebody could reach it; `unusable`
        why the confirmed file was not used at the start.
        """
        self.confirmed = confirmed
        self.in_force = confirmed
        self.last = last
        self.state = pending.State()
        self.fault = ""
        self.unusable = unusable
        self._course: Course | None = None
        self._why = ""  # it is being reverted
        self._doubtful = False  # the confirmed file may hold what was never confirmed
        self._disk = disk
        self._force = force
        self._addressed = addressed
        self._log = log
        self._going_back = BoundedSemaphore(1)

    def commit(
        self,
        text: bytes,
        author: str,
        comment: str,
        window: float | None,
        files: Mapping[str, bytes] | None = None,
    ) -> Committed:
        """Put a configuration in force; it must be confirmed within `window` seconds. 0 confirms it at once;
        None is 0, or `WINDOW` where the network changes. `files` of the data folder come with its
        confirmation. `VerbError` where it is refused: all is as before.
        """
        text, configuration = self.read(text)
        if window is None:
            window = WINDOW if _reach(configuration) != _reach(self.in_force.configuration) else 0.0
        try:
            self._force.ready()
            self.state = pending.begin(self.state, self._addressed())
        except (NotNow, ProxyRefused) as fault:
            raise VerbError(Whose.PEER, str(fault)) from None
        try:
            applied = self._apply(text, configuration, author, comment, window, files or {})
        except (OSError, ProxyRefused, NotApplied) as fault:
            self._turn_back(Event.REFUSED, str(fault))
            raise VerbError(Whose.OURS, f"not in force, all is as before: {fault}") from None
        except Exception as fault:  # whatever the kernel or a library says
            self._turn_back(Event.REFUSED, f"it cannot be put in force: {fault!r}")
            raise
        return self._armed(applied, window)

    def confirm(self, author: str) -> Change:
        """Make what is in force the confirmed configuration; `VerbError`."""
        try:
            self.state = pending.confirm(self.state, time.monotonic())
        except NotNow as fault:
            raise VerbError(Whose.PEER, str(fault)) from None
        return self._confirm(f"confirmed by {author}")

    def revert(self, author: str) -> Change:
        """Go back to the confirmed configuration without waiting; `VerbError`."""
        self._turn_back(Event.ASKED, f"asked for by {author}")
        if self.last is None or self.state.phase is not Phase.SETTLED:
            raise VerbError(Whose.OURS, f"it is tried again: {self.fault}")
        return self.last

    def reload(self, author: str) -> None:
        """Go by the confirmed file, where it was edited by hand; else have the proxy and the interfaces go
        by what is in force once more. `VerbError`.
        """
        try:
            text, _ = self.read(self._disk.content())
        except OSError as fault:
            raise VerbError(Whose.OURS, f"the confirmed file cannot be read: {fault.strerror}") from None
        if text != self.confirmed.text:
            self.commit(text, author, "edited by hand", 0.0)
        elif self.state.phase in (Phase.SETTLED, Phase.PENDING):
            self.enforce()

    def read(self, given: bytes) -> tuple[bytes, Configuration]:
        """A text, as one of today's format, and the configuration in it; `VerbError` with its faults."""
        try:
            text, configuration = self._disk.wait(_read, given)
        except ConfigurationError as error:
            raise VerbError(Whose.CONFIGURATION, str(error)) from None
        if configuration.paths != self.confirmed.configuration.paths:
            why = "[paths] can be changed by hand, while nothing runs: the daemons find each other by it"
            raise VerbError(Whose.CONFIGURATION, why, "paths")
        return text, configuration

    def waiting(self) -> Waiting | None:
        """The change that waits for its confirmation."""
        course = self._course
        if course is None or self.state.phase is not Phase.PENDING:
            return None
        return Waiting(
            revision=course.version.revision,
            author=printable(course.author),
            comment=printable(course.comment),
            left_s=round(pending.left(self.state, time.monotonic()), 1),
            tests=shown(compared(course.before, course.after)),
        )

    def enforce(self) -> None:
        """Have the proxy and the interfaces go by what is in force once more. `fault` tells what cannot be
        done.
        """
        self.fault = "; ".join(filter(None, self._force.restore(self.in_force)))

    def revert_unconfirmed(self, change: Change) -> None:
        """At the start: a change was pending at the end, and what is confirmed is in force again."""
        if change.sha256 == self.confirmed.sha256:
            self._end(replace(change, result=Result.CONFIRMED, why="the confirmed file has it"))
            return
        why = "not confirmed before the daemon or the machine ended"
        self._end(replace(change, result=Result.REVERTED, why=why))

    def watch(self) -> None:
        """Revert what is due, for ever."""
        while True:
            waits = self.state.phase is Phase.PENDING
            gevent.sleep(min(LOOK, pending.left(self.state, time.monotonic())) if waits else LOOK)
            if self.state.phase is Phase.REVERTING:
                gevent.sleep(AGAIN)
                self._go_back()
            elif self.state.phase is Phase.PENDING:
                now = time.monotonic()
                self.state = pending.watch(self.state, now, self._addressed())
                event = pending.due(self.state, now)
                if event is not None:
                    self._turn_back(event, event.value)

    def test(self) -> None:
        """Repeat the self-tests of a change that waits, for ever."""
        while True:
            gevent.sleep(TEST)
            course = self._course
            if course is not None and self.state.phase is Phase.PENDING:
                course.after = self._force.tests()

    def _apply(
        self,
        text: bytes,
        configuration: Configuration,
        author: str,
        comment: str,
        window: float,
        files: Mapping[str, bytes],
    ) -> Applied:
        before = self._force.tests()
        version = Version(self._disk.keep(text, author, comment), text, configuration)
        self._course = Course(version, author, comment, before, {}, files)
        why = f"waits {window:g} s for its confirmation"
        self._disk.mark(self._change(self._course, Result.PENDING, why))
        self.in_force = version
        applied = self._force.apply(version)
        self._course.after = self._force.tests()
        return applied

    def _armed(self, applied: Applied, window: float) -> Committed:
        course = self._course
        assert course is not None
        self.fault = ""
        restart = changes(self.confirmed.configuration, course.version.configuration).restart
        tests = shown(compared(course.before, course.after))
        self.state = pending.arm(self.state, time.monotonic(), window)
        if self.state.phase is Phase.CONFIRMING:
            self._confirm("nobody had to confirm it")
        return Committed(course.version.revision, window, restart, applied.network, applied.proxy, tests)

    def _confirm(self, why: str) -> Change:
        course = self._course
        assert course is not None
        try:
            self._disk.place(course.files)
            self._disk.confirm(course.version.text)
        except Exception as fault:
            self._doubtful = True
            self.state = pending.step(self.state, Event.NOT_WRITTEN)
            if isinstance(fault, OSError):
                raise VerbError(Whose.OURS, f"not confirmed: {fault.strerror}") from None
            raise
        self.confirmed = course.version
        self.unusable = ""
        change = self._change(course, Result.CONFIRMED, why)
        self._end(change)
        return change

    def _turn_back(self, event: Event, why: str) -> None:
        try:
            self.state = pending.step(self.state, event)
        except NotNow as fault:
            raise VerbError(Whose.PEER, str(fault)) from None
        self._why = why
        self._log.event("reverting", why=why)
        self._go_back()
        if event in (Event.EXPIRED, Event.CUT_OFF):
            self._note("revert", why)

    def _go_back(self) -> None:
        with self._going_back:
            if self.state.phase is not Phase.REVERTING:
                return
            again, beyond = self._force.restore(self.confirmed)
            self.in_force = self.confirmed
            try:
                if self._doubtful:
                    self._disk.confirm(self.confirmed.text)
            except OSError as fault:
                again = f"{again}; the confirmed file cannot be written: {fault.strerror}"
            self.fault = "; ".join(filter(None, (again, beyond)))
            if again:
                return  # until it is done nothing else comes into force
            self._doubtful = False
            if self._course is not None:
                self._end(self._change(self._course, Result.REVERTED, self._why))
            self.state = pending.step(self.state, Event.REVERTED)

    def _end(self, change: Change) -> None:
        """Keep what became of a change; a disk that refuses that changes nothing of it."""
        self._course = None
        self.last = change
        self._log.event(change.result.value, revision=change.revision, why=change.why)
        try:
            if change.result is Result.REVERTED:
                # The newest revision shall be one that was confirmed: a start may have to fall back to it.
                comment = f"instead of revision {change.revision}: {change.why}"
                number = self._disk.keep(self.confirmed.text, OWN, comment)
                self.confirmed = self.in_force = replace(self.confirmed, revision=number)
            self._disk.mark(change)
        except OSError as fault:
            self._log.event("not kept", why=str(fault))
        if self.state.phase is Phase.CONFIRMING:
            self.state = pending.step(self.state, Event.WRITTEN)

    def _change(self, course: Course, result: Result, why: str) -> Change:
        number, digest = course.version.revision, course.version.sha256
        return Change(number, digest, course.author, course.comment, stamp(time.time()), result, why)

    def _note(self, verb: str, why: str) -> None:
        result = self.last.result.value if self.last is not None else ""
        try:
            self._disk.audit(Entry(stamp(time.time()), "", 0, verb, why, result))
        except OSError as fault:
            self._log.event("audit log not written", why=str(fault))


def _read(given: bytes) -> tuple[bytes, Configuration]:
    text = migrate(given, CANDIDATE)
    return text, load.parse(text, CANDIDATE)


def _reach(configuration: Configuration) -> tuple[object, ...]:
    """What an administrator who is far away may be cut off by."""
    return configuration.interfaces, configuration.ssh
