# SPDX-License-Identifier: Apache-2.0
"""The plan's structs, read from firmware/infer/plan.h, so that no struct is written down twice.

`ffi` knows every struct and enum of the header (plain C layout, little endian host assumed and
checked); `CONST` has every #define and enumerator by its C name. The header may hold nothing
but numeric #defines, enums and structs of fixed-width members; anything else is refused here.
"""

import hashlib
import re
import sys
from typing import Any

import cffi

from torpor.paths import FIRMWARE

HEADER = FIRMWARE / "infer" / "plan.h"

_GUARD = re.compile(
    r"\A\s*#ifndef (?P<name>\w+_H)\s+#define (?P=name)\s+(?P<body>.*?)\s*#endif\s*\Z", re.S
)
_DEFINE = re.compile(r"#define\s+(\w+)\s+(0[xX][0-9A-Fa-f]+|\d+)\s*")
_ENUM = re.compile(r"enum\s+(\w+)\s*\{(?P<items>[^{}]*)\}\s*;")
_ENUM_ITEM = re.compile(r"\w+\s*=\s*\d+")
_STRUCT = re.compile(r"typedef\s+struct\s*\{(?P<members>[^{}]*)\}\s*(\w+_t)\s*;")
_MEMBER = re.compile(r"(u?int(8|16|32)_t|float|plan_\w+_t)\s+\w+(\[\d+\])?")


class LayoutError(Exception):
    """plan.h holds something that this reader does not know; a mistake of ours, not a user's."""


def _strip_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def _check_parts(kind: str, item: re.Pattern[str], parts: list[str]) -> None:
    for part in (p.strip() for p in parts):
        if part and not item.fullmatch(part):
            raise LayoutError(f"plan.h: {kind} not understood: '{part}'")


def parse_header(text: str) -> tuple[str, dict[str, int]]:
    """Split a header like plan.h into (declarations for cffi, numeric #defines).

    Raises:
        LayoutError: the text holds anything but the include guard, <stdint.h>, numeric #defines,
            enums with explicit values and structs of fixed-width members.
    """
    guard = _GUARD.match(_strip_comments(text))
    if guard is None:
        raise LayoutError("plan.h: include guard not found")
    body = guard["body"].replace("#include <stdint.h>", "", 1)
    defines = {m[1]: int(m[2], 0) for m in _DEFINE.finditer(body)}
    rest = _DEFINE.sub("", body)
    for match in _ENUM.finditer(rest):
        _check_parts("enumerator", _ENUM_ITEM, match["items"].split(","))
    for match in _STRUCT.finditer(rest):
        _check_parts("struct member", _MEMBER, match["members"].split(";"))
    unknown = _STRUCT.sub("", _ENUM.sub("", rest)).strip()
    if unknown:
        raise LayoutError(f"plan.h: not understood: '{unknown.splitlines()[0]}'")
    return rest, defines


def _load() -> tuple[cffi.FFI, dict[str, int]]:
    if sys.byteorder != "little":
        raise LayoutError("plans are little endian; torpor's host tools need such a machine")
    declarations, constants = parse_header(HEADER.read_text(encoding="utf-8"))
    loaded = cffi.FFI()
    loaded.cdef(declarations)
    for name in enum_names(declarations):
        constants |= loaded.typeof(f"enum {name}").relements
    return loaded, constants


def enum_names(declarations: str) -> list[str]:
    """Return the names of the enums in cffi declarations, in order."""
    return [m[1] for m in _ENUM.finditer(declarations)]


ffi, CONST = _load()

TYPES = {
    name: CONST[f"PLAN_TYPE_{name.upper()}"]
    for name in ("int8", "uint8", "int16", "int32", "float32", "bool")
}
"""enum plan_type by the name of the type."""


def sizeof(name: str) -> int:
    """Return the size of struct `name` ("plan_header_t") in bytes."""
    return int(ffi.sizeof(name))


def fields(name: str) -> list[tuple[str, Any]]:
    """Return (member, cffi field) of struct `name` in order."""
    return list(ffi.typeof(name).fields)


def struct_names() -> list[str]:
    """Return the names of all structs of the plan, sorted."""
    return sorted(ffi.list_types()[0])


def fingerprint() -> str:
    """Return a hash over every size, offset, type and constant, PLAN_VERSION left out."""
    lines = [f"{k}={v}" for k, v in sorted(CONST.items()) if k != "PLAN_VERSION"]
    for name in struct_names():
        lines.append(f"{name}:{sizeof(name)}")
        lines += [f"{name}.{m}@{f.offset}:{f.type.cname}" for m, f in fields(name)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


OPCODES: dict[int, str] = {
    value: name.removeprefix("PLAN_OP_")
    for name, value in ffi.typeof("enum plan_op").relements.items()
    if name != "PLAN_OP_COUNT"
}
"""Operator name ("CONV_2D_S8") by code."""

_SHARED = {
    "average_pool_2d": "pool_2d",
    "max_pool_2d": "pool_2d",
    "tanh": "logistic",
    **dict.fromkeys(("add", "sub", "mul", "maximum", "minimum", "prelu"), "binary"),
}


def record_type(code: int) -> str:
    """Return the struct of the record of operator `code` ("plan_conv_2d_t").

    Raises:
        KeyError: no such operator.
    """
    name = OPCODES[code].lower()
    family = re.sub(r"(_(s|f)\d+)+$", "", name)
    candidates = [_SHARED.get(family, family), name]
    found = [f"plan_{c}_t" for c in candidates if f"plan_{c}_t" in struct_names()]
    return found[0]
