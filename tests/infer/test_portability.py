# SPDX-License-Identifier: Apache-2.0
"""firmware/infer builds alone for every core, without heap or I/O, and floats only at the ends."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from torpor.board import board_names, load_board
from torpor.engine.library import INFER, engine_sources, kernel_table
from torpor.paths import FIRMWARE
from torpor.tflm.check import SOURCES as CHECKED

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion"]
WITH_CORES = {load_board(name).core.name: name for name in reversed(board_names())}
BOARDS = {name: load_board(name).core for core, name in WITH_CORES.items() if core != "native"}
"""One board of each core."""
INCLUDES = {"stddef.h", "stdint.h", "string.h"}
MESSAGES = {"stdarg.h", "stdbool.h"}
"""What printing the messages of TensorFlow Lite Micro needs besides."""

LIBRARY = {"memcmp", "memcpy", "memmove", "memset"}
INTEGER_HELPERS = re.compile(
    r"__aeabi_(u?idiv(mod)?|lmul|llsl|llsr|lasr|mem(cpy|set|move|clr)\d?)|__gnu_thumb1_case_\w+"
)
FLOAT_HELPERS = re.compile(r"__aeabi_(f\w+|i2f)|__\w+sf\d?|__fixsfsi")
"""What a core without FPU divides, multiplies, compares and converts floats with."""

FLOATS = {"kernels/dequantize.c", "kernels/quantize_f32.c", "ops/quantize.c"}
"""The sources that may know of floats."""


REGISTRATIONS = """
#include "infer/tflm/resolver.h"

const uint32_t tflm_registrations[4] = {0};
"""


def tool(board: str, name: str) -> str:
    """The program `name` of the board's toolchain; skips where it is not installed."""
    target = BOARDS[board].toolchain
    if shutil.which(f"{target}-{name}") is None:
        pytest.skip(f"{target}-{name} is not installed (apt install gcc-{target})")
    return f"{target}-{name}"


def objects(board: str, folder: Path) -> list[Path]:
    """Compile everything, one object a source."""
    table = folder / "table.c"
    table.write_text(kernel_table() + REGISTRATIONS)
    portable = [*engine_sources(), *(INFER / "tflm" / name for name in CHECKED)]
    sources = {path: "_".join(path.relative_to(INFER).parts) for path in portable}
    flags = [*BOARDS[board].flags, "-O2", "-std=c11", *WARNINGS, f"-I{FIRMWARE}"]
    command = [
        tool(board, "gcc"),
        *flags,
        "--specs=picolibc.specs",
        "-ffunction-sections",
        "-fdata-sections",
    ]
    for source, name in (sources | {table: table.name}).items():
        output = folder / f"{name}.o"
        subprocess.run([*command, "-c", str(source), "-o", str(output)], check=True)
    return sorted(folder.glob("*.o"))


def undefined(board: str, found: list[Path]) -> set[str]:
    """Symbols that the objects need and do not define themselves."""
    lines = subprocess.run(
        [tool(board, "nm"), *map(str, found)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    words = [line.split() for line in lines]
    needed = {w[1] for w in words if len(w) == 2 and w[0] == "U"}
    return needed - {w[2] for w in words if len(w) == 3}


def changing(board: str, found: list[Path]) -> list[str]:
    """Objects that have data that changes, as "size" prints them."""
    sizes = subprocess.run(
        [tool(board, "size"), *map(str, found)], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    return [line for line in sizes if "table" not in line and line.split()[1:3] != ["0", "0"]]


@pytest.mark.parametrize("board", BOARDS)
def test_it_compiles_without_a_warning_or_changing_data_and_needs_nothing_but_memory_functions(
    board: str, tmp_path: Path
) -> None:
    found = objects(board, tmp_path)
    floats = [path for path in found if path.stem in {name.replace("/", "_") for name in FLOATS}]
    assert len(floats) == len(FLOATS)
    helpers = {n for n in undefined(board, floats) if FLOAT_HELPERS.fullmatch(n)}
    integers = [path for path in found if path not in floats]
    assert not helpers & undefined(board, integers)
    needed = undefined(board, found) - LIBRARY - helpers
    assert {n for n in needed if not INTEGER_HELPERS.fullmatch(n)} == set()
    assert changing(board, found) == []


def test_it_includes_nothing_outside_itself_and_three_standard_headers() -> None:
    for source in INFER.rglob("*.[ch]"):
        text = source.read_text()
        allowed = INCLUDES | (MESSAGES if source.stem == "message" else set())
        assert set(re.findall(r"#include <([^>]+)>", text)) <= allowed, source
        own = re.findall(r'#include "([^"]+)"', text)
        assert all(name.startswith("infer/") for name in own), source


def test_floats_are_in_scales_and_in_what_quantizes_them_alone() -> None:
    for source in INFER.rglob("*.[ch]"):
        code = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S)
        if source.name == "plan.h":
            code = code.replace("float scale;", "")
        code = code.replace("sizeof(float)", "").replace("va_arg(*args, double)", "")
        assert not re.search(r"\b(double|malloc|free|printf)\b", code), source
        if source.relative_to(INFER).as_posix() not in FLOATS:
            assert not re.search(r"\bfloat\b", code), source


def test_each_operator_code_has_a_file_of_its_own() -> None:
    names = re.findall(r"&infer_(\w+)", kernel_table())
    assert sorted(p.stem for p in (INFER / "kernels").glob("*.c")) == sorted(names)
