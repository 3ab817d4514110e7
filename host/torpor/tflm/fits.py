# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Whether an archive of TFLM can be linked into a firmware for a core, and why not.

A linker is no help: GNU ld links code for a Cortex-M55 into a firmware for a Cortex-M4 and says
nothing.
"""

from collections.abc import Iterator

from torpor.board import Core
from torpor.tflm.archive import Archive
from torpor.tflm.cpu import Cpu, cpu_of_core

_ENUMS = {0: "unknown", 1: "the smallest that holds it", 2: "int", 3: "int where it is visible"}


def fits(archive: Archive, core: Core) -> list[str]:
    """Return why an archive cannot be linked for a board's core, a line each; [] if it can be.

    Raises:
        MissingToolError: the board's compiler, which knows the core, is not installed.
    """
    if not archive.has_interpreter:
        return ["not an archive of TFLM: it has no tflite::MicroInterpreter"]
    have = cpu_of_core(core)
    for need in archive.cpus:
        if (need.machine, need.bits, need.little) != (have.machine, have.bits, have.little):
            return [f"built for {_machine(need)}, the board has {core.name} ({_machine(have)})"]
    reasons = [
        *_mixed(archive),
        *(reason for need in archive.cpus for reason in _lacks(need, have, core.name)),
        *_layout(archive),
        *_library(archive, core),
    ]
    return list(dict.fromkeys(reasons))


def _machine(cpu: Cpu) -> str:
    return f"{cpu.machine}, {cpu.bits} bits, {'little' if cpu.little else 'big'}-endian"


def _mixed(archive: Archive) -> list[str]:
    """Compare the members with each other."""
    members = {cpu.convention: name for cpu, name in archive.cpus.items()}
    if len(members) < 2:
        return []
    each = ", ".join(f"{name} {convention}" for convention, name in sorted(members.items()))
    return [f"its members pass floats in different ways: {each}"]


def _lacks(need: Cpu, have: Cpu, name: str) -> Iterator[str]:
    """Yield what a core lacks of what code needs."""
    if not have.runs(need.architecture):
        yield (
            f"built for {need.architecture or 'an unknown core'}, "
            f"the board has {name} ({have.architecture})"
        )
    if need.convention != have.convention:
        yield f"built with -mfloat-abi={need.float_abi}, the board has {have.float_abi}"
    if need.fpu > have.fpu:
        kinds = ("no FPU", "an FPU for single precision", "an FPU for double precision")
        yield f"built for {kinds[need.fpu]}, the board's {name} has {kinds[have.fpu]}"
    if need.mve > have.mve:
        kinds = ("no Helium", "Helium for integers", "Helium for floats")
        yield f"built for {kinds[need.mve]}, the board's {name} has {kinds[have.mve]}"
    if need.dsp and not have.dsp and have.runs(need.architecture):
        yield f"built for the DSP extension, the board's {name} has none"
    if need.enums and have.enums and need.enums != have.enums:
        yield f"an enum is {_ENUMS[need.enums]} in it, {_ENUMS[have.enums]} for the board"
    if need.wchar and have.wchar and need.wchar != have.wchar:
        yield f"a wchar_t has {need.wchar} bytes in it, {have.wchar} for the board"


def _layout(archive: Archive) -> list[str]:
    """Look for structures that are not those of a firmware."""
    if archive.static_memory:
        return []
    return ["built with BUILD_TYPE=no_tf_lite_static_memory, which is not for running models"]


def _library(archive: Archive, core: Core) -> Iterator[str]:
    """Yield what it needs of a C and C++ library that a firmware does not have."""
    library = "glibc" if core.toolchain == "native" else "picolibc"
    for symbol, other in sorted(archive.foreign(library).items()):
        yield f"it needs {symbol} of {other} C library, torpor links {library}, which has no such"
    if library == "glibc":
        return  # a process has a heap, and the compiler's C++ library
    if archive.heap:
        yield f"it needs a heap ({', '.join(archive.heap)}), a firmware has none"
    if archive.exceptions:
        yield f"it needs exceptions or types at run time ({', '.join(archive.exceptions)})"
