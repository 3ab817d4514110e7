# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a firmware can run (image_capability_t), and whether a model is among it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torpor.errors import ImageError, unknown_name
from torpor.image.layout import CAPABILITY, CAPABILITY_FORMAT, CAPABILITY_MEMBERS
from torpor.plan.layout import CONST, OPCODES, sizeof
from torpor.plan.reader import read_struct

_CODES = {name: code for code, name in OPCODES.items()}
_TARGET = "PLAN_TARGET_"
TARGETS = {
    value: name.removeprefix(_TARGET).lower()
    for name, value in CONST.items()
    if name.startswith(_TARGET)
}
"""Name of a set of kernels ("portable") by its number."""


@dataclass(frozen=True)
class Capability:
    """What a firmware can run.

    Attributes:
        plan_version_min: the oldest plan format that it reads.
        plan_version_max: the newest.
        targets: numbers of the sets of kernels that plans may be packed for.
        arena_bytes: the largest arena that a model may want.
        kernels: codes of the operators that are linked.
        plan_bytes: length of the plan that is built in.
    """

    plan_version_min: int
    plan_version_max: int
    targets: frozenset[int]
    arena_bytes: int
    kernels: frozenset[int]
    plan_bytes: int

    def encode(self) -> bytes:
        """Return the record's bytes."""
        kernels = _bits(self.kernels)
        words = [kernels >> shift & 0xFFFFFFFF for shift in range(0, 128, 32)]
        versions = self.plan_version_min, self.plan_version_max
        head = CAPABILITY_FORMAT, *versions, _bits(self.targets), self.arena_bytes
        return CAPABILITY.pack(*head, *words, self.plan_bytes)

    @property
    def kernel_names(self) -> list[str]:
        """The names of its kernels, sorted."""
        return kernel_names(self.kernels)


def decode(data: bytes) -> Capability | None:
    """Return what a record says, None if it is of a format that this torpor does not know."""
    numbers = list(CAPABILITY.unpack(data))
    fields: dict[str, Any] = {}
    for name, length in CAPABILITY_MEMBERS.items():
        taken, numbers = numbers[:length], numbers[length:]
        fields[name] = taken[0] if length == 1 else taken
    if fields.pop("format") != CAPABILITY_FORMAT:
        return None
    words = sum(word << 32 * i for i, word in enumerate(fields.pop("kernels")))
    targets = _codes(fields.pop("targets"))
    return Capability(kernels=_codes(words), targets=targets, **fields)


def capability_of(
    header: dict[str, Any], kernels: Iterable[str], arena: int, targets: Iterable[str]
) -> Capability:
    """Return what a firmware of this source tree can run.

    Args:
        header: of the plan that is built in.
        kernels: names of all kernels that are linked: "CONV_2D_S8".
        arena: bytes of the arena.
        targets: names of the sets of kernels: "portable".

    Raises:
        UsageError: there is no kernel or set of that name.
        ImageError: the firmware could not run its own plan.
    """
    numbers = {name: number for number, name in TARGETS.items()}
    made = Capability(
        plan_version_min=CONST["PLAN_VERSION"],
        plan_version_max=CONST["PLAN_VERSION"],
        targets=frozenset(_number("set of kernels", name, numbers) for name in targets),
        arena_bytes=arena,
        kernels=frozenset(_number("kernel", name, _CODES) for name in kernels),
        plan_bytes=header["length"],
    )
    if problem := fits(header, made):
        raise ImageError(f"the firmware cannot run the plan that is built in: {problem}")
    return made


def plan_header(payload: bytes) -> dict[str, Any] | None:
    """Return the header of a plan by C name, of any plan format; None if it is no plan."""
    if len(payload) < sizeof("plan_header_t"):
        return None
    header = read_struct("plan_header_t", payload)
    return header if header["magic"] == CONST["PLAN_MAGIC"] else None


def fits(header: dict[str, Any], capability: Capability) -> str:
    """Say why a firmware cannot run a plan; "" if it can.

    The firmware decides the same way, and looks at the whole plan besides.

    Args:
        header: of the plan, as `plan_header()` returns it.
        capability: of the firmware.
    """
    oldest, newest = capability.plan_version_min, capability.plan_version_max
    if not oldest <= header["version"] <= newest:
        known = str(oldest) if oldest == newest else f"{oldest} to {newest}"
        return f"plan format {header['version']}, the firmware reads {known}"
    if header["target"] not in capability.targets:
        return f"packed for {target_name(header['target'])} kernels, the firmware has none"
    if missing := plan_kernels(header) - capability.kernels:
        return f"needs {', '.join(kernel_names(missing))}, which the firmware lacks"
    if header["arena_bytes"] > capability.arena_bytes:
        return f"needs {header['arena_bytes']:,} bytes of arena of {capability.arena_bytes:,}"
    return ""


def plan_kernels(header: dict[str, Any]) -> frozenset[int]:
    """Return the codes of the operators that a plan uses."""
    return _codes(sum(word << 32 * i for i, word in enumerate(header["kernels"])))


def kernel_names(codes: Iterable[int]) -> list[str]:
    """Return the names of operators, sorted."""
    return sorted(OPCODES.get(code, f"operator {code}") for code in codes)


def target_name(number: int) -> str:
    """Return the name of a set of kernels: "portable"."""
    return TARGETS.get(number, f"unknown ({number})")


def _number(kind: str, name: str, known: dict[str, int]) -> int:
    if name not in known:
        raise unknown_name(kind, name, known)
    return known[name]


def _bits(codes: Iterable[int]) -> int:
    return sum(1 << code for code in codes)


def _codes(bits: int) -> frozenset[int]:
    return frozenset(code for code in range(bits.bit_length()) if bits >> code & 1)
