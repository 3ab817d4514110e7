# SPDX-License-Identifier: Apache-2.0
"""Writes plans: structs into bytes, and bytes into a C array."""

from collections.abc import Mapping, Sequence
from typing import Any

from torpor.plan.layout import CONST, OPCODES, ffi, record_type, sizeof

CODES = {name: code for code, name in OPCODES.items()}


def pack_struct(name: str, members: Mapping[str, Any]) -> bytes:
    """Return struct `name` with `members`; what is not given is 0.

    Raises:
        OverflowError: a number does not fit its member.
        KeyError: there is no such member.
    """
    box = ffi.new(f"{name} *")
    known = {member for member, _ in ffi.typeof(name).fields}
    for member, value in members.items():
        if member not in known:
            raise KeyError(f"{name} has no member {member}")
        setattr(box, member, value)
    return bytes(ffi.buffer(box))


def pack_record(code: str, flags: int, members: Mapping[str, Any]) -> bytes:
    """Return the record of the operator named `code` ("CONV_2D_S8")."""
    name = record_type(CODES[code])
    head = {"code": CODES[code], "flags": flags, "words": sizeof(name) // 4}
    return pack_struct(name, {**members, "op": head})


def kernel_words(codes: Sequence[str]) -> list[int]:
    """Return the header's bit set of the operators named `codes`."""
    words = [0] * len(ffi.new("plan_header_t *").kernels)
    for code in codes:
        words[CODES[code] // 32] |= 1 << CODES[code] % 32
    return words


class Strings:
    """The string section: NUL-terminated, consecutive."""

    def __init__(self) -> None:
        self.data = b""

    def add(self, text: str) -> int:
        """Append `text` (cut at a NUL, "?" for what is no Unicode) and return its offset."""
        offset = len(self.data)
        self.data += text.split("\0", maxsplit=1)[0].encode(errors="replace") + b"\0"
        return offset


class Data:
    """The data section. Equal pieces are stored once."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._known: dict[bytes, int] = {}

    def add(self, piece: bytes) -> tuple[int, bool]:
        """Return (offset of `piece`, whether it is new), 4-byte aligned."""
        if piece in self._known:
            return self._known[piece], False
        self.data += bytes(-len(self.data) % 4)
        self._known[piece] = len(self.data)
        self.data += piece
        return self._known[piece], True


def assemble(header: Mapping[str, Any], sections: Mapping[str, bytes]) -> bytes:
    """Return a whole plan.

    Args:
        header: the members that no section decides.
        sections: "tensors", "io", "states", "ops", "strings", "extra", "data" in the order of the
            plan.
    """
    members = {"magic": CONST["PLAN_MAGIC"], "version": CONST["PLAN_VERSION"], **header}
    known = {member for member, _ in ffi.typeof("plan_header_t").fields}
    plan = bytearray(sizeof("plan_header_t"))
    for name, content in sections.items():
        plan += bytes(-len(plan) % (CONST["PLAN_ALIGN"] if name == "data" else 4))
        members[name] = len(plan)
        if f"{name}_bytes" in known:
            members[f"{name}_bytes"] = len(content)
        plan += content
    plan += bytes(-len(plan) % CONST["PLAN_ALIGN"])
    members["length"] = len(plan)
    plan[: sizeof("plan_header_t")] = pack_struct("plan_header_t", members)
    return bytes(plan)


def c_array(plan: bytes, symbol: str) -> str:
    """Return a C file that defines `symbol` (uint8_t [], 16-byte aligned) and `symbol`_length."""
    rows = [
        "    " + ",".join(f"0x{b:02x}" for b in plan[i : i + 16]) + ",\n"
        for i in range(0, len(plan), 16)
    ]
    return (
        "/* SPDX-License-Identifier: Apache-2.0\n"
        " * SPDX-FileCopyrightText: The torpor authors\n"
        " *\n"
        " * A compiled model, written by torpor compile. Do not edit. */\n"
        "#include <stdint.h>\n\n"
        f"extern const uint8_t {symbol}[];\n"
        f"extern const uint32_t {symbol}_length;\n\n"
        f"_Alignas({CONST['PLAN_ALIGN']}) const uint8_t {symbol}[] = {{\n"
        f"{''.join(rows)}}};\n"
        f"const uint32_t {symbol}_length = {len(plan)};\n"
    )
