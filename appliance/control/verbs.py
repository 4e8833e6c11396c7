"""What the socket of control answers: a table of verbs for each connection, by who is at its other end.

A verb that needs a configuration takes what was given by `put` on the same connection, piece by piece: a
line holds 64 KiB. Who may read has the first verbs, administrators have all.

    status                                 the configuration's life as it is now
    show           revision                the text of a revision, 0 for what is in force; a stream
    history                                the revisions, the newest first; a stream
    revision       revision                one of them
    diff           old, new                from one to the other, 0 for what is in force; a stream
    network_show                           the interfaces as they are, and what would be changed
    network_plan                           the changes alone, for what was given where something was

    put            data (base64)           add to what was given; without data forget it
    check                                  the faults of what was given
    commit         comment, confirm_s      put what was given in force; confirm_s: else as the change asks for
    confirm, revert                        make an end of a change that waits
    rollback       revision, comment, confirm_s     commit an old revision
    reload                                 read the confirmed file again, where it was edited by hand
    network_apply                          set the interfaces up once more
    export         for_peer, passphrase    the box as one file: what is in it, then its bytes; a stream
    import         passphrase, comment, confirm_s   commit the bundle that was given
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from appliance.config import load
from appliance.config.faults import ConfigurationError
from appliance.config.history import NoRevision
from appliance.config.revision import Revision
from appliance.control import pieces
from appliance.control.arguments import arguments, commitment
from appliance.control.audit import Entry
from appliance.control.bundles import SIZE_MAX
from appliance.control.child import ChildFailed, ChildFault
from appliance.control.commit import CANDIDATE
from appliance.control.force import lines
from appliance.control.parts import Parts, status
from appliance.control.peers import Known, Peer, Rights, name, rights
from appliance.control.protocol import VerbError, Whose
from appliance.control.server import Verb
from appliance.report.control import Change, Checked, Committed, ControlStatus, Exported, RevisionShown
from appliance.report.network import NetworkChanges, NetworkShown
from appliance.report.record import stamp
from appliance.report.text import printable

BUNDLE_PIECE = 45 * 1024  # bytes of a line; a multiple of 3
GIVEN_MAX = SIZE_MAX  # bytes that one connection may give
FAULTS_MAX, FAULT_MAX = 50, 200  # faults that one answer lists, and characters of each

Value = TypeVar("Value")


class Verbs:
    """The verbs of one connection."""

    def __init__(self, parts: Parts, peer: Peer, known: Known) -> None:
        self._parts = parts
        self._commits = parts.commits
        self._peer = peer
        self._user = name(peer.uid)
        self._rights = rights(peer, known)
        self._given = bytearray()

    def table(self) -> Mapping[str, Verb]:
        """Verb to what answers it; what this peer may not ask for is refused with a reason."""
        reading: dict[str, Verb] = {
            "status": self.status,
            "show": self.show,
            "history": self.history,
            "revision": self.revision,
            "diff": self.diff,
            "network_show": self.network_show,
            "network_plan": self.network_plan,
        }
        changing: dict[str, Verb] = {
            "put": self.put,
            "check": self.check,
            "commit": self.commit,
            "confirm": self.confirm,
            "revert": self.revert,
            "rollback": self.rollback,
            "reload": self.reload,
            "network_apply": self.network_apply,
            "export": self.export,
            "import": self.import_,
        }
        if self._rights < Rights.READING:
            reading = dict.fromkeys(reading, self._refuse)
        if self._rights < Rights.ALL:
            changing = dict.fromkeys(changing, self._refuse)
        return {**reading, **changing}

    def status(self, args: dict[str, Any]) -> ControlStatus:
        """The configuration's life as it is now. No arguments."""
        arguments(args)
        return status(self._parts)

    def show(self, args: dict[str, Any]) -> Iterator[str]:
        """The text of `revision`, in pieces."""
        (number,) = arguments(args, revision=int)
        text = self._text(number).decode("utf-8", "backslashreplace")
        return pieces.texts(text)

    def history(self, args: dict[str, Any]) -> Iterator[RevisionShown]:
        """The revisions, the newest first. No arguments."""
        arguments(args)
        entries = self._parts.disk.wait(self._parts.disk.history.entries)
        return iter([self._shown(entry) for entry in entries])

    def revision(self, args: dict[str, Any]) -> RevisionShown:
        """One revision, 0 for what is in force."""
        (number,) = arguments(args, revision=int)
        wanted = number or self._commits.in_force.revision
        for entry in self._parts.disk.wait(self._parts.disk.history.entries):
            if entry.number == wanted:
                return self._shown(entry)
        raise _no_revision(NoRevision(wanted, "there is none of this number"))

    def diff(self, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """From the revision `old` to `new`, in pieces of `lines` and of `settings`. Where a configuration was
        given, `new` of 0 is that one.
        """
        old, new = arguments(args, old=int, new=int)
        after = bytes(self._given) if self._given and new == 0 else self._text(new)
        names = {"old_name": self._title(old), "new_name": CANDIDATE if self._given else self._title(new)}
        texts = {"old": _base64(self._text(old)), "new": _base64(after)}
        found = self._work("compare", {**texts, **names})
        for key in ("lines", "settings"):
            for piece in pieces.lists(found[key]):
                yield {key: piece}

    def network_show(self, args: dict[str, Any]) -> NetworkShown:
        """The interfaces as they are. No arguments."""
        arguments(args)
        configuration = self._commits.in_force.configuration
        return _reading(self._parts.force.network.show, configuration.interfaces, configuration.system)

    def network_plan(self, args: dict[str, Any]) -> NetworkChanges:
        """The changes to interfaces that would be made. No arguments."""
        arguments(args)
        configuration = self._commits.in_force.configuration
        if self._given:
            _, configuration = self._commits.read(bytes(self._given))
        return NetworkChanges(lines(_reading(self._parts.force.network.plan, configuration.interfaces)))

    def put(self, args: dict[str, Any]) -> dict[str, int]:
        """Add `data`, base64, to what was given; how much that is."""
        (data,) = arguments(args, data=str)
        if not data:
            self._given.clear()
        if len(self._given) + len(data) > GIVEN_MAX:
            raise VerbError(Whose.PEER, f"more than {GIVEN_MAX} bytes", "data")
        try:
            self._given += base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise VerbError(Whose.PEER, "not base64", "data") from None
        return {"given_bytes": len(self._given)}

    def check(self, args: dict[str, Any]) -> Checked:
        """What is wrong with the configuration that was given. No arguments."""
        arguments(args)
        try:
            self._parts.disk.wait(load.parse, bytes(self._given), CANDIDATE)
        except ConfigurationError as error:
            return Checked(False, tuple(str(fault)[:FAULT_MAX] for fault in error.faults[:FAULTS_MAX]))
        return Checked(True, ())

    def commit(self, args: dict[str, Any]) -> Committed:
        """Put in force what was given; it must be confirmed within `confirm_s`."""
        comment, window = commitment(args)
        what = f"{len(self._given)} bytes, {comment}"
        return self._change("commit", what, lambda: self._commit(bytes(self._given), comment, window))

    def confirm(self, args: dict[str, Any]) -> Change:
        """Make what is in force the confirmed configuration. No arguments."""
        arguments(args)
        return self._change("confirm", "", lambda: self._commits.confirm(self._user))

    def revert(self, args: dict[str, Any]) -> Change:
        """Go back to the confirmed configuration at once. No arguments."""
        arguments(args)
        return self._change("revert", "", lambda: self._commits.revert(self._user))

    def rollback(self, args: dict[str, Any]) -> Committed:
        """Commit the text of `revision`."""
        number = arguments({"revision": args.pop("revision", 0)}, revision=int)[0]
        comment, window = commitment(args)
        comment = comment or f"back to revision {number}"

        def act() -> Committed:
            return self._commit(self._text(number), comment, window)

        return self._change("rollback", f"revision {number}, {comment}", act)

    def reload(self, args: dict[str, Any]) -> ControlStatus:
        """Go by the confirmed file, where it was edited by hand; else have proxy and interfaces do once more
        what is in force. No arguments.
        """
        arguments(args)

        def act() -> ControlStatus:
            self._commits.reload(self._user)
            return status(self._parts)

        return self._change("reload", "", act)

    def network_apply(self, args: dict[str, Any]) -> NetworkChanges:
        """Set the interfaces up once more. No arguments."""
        arguments(args)
        configuration = self._commits.in_force.configuration
        return self._change("network_apply", "", lambda: _reading(self._parts.force.set_up, configuration))

    def export(self, args: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What is in force and the files that go with it, as a bundle: `Exported`, then pieces of `data` in
        base64. `for_peer` leaves out what makes this box this box; without `passphrase` secrets stay here.
        """
        for_peer, passphrase = arguments(args, for_peer=bool, passphrase=str)

        def act() -> tuple[Exported, bytes]:
            entry = self.revision({})
            bundles, text = self._parts.bundles, self._commits.in_force.text
            comment = entry.comment
            return bundles.encode(text, entry.author, comment, for_peer=for_peer, passphrase=passphrase)

        told, bundle = self._change("export", "for a peer" if for_peer else "", act)
        yield asdict(told)
        for start in range(0, len(bundle), BUNDLE_PIECE):
            yield {"data": _base64(bundle[start : start + BUNDLE_PIECE])}

    def import_(self, args: dict[str, Any]) -> Committed:
        """Commit the configuration in the bundle that was given; its files come with the confirmation."""
        (passphrase,) = arguments({"passphrase": args.pop("passphrase", "")}, passphrase=str)
        comment, window = commitment(args)

        def act() -> Committed:
            own = self._commits.in_force.text
            found = self._parts.bundles.decode(bytes(self._given), own, passphrase)
            text = comment or "imported"
            return self._commits.commit(found.text, self._user, text, window, found.files)

        return self._change("import", f"{len(self._given)} bytes, {comment}", act)

    def _refuse(self, args: dict[str, Any]) -> object:
        may = "may only read" if self._rights is Rights.READING else "may not ask for anything"
        raise VerbError(Whose.PEER, f"the user {self._user} {may}: root and the group admin may do this")

    def _commit(self, text: bytes, comment: str, window: float | None) -> Committed:
        return self._commits.commit(text, self._user, comment, window)

    def _text(self, number: int) -> bytes:
        if number == 0:
            return self._commits.in_force.text
        try:
            return self._parts.disk.wait(self._parts.disk.history.read, number)
        except NoRevision as fault:
            raise _no_revision(fault) from None

    def _title(self, number: int) -> str:
        return f"revision {number or self._commits.in_force.revision}"

    def _shown(self, entry: Revision) -> RevisionShown:
        states = {self._commits.confirmed.revision: "confirmed", self._commits.in_force.revision: "in force"}
        return RevisionShown(**asdict(entry), state=states.get(entry.number, ""))

    def _work(self, task: str, args: Mapping[str, Any]) -> Any:
        try:
            return self._parts.children.work(task, args)
        except ChildFault as fault:
            raise VerbError(Whose.CONFIGURATION, str(fault)) from None
        except ChildFailed as fault:
            raise VerbError(Whose.OURS, str(fault)) from None

    def _change(self, verb: str, what: str, act: Callable[[], Value]) -> Value:
        """Do what changes something, and write who did it."""
        try:
            value = act()
        except VerbError as error:
            self._audit(verb, what, f"refused: {error.text}")
            raise
        except Exception as error:
            self._audit(verb, what, f"failed: {error!r}")
            raise
        self._audit(verb, what, _result(value))
        return value

    def _audit(self, verb: str, what: str, result: str) -> None:
        now = stamp(time.time())
        try:
            self._parts.disk.audit(Entry(now, self._user, self._peer.pid, verb, what, result))
        except OSError as fault:
            self._parts.log.event("audit log not written", why=str(fault), verb=verb, user=self._user)


def _reading(function: Callable[..., Value], *args: object) -> Value:
    """The value of a function that asks the kernel."""
    try:
        return function(*args)
    except OSError as fault:
        raise VerbError(Whose.OURS, f"the interfaces: {fault.strerror or fault}") from None


def _no_revision(fault: NoRevision) -> VerbError:
    return VerbError(Whose.PEER, printable(str(fault)), "revision")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _result(value: object) -> str:
    """What came of a change, in a few words."""
    match value:
        case Committed(revision=number, confirm_s=window) if window:
            return f"revision {number} waits {window:g} s for its confirmation"
        case Committed(revision=number):
            return f"revision {number} confirmed"
        case Change(revision=number, result=result):
            return f"revision {number} {result.value}"
        case NetworkChanges(changes=made, refused=refused):
            return f"{len(made)} changes, {len(refused)} refused"
    return "done"
