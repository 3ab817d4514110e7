# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Processors as object files see them: what code needs, or what a board's core has.

Both are read from object files: those of an archive, and one that the board's compiler makes of a
line of C with the board's flags. So there is no table of cores here that could be wrong.
"""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from torpor.board import Core
from torpor.errors import MissingToolError
from torpor.tflm.objects import ARM, RISCV, Object, read_object

_MACHINES = {3: "x86", ARM: "Arm", 62: "x86-64", 94: "Xtensa", 183: "AArch64", RISCV: "RISC-V"}
_RISCV_FLOAT = {0: "soft", 2: "hard", 4: "hard", 6: "hard"}

# Tag_CPU_arch of cores with profile M, and the code that each runs besides its own
_ARCHITECTURES = {
    10: "Armv7-M",
    11: "Armv6-M",
    12: "Armv6-M",
    13: "Armv7E-M",
    16: "Armv8-M Baseline",
    17: "Armv8-M Mainline",
    21: "Armv8.1-M Mainline",
}
_RUNS = {
    "Armv7-M": ("Armv6-M",),
    "Armv7E-M": ("Armv6-M", "Armv7-M"),
    "Armv8-M Baseline": ("Armv6-M",),
    "Armv8-M Mainline": ("Armv6-M", "Armv7-M", "Armv7E-M", "Armv8-M Baseline"),
}
_RUNS["Armv8.1-M Mainline"] = (*_RUNS["Armv8-M Mainline"], "Armv8-M Mainline")

_CPU_ARCH, _PROFILE, _FP_ARCH, _WCHAR, _ENUM = 6, 7, 10, 18, 26
_HARDFP_USE, _VFP_ARGS, _DSP, _MVE = 27, 28, 46, 48
_SINGLE = 1
_PRECISIONS = ("", "single precision", "double precision")


@dataclass(frozen=True)
class Cpu:
    """What code needs of a processor, or what a processor has.

    Attributes:
        machine: "Arm", "x86-64", ...
        bits: 32 or 64.
        little: whether it is little-endian.
        architecture: "Armv7E-M"; of RISC-V what its attributes say; "" otherwise.
        float_abi: "soft"; "softfp": floats are passed as in soft, but there are instructions for
            them; "hard"; "" where the machine has no choice.
        fpu: 0 none, 1 for single precision, 2 for double as well (Arm).
        dsp: instructions of the DSP extension (Arm).
        mve: 0 none, 1 Helium for integers, 2 for floats as well (Arm).
        enums: bytes of an enum: 1 the smallest that holds it, 2 always four, 3 four where it is
            seen from outside, 0 unknown (Arm).
        wchar: bytes of a wchar_t, 0 unknown (Arm).
    """

    machine: str
    bits: int
    little: bool
    architecture: str = ""
    float_abi: str = ""
    fpu: int = 0
    dsp: bool = False
    mve: int = 0
    enums: int = 0
    wchar: int = 0

    @property
    def convention(self) -> str:
        """How floats are passed: softfp does it as soft does."""
        return "soft" if self.float_abi == "softfp" else self.float_abi

    def runs(self, architecture: str) -> bool:
        """Say whether a core of this architecture runs code for another."""
        if self.machine == "RISC-V":
            return _extensions(architecture) <= _extensions(self.architecture)
        return architecture in (self.architecture, *_RUNS.get(self.architecture, ()))

    def __str__(self) -> str:
        extras = [
            f"{_PRECISIONS[self.fpu]} FPU" if self.fpu else "",
            "Helium" if self.mve else "",
            f"{self.float_abi} float" if self.float_abi else "",
        ]
        name = self.architecture or f"{self.machine}, {self.bits} bits"
        return ", ".join([name, *filter(None, extras)])


def _extensions(architecture: str) -> set[str]:
    """Return {"rv32i", "m", "c"} of "rv32i2p0_m2p0_c2p0"."""
    return {re.sub(r"\d+p\d+$", "", part) for part in architecture.split("_")}


def cpu_of(code: Object) -> Cpu:
    """Return what an object file was compiled for."""
    machine = _MACHINES.get(code.machine, f"machine {code.machine} (e_machine)")
    cpu = Cpu(machine, code.bits, code.little)
    if code.machine == ARM:
        return _arm(cpu, code)
    if code.machine == RISCV:
        name = str(code.attributes.get(5, ""))
        return Cpu(machine, code.bits, code.little, name, _RISCV_FLOAT[code.flags & 6])
    return cpu


def _arm(cpu: Cpu, code: Object) -> Cpu:
    number, profile = code.number(_CPU_ARCH), chr(code.number(_PROFILE) or ord("?"))
    other = f"an Arm architecture that is not of profile M ({number}, {profile})"
    name = _ARCHITECTURES.get(number, other) if profile == "M" else other
    fpu = 0
    if code.number(_FP_ARCH):
        fpu = 1 if code.number(_HARDFP_USE) == _SINGLE else 2
    hard = code.number(_VFP_ARGS) == 1
    return Cpu(
        cpu.machine,
        cpu.bits,
        cpu.little,
        name,
        "hard" if hard else "softfp" if fpu else "soft",
        fpu,
        name == "Armv7E-M" or code.number(_DSP) > 0,
        code.number(_MVE),
        code.number(_ENUM),
        code.number(_WCHAR),
    )


def most(needs: Sequence[Cpu]) -> Cpu:
    """Return what all of them together need; they are of one machine and one float convention."""
    first = needs[0]
    top = first
    for need in needs:
        if need.runs(top.architecture):
            top = need
    return Cpu(
        first.machine,
        first.bits,
        first.little,
        top.architecture,
        max((need.float_abi for need in needs), key=("", "soft", "softfp", "hard").index),
        max(need.fpu for need in needs),
        any(need.dsp for need in needs),
        max(need.mve for need in needs),
        max(need.enums for need in needs),
        max(need.wchar for need in needs),
    )


@lru_cache
def cpu_of_core(core: Core) -> Cpu:
    """Return what a board's core has, as its compiler understands the board's flags.

    Raises:
        MissingToolError: the compiler is not installed.
    """
    compiler = "gcc" if core.toolchain == "native" else f"{core.toolchain}-gcc"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "core.o"
        command = [compiler, *core.flags, "-x", "c", "-c", "-", "-o", str(made)]
        try:
            subprocess.run(command, input=b"float f(float x) { return x + x; }", check=True)
        except FileNotFoundError as error:
            raise MissingToolError(
                f"{compiler} is not installed", "torpor doctor says how to get it"
            ) from error
        return cpu_of(read_object(made.name, made.read_bytes()))
