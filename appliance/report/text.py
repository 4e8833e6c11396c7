"""Text of strangers, made fit for a log and a screen."""

from __future__ import annotations


def printable(text: str, most: int = 300) -> str:
    """The text with everything that is not plainly printable written as an escape, and bounded.

    Control characters, line ends, ESC, bidirectional marks and unpaired surrogates are not
    printable; a backslash of the text is doubled, so that an escape is never mistaken for it.
    """
    shown = "".join(_shown(character) for character in text[:most])
    return shown if len(text) <= most else f"{shown}..."


def _shown(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
