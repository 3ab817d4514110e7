# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a firmware can run (image_capability_t), and whether a model is among it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torpor.errors import ImageError, unknown_name
from torpor.image.layout import CAPABILITY, CAPABILITY_FORMAT, CAPABILITY_MEMBERS
from torpor.paths import TFLM, TORPOR
from torpor.plan.layout import CONST, OPCODES, sizeof
from torpor.plan.reader import read_struct
from torpor.plan.tflm import NUMBERS, REGISTRATIONS, with_special
from torpor.tflm.resolver import registered

_CODES = {name: code for code, name in OPCODES.items()}
_TARGET = "PLAN_TARGET_"
TARGETS = {
    value: name.removeprefix(_TARGET).lower()
    for name, value in CONST.items()
    if name.startswith(_TARGET)
}
"""Name of a set of kernels ("portable") by its number."""

_NAME_BYTES = 64  # that people read
_TFLM: int = CONST["PLAN_TARGET_TFLM"]


@dataclass(frozen=True)
class Capability:
    """What a firmware can run.

    Attributes:
        plan_version_min: the oldest plan format that it reads.
        plan_version_max: the newest.
        targets: numbers of the sets of kernels that plans may be packed for; that of TensorFlow
            Lite Micro stands alone.
        arena_bytes: the largest arena that a model may want.
        kernels: codes of the operators that are linked; numbers of registrations of TensorFlow
            Lite Micro.
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
        """The names of its kernels, or registrations, sorted."""
        return kernel_names(self.kernels, _TFLM if self.is_tflm else 0)

    @property
    def engine(self) -> str:
        """What runs the models: "torpor" or "tflm"."""
        return engine_name(_TFLM if self.is_tflm else 0)

    @property
    def is_tflm(self) -> bool:
        """TensorFlow Lite Micro runs the models."""
        return self.targets == {_TFLM}


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
        header: of the plan that is built in: whether TensorFlow Lite Micro runs it or our engine.
        kernels: names of all kernels that are linked, "CONV_2D_S8"; of all registrations that the
            plans of TensorFlow Lite Micro need, "CONV_2D_INT8".
        arena: bytes of the arena.
        targets: names of the sets of kernels that our engine has on the board: "portable".

    Raises:
        UsageError: there is no kernel or set of that name.
        ImageError: the firmware could not run its own plan.
    """
    is_tflm = header["target"] == _TFLM
    numbers = {name: number for number, name in TARGETS.items()}
    own = frozenset(_number("set of kernels", name, numbers) for name in targets)
    made = Capability(
        plan_version_min=CONST["PLAN_VERSION"],
        plan_version_max=CONST["PLAN_VERSION"],
        targets=frozenset([_TFLM]) if is_tflm else own,
        arena_bytes=arena,
        kernels=_registrations(kernels) if is_tflm else _kernels(kernels),
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


def plan_name(payload: bytes) -> str:
    """Return the name of the model in a plan, of any plan format; "" if it has none."""
    header = plan_header(payload)
    if header is None or header["name"] == CONST["PLAN_NO_STRING"]:
        return ""
    start = header["strings"] + header["name"]
    rest = payload[start : start + _NAME_BYTES]
    return rest.partition(b"\0")[0].decode(errors="backslashreplace")


def engine_name(target: int) -> str:
    """Return the engine that runs plans for a target: "torpor" or "tflm"."""
    return TFLM if target == _TFLM else TORPOR


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
        return _other_target(header["target"], capability)
    if missing := plan_kernels(header) - capability.kernels:
        return _missing(header["target"], missing, capability)
    if header["arena_bytes"] > capability.arena_bytes:
        return f"needs {header['arena_bytes']:,} bytes of arena of {capability.arena_bytes:,}"
    return ""


def plan_kernels(header: dict[str, Any]) -> frozenset[int]:
    """Return the codes of the operators that a plan uses."""
    return _codes(sum(word << 32 * i for i, word in enumerate(header["kernels"])))


def kernel_names(codes: Iterable[int], target: int) -> list[str]:
    """Return the names of what plans for a target need, sorted: operators or registrations."""
    if target == _TFLM:
        return sorted(NUMBERS.get(code, f"registration {code}") for code in codes)
    return sorted(OPCODES.get(code, f"operator {code}") for code in codes)


def target_name(number: int) -> str:
    """Return the name of a set of kernels: "portable"."""
    return TARGETS.get(number, f"unknown ({number})")


def _other_target(target: int, capability: Capability) -> str:
    if target == _TFLM:
        return "made for TensorFlow Lite Micro, the firmware runs torpor's own plans"
    if capability.is_tflm:
        return "made for torpor's own engine, the firmware runs TensorFlow Lite Micro"
    return f"packed for {target_name(target)} kernels, the firmware has none"


def _missing(target: int, missing: frozenset[int], capability: Capability) -> str:
    """Say what is missing, and what there is of the same operators for other types."""
    said = f"needs {', '.join(kernel_names(missing, target))}, which the firmware lacks"
    operators = {REGISTRATIONS[NUMBERS[n]].operator for n in missing & NUMBERS.keys()}
    others = [n for n in capability.kernels & NUMBERS.keys()
              if REGISTRATIONS[NUMBERS[n]].operator in operators]  # fmt: skip
    if target != _TFLM or not others:
        return said
    return f"{said}: it has {', '.join(kernel_names(others, target))}"


def _kernels(names: Iterable[str]) -> frozenset[int]:
    return frozenset(_number("kernel", name, _CODES) for name in names)


def _registrations(names: Iterable[str]) -> frozenset[int]:
    """Return what the firmware's resolver has (torpor.tflm.resolver)."""
    have = with_special(entry.name for entry in registered(names))
    return frozenset(REGISTRATIONS[name].number for name in have)


def _number(kind: str, name: str, known: dict[str, int]) -> int:
    if name not in known:
        raise unknown_name(kind, name, known)
    return known[name]


def _bits(codes: Iterable[int]) -> int:
    return sum(1 << code for code in codes)


def _codes(bits: int) -> frozenset[int]:
    return frozenset(code for code in range(bits.bit_length()) if bits >> code & 1)
