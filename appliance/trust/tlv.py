"""Tag, length, value: the form of trust lists and of signed files (phones.md 3).

    | tag (1) | length (2) | value (length) |

The value of a container is elements again. Padding is a tag alone, without length and value. Which tags
are so, and what the values of others look like, is told by a table of kinds; what the table does not
name is kept as it is, so that the bytes that were read can be written again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

HEAD = 3  # bytes of tag and length
VALUE_MAX = 0xFFFF  # bytes
ELEMENTS_MAX = 64  # in one box; the fullest that is known holds 14
DEPTH_MAX = 3  # containers around an element; two are known


class Malformed(Exception):
    """The bytes are not in this form. `where` is a place in them, `text` what is wrong there; both are
    ours and hold nothing of a stranger's but numbers.
    """

    def __init__(self, where: str, text: str) -> None:
        super().__init__(f"{where}: {text}")
        self.where = where
        self.text = text


class Form(Enum):
    """What a value is."""

    BYTES = auto()
    NUMBER = auto()  # big-endian, unsigned
    TEXT = auto()  # UTF-8 and one NUL
    CONTAINER = auto()
    PADDING = auto()


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a tag. `sizes` are the lengths in bytes that its value may have; none: any."""

    name: str
    form: Form = Form.BYTES
    sizes: tuple[int, ...] = ()
    required: bool = False
    repeats: bool = False


Kinds = Mapping[int, Kind]
"""The tags of one place. In all of it, containers included, a tag has one meaning."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: a `value`, or the elements `inside` a container, or neither where it is padding."""

    tag: int
    value: bytes = b""
    inside: tuple[Element, ...] = ()


def decode(data: bytes, start: int, end: int, kinds: Kinds, box: str) -> tuple[Element, ...]:
    """The elements that fill `data` from `start` to `end`; `box` is what these bytes are called.

    `Malformed` where they do not fill it exactly, a value has not the form of its kind, or a kind is
    missing or there twice: whoever reads a file of two signers must not choose one.
    """
    elements = _decode(data, start, end, kinds, box, 0)
    counts = Counter(element.tag for element in flat(elements))
    for tag, kind in kinds.items():
        if kind.required and not counts[tag]:
            raise Malformed(box, f"no {kind.name}")
        if counts[tag] > 1 and not kind.repeats:
            raise Malformed(box, f"{kind.name} more than once")
    return elements


def encode(elements: Iterable[Element], kinds: Kinds) -> bytes:
    """Their bytes; `ValueError` for a value that is too long for its length."""
    return b"".join(_encoded(element, kinds) for element in elements)


def flat(elements: Iterable[Element]) -> Iterator[Element]:
    """Each element, and after a container those inside it."""
    for element in elements:
        yield element
        yield from flat(element.inside)


def find(elements: Iterable[Element], tag: int) -> bytes | None:
    """The value of the first element with this tag, be it inside a container or not."""
    return next((element.value for element in flat(elements) if element.tag == tag), None)


def text(value: bytes) -> str:
    """A value of the form `TEXT`. Bytes that are not UTF-8 become unpaired surrogates (PEP 383)."""
    return value[:-1].decode("utf-8", "surrogateescape")


def text_value(string: str) -> bytes:
    """The value for a string; `ValueError` where it holds a NUL, which would end it for others."""
    if "\0" in string:
        raise ValueError("a NUL within a string")
    return string.encode("utf-8", "surrogateescape") + b"\0"


def number(value: bytes) -> int:
    """A value of the form `NUMBER`."""
    return int.from_bytes(value, "big")


def _decode(data: bytes, start: int, end: int, kinds: Kinds, box: str, depth: int) -> tuple[Element, ...]:
    elements: list[Element] = []
    while start < end:
        if len(elements) == ELEMENTS_MAX:
            raise Malformed(f"{box}, byte {start}", f"more than {ELEMENTS_MAX} elements")
        element, start = _element(data, start, end, kinds, box, depth)
        elements.append(element)
    return tuple(elements)


def _element(data: bytes, start: int, end: int, kinds: Kinds, box: str, depth: int) -> tuple[Element, int]:
    """The element at `start`, and where the next one begins."""
    tag = data[start]
    kind = kinds.get(tag) or Kind(f"tag {tag}")
    where = f"{box}, byte {start}, {kind.name}"
    if kind.form is Form.PADDING:
        return Element(tag), start + 1
    first = start + HEAD
    if first > end:
        raise Malformed(where, "cut off before its value")
    size = number(data[start + 1 : first])
    if size > end - first:
        raise Malformed(where, f"{size} bytes long, but {end - first} are left")
    if kind.sizes and size not in kind.sizes:
        raise Malformed(where, f"{size} bytes long, and not {' or '.join(map(str, kind.sizes))}")
    if kind.form is Form.CONTAINER:
        if depth == DEPTH_MAX:
            raise Malformed(where, f"in more than {DEPTH_MAX} containers")
        return Element(tag, b"", _decode(data, first, first + size, kinds, box, depth + 1)), first + size
    value = data[first : first + size]
    # A NUL within is refused: the phone's own string would end there, ours would not.
    if kind.form is Form.TEXT and (value.count(b"\0") != 1 or not value.endswith(b"\0")):
        raise Malformed(where, "not a string with one NUL, at its end")
    return Element(tag, value), first + size


def _encoded(element: Element, kinds: Kinds) -> bytes:
    kind = kinds.get(element.tag)
    if kind is not None and kind.form is Form.PADDING:
        return bytes([element.tag])
    value = element.value + encode(element.inside, kinds)
    if len(value) > VALUE_MAX:
        raise ValueError(f"{len(value)} bytes do not fit behind a length of two bytes")
    return bytes([element.tag]) + len(value).to_bytes(2, "big") + value
