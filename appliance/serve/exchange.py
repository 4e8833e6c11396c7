"""One HTTP request: from its name to its answer, and the record that it leaves."""

from __future__ import annotations

import time

from appliance.cluster.body import Broken
from appliance.cluster.names import BadName, Fault, Name, read
from appliance.config.model import Unavailable
from appliance.http.answer import Answer, of_file, refusal
from appliance.http.request import Request
from appliance.report.record import Result, Trail
from appliance.serve.content import Content
from appliance.serve.delivery import Delivery
from appliance.serve.lookup import Asker, NoSuchFile, NotKnown
from appliance.serve.surroundings import Surroundings

_BAD_NAME = {Fault.TOO_LONG: 414, Fault.ESCAPES: 403, Fault.NOT_PRINTABLE: 404, Fault.EMPTY: 404}


class Exchange:
    """A request that is being answered. `end` it, whatever becomes of it."""

    __slots__ = (
        "_around",
        "_asker",
        "_content",
        "_name",
        "_request",
        "_trail",
        "delivery",
        "detail",
        "result",
    )

    def __init__(self, around: Surroundings, who: str, asker: Asker, request: Request) -> None:
        """`who` is the client's address as records show it."""
        self.result = Result.FAULT
        self.detail = ""
        self.delivery: Delivery | None = None
        self._around = around
        self._asker = asker
        self._request = request
        self._name: Name | None = None
        self._content: Content | None = None
        name = request.path.removeprefix(b"/")
        self._trail = Trail(who, "http", name, time.time(), time.monotonic())

    def at_once(self) -> Answer | None:
        """The answer where that takes no waiting; None where `find` is needed."""
        if self._request.method not in ("GET", "HEAD"):
            return self._refuse(Result.REFUSED, "method", 405, "only GET and HEAD are served")
        try:
            self._name = read(self._request.path.removeprefix(b"/"))
            self._content = self._around.lookup.at_once(self._name, self._asker, self._trail)
        except BadName as fault:
            return self._refuse(Result.REFUSED, str(fault), _BAD_NAME[fault.fault], "no such name")
        except NoSuchFile:
            return self._refuse(Result.NOT_FOUND, "", 404, "file not found")
        if self._content is None or self._content.size is None:
            return None
        return self._serve(self._content, self._content.size)

    def find(self) -> Answer | None:
        """In a greenlet, after `at_once` gave none: the answer, None for silence."""
        try:
            if self._content is None:
                assert self._name is not None
                self._content = self._around.lookup.open(self._name, self._asker, self._trail)
            return self._serve(self._content, self._content.whole_size())
        except NoSuchFile:
            return self._refuse(Result.NOT_FOUND, "", 404, "file not found")
        except NotKnown as fault:
            if self._around.unavailable is Unavailable.SILENCE:
                self.result, self.detail = Result.UNAVAILABLE, str(fault)
                return None
            return self._refuse(Result.UNAVAILABLE, str(fault), 503, "not available now")
        except Broken as fault:
            return self.broken(str(fault))

    def broken(self, why: str) -> Answer:
        """The answer in the place of a file that broke off before anything of it was sent."""
        return self._refuse(Result.BROKEN_OFF, why, 503, "not available now")

    def end(self) -> None:
        """Let go of the file, and leave the record."""
        if self._content is not None:
            self._content.close()
        sent = 0 if self.delivery is None else self.delivery.sent
        self._around.ended(self._trail.record(time.monotonic(), self.result, self.detail, sent))

    def _serve(self, content: Content, size: int) -> Answer:
        answer = of_file(self._request, size, self._via())
        self.result = Result.SERVED
        if answer.status == 416:
            self.result, self.detail = Result.REFUSED, "range outside the file"
        elif answer.status == 206:
            self.detail = "a part"
        elif answer.span is None:
            self.detail = "head only"
        self.delivery = Delivery(answer, content, size)
        return answer

    def _via(self) -> str:
        """This box's mark on what is a cluster's, and on what another proxy gets: so it is told that this is
        one as well.
        """
        relayed = self._content is not None and self._content.address is not None
        return self._around.lookup.via if relayed or self._asker.via else ""

    def _refuse(self, result: Result, detail: str, status: int, text: str) -> Answer:
        self.result, self.detail = result, detail
        answer = refusal(self._request, status, text, self._via())
        self.delivery = Delivery(answer, None, 0)
        return answer
