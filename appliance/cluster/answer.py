"""What a cluster can say to a request for a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """The cluster has the file. `size` in bytes, where it told one; `address` and `protocol` say how.

    `validator` is `etag:"..."` or `modified:<HTTP date>` as the cluster wrote it, empty where it told none;
    `via` names the boxes that the answer came through, see `upstream.Opened.via`.
    """

    size: int | None
    address: str
    protocol: str
    validator: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """The cluster answered that it has no such file. `via` as `Found.via`."""

    address: str
    protocol: str
    via: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing is known: no address of the cluster gave an answer to go by."""

    why: str


Answer = Found | Missing | Failed
