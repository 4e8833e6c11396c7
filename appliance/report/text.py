"""Text of strangers, made fit for a log and a screen."""

from __future__ import annotations


def printable(text: str, most: int | None = 300) -> str:
    """The text on one line, with everything that is not plainly printable written as an escape, and
    cut to `most` characters.

    Control characters, line ends, ESC, bidirectional marks and unpaired surrogates are not
    printable; a backslash of the text is doubled, so that an escape is never mistaken for it.
    """
    if text.isprintable() and "\\" not in text and (most is None or len(text) <= most):
        return text  # the usual one; each request has several
    shown = text if most is None or len(text) <= most else text[:most] + "…"
    return "".join(
        c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode("ascii") for c in shown
    )
