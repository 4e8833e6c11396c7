"""Whether JSON has the shape of a dataclass."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints


def unlike(value: Any, wanted: Any, place: str = "$") -> Iterator[str]:
    """What in `value` is not as `wanted`, a type, says: each field of a dataclass, and no other."""
    arguments = get_args(wanted)
    if get_origin(wanted) in (Union, types.UnionType):
        if all(list(unlike(value, each, place)) for each in arguments):
            yield f"{place}: {value!r} is no {wanted}"
    elif get_origin(wanted) is tuple:
        yield from _each(value, list, place)
        for number, item in enumerate(value if isinstance(value, list) else []):
            yield from unlike(item, arguments[0], f"{place}[{number}]")
    elif get_origin(wanted) is dict:
        yield from _each(value, dict, place)
        for key, item in value.items() if isinstance(value, dict) else []:
            yield from unlike(item, arguments[1], f"{place}.{key}")
    elif is_dataclass(wanted) and isinstance(value, dict):
        types_of = get_type_hints(wanted)
        yield from _keys(value, {field.name for field in fields(wanted)}, place)
        for key in value.keys() & types_of:
            yield from unlike(value[key], types_of[key], f"{place}.{key}")
    elif isinstance(wanted, type) and issubclass(wanted, Enum):
        if value not in [member.value for member in wanted]:
            yield f"{place}: {value!r} is no {wanted.__name__}"
    elif type(value) is not wanted and (type(value), wanted) != (int, float):
        yield f"{place}: {value!r} is no {wanted}"


def leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Each key with what stands there, objects and lists with what is in them."""
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key, item
            yield from leaves(item)


def _each(value: Any, wanted: type, place: str) -> Iterator[str]:
    if not isinstance(value, wanted):
        yield f"{place}: {value!r} is no {wanted.__name__}"


def _keys(value: dict[str, Any], wanted: set[str], place: str) -> Iterator[str]:
    yield from (f"{place}: no {key}" for key in sorted(wanted - value.keys()))
    yield from (f"{place}: unknown {key}" for key in sorted(value.keys() - wanted))
