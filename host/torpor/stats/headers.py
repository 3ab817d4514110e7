# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Numbers and structs of firmware/stats, read from its headers: nothing is written down twice."""

import re
from typing import Any

import cffi

from torpor.paths import FIRMWARE

STATS = FIRMWARE / "stats"

_DEFINE = re.compile(r"^#define\s+(\w+)\s+(0[xX][0-9A-Fa-f]+|\d+)u?\b", re.M)
_STRUCT = r"typedef\s+struct\s*\{{[^{{}}]*\}}\s*{name}\s*;"


def constants(header: str) -> dict[str, int]:
    """Return the numeric macros of a header of firmware/stats ("drift.h")."""
    text = (STATS / header).read_text(encoding="utf-8")
    return {name: int(number, 0) for name, number in _DEFINE.findall(text)}


def struct_of(header: str, name: str) -> tuple[Any, str]:
    """Return a cffi object that knows a struct of a header, and the name of its pointer type.

    Raises:
        ValueError: the header has no such struct.
    """
    text = re.sub(r"/\*.*?\*/", " ", (STATS / header).read_text(encoding="utf-8"), flags=re.S)
    found = re.search(_STRUCT.format(name=name), text)
    if found is None:
        raise ValueError(f"{header} has no {name}")
    declared = found[0]
    for macro, number in constants(header).items():
        declared = re.sub(rf"\b{macro}\b", str(number), declared)
    ffi = cffi.FFI()
    ffi.cdef(declared)
    return ffi, f"{name} *"
