# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/infer/tflm builds for small and large cores: no heap, no I/O, no floating point."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.shared import WARNINGS
from tests.support.tflm import CPLUSPLUS, stand_in
from torpor.board import board_names, load_board
from torpor.paths import FIRMWARE

FOLDER = FIRMWARE / "infer" / "tflm"
WITH_CORES = {load_board(name).core.name: name for name in reversed(board_names())}
CORES = {core: load_board(name).core for core, name in WITH_CORES.items() if core != "native"}
C_LIBRARY = {"memcpy", "memset", "memcmp", "strcmp", "strlen", "setjmp", "longjmp"}
HELPERS = re.compile(r"__aeabi_(u?idiv(mod)?|lmul|mem(cpy|set|move|clr)\d?)|__gnu_thumb1_case_\w+")
OTHERS = re.compile(r"_Z\w*(6tflite|13tflm_resolver)\w*|_GLOBAL_OFFSET_TABLE_|infer_\w+|tflm_\w+")
"""What TensorFlow Lite Micro, the resolver and the rest of firmware/infer have."""

RUNTIME = {
    *("abort", "__assert_func", "__cxa_pure_virtual", "__aeabi_atexit", "__dso_handle", "__errno"),
    *("_ZdlPv", "_ZdlPvj"),
}


def build(core: str, suffix: str, folder: Path) -> list[Path]:
    """Compile all files of that suffix for a core, warnings are errors; return the objects."""
    toolchain = CORES[core].toolchain
    cplusplus = suffix == ".cc"
    compiler = f"{toolchain}-{'g++' if cplusplus else 'gcc'}"
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    language = [*CPLUSPLUS, f"-isystem{stand_in()}"] if cplusplus else ["-std=c11", *WARNINGS]
    flags = [*CORES[core].flags, "--specs=picolibc.specs", "-Os", "-DNDEBUG", f"-I{FIRMWARE}"]
    flags += ["-Wall", "-Wextra", "-Werror", "-Wconversion", *language]
    objects = []
    for source in sorted(FOLDER.glob(f"*{suffix}")):
        objects.append(folder / f"{source.stem}.o")
        subprocess.run([compiler, *flags, "-c", source, "-o", objects[-1]], check=True)
    return objects


def symbols(core: str, objects: list[Path]) -> tuple[set[str], set[str]]:
    """Return what objects define, and what they need from elsewhere."""
    command = [f"{CORES[core].toolchain}-nm", *map(str, objects)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    words = [line.split() for line in lines]
    defined = {w[2] for w in words if len(w) == 3}
    return defined, {w[1] for w in words if len(w) == 2 and w[0] == "U"} - defined


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "rv32imac"])
def test_its_c_compiles_without_a_warning_and_needs_nothing_but_memory_functions(
    core: str, tmp_path: Path
) -> None:
    _, needed = symbols(core, build(core, ".c", tmp_path))
    unexpected = {s for s in needed - C_LIBRARY if not (HELPERS.match(s) or OTHERS.match(s))}
    assert unexpected == set()


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_its_cplusplus_needs_no_heap_no_exceptions_and_no_types_at_run_time(
    core: str, tmp_path: Path
) -> None:
    defined, needed = symbols(core, build(core, ".cc", tmp_path))
    allowed = C_LIBRARY | RUNTIME
    unexpected = {s for s in needed - allowed if not (HELPERS.match(s) or OTHERS.match(s))}
    assert unexpected == set()
    assert defined >= RUNTIME, "what newlib or C++ asks for is missing"
    assert not {s for s in defined if s.startswith(("_ZTI", "_ZTS"))}, "types at run time"
