"""Which worker a client's requests go to: a program that the kernel runs for each of them.

By the client's address alone: what one worker knows of a client (its transfers, its repetitions, how
many it has) is then all there is to know. Workers that do not run are left out; only their clients move.
The instructions are those of classic BPF (Linux, Documentation/networking/filter.rst).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_NETWORK_HEADER = 0xFFF00000  # SKF_NET_OFF: offsets from here on count from the IP header
_SOURCE = {4: (12,), 6: (8, 12, 16, 20)}
"""Offsets of the four-byte words of a source address."""
_MIX = 0x9E3779B1  # odd, its bits spread evenly: neighbours among addresses do not stay neighbours

_LOAD, _LOAD_KEPT, _KEEP, _TO_X = 0x20, 0x60, 0x02, 0x07
_XOR_X, _SHIFT, _TIMES, _MODULO, _DIVIDE = 0xAC, 0x74, 0x24, 0x94, 0x34
_IF_EQUAL, _RETURN, _RETURN_IT = 0x15, 0x06, 0x16


def program(version: int, workers: int, running: Sequence[int]) -> list[bytes]:
    """The instructions that tell the number of the worker, of `workers` that there are.

    `version` is that of IP. While none is `running`, requests wait for whom they would go to otherwise.
    """
    first, *others = _SOURCE[version]
    code = [_instruction(_LOAD, _NETWORK_HEADER + first)]
    for offset in others:
        code += [_instruction(_TO_X), _instruction(_LOAD, _NETWORK_HEADER + offset), _instruction(_XOR_X)]
    code += [_instruction(_TO_X), _instruction(_SHIFT, 16), _instruction(_XOR_X)]
    code += [_instruction(_TIMES, _MIX), _instruction(_SHIFT, 16)]
    code += [_instruction(_KEEP), _instruction(_MODULO, workers)]
    absent = [number for number in range(workers) if number not in running]
    if absent and running:
        for left, number in zip(range(len(absent), 0, -1), absent, strict=True):
            code.append(_instruction(_IF_EQUAL, number, equal=left))  # to after the return below
        code.append(_instruction(_RETURN_IT))
        code += [_instruction(_LOAD_KEPT), _instruction(_DIVIDE, workers)]
        code.append(_instruction(_MODULO, len(running)))
        for place, number in enumerate(running):
            code += [_instruction(_IF_EQUAL, place, unequal=1), _instruction(_RETURN, number)]
    code.append(_instruction(_RETURN_IT))
    return code


def _instruction(code: int, value: int = 0, equal: int = 0, unequal: int = 0) -> bytes:
    """A struct sock_filter; the last two are how many instructions a comparison skips."""
    return struct.pack("=HBBI", code, equal, unequal, value)
