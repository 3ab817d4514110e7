# SPDX-License-Identifier: Apache-2.0
"""firmware/infer builds alone for the smallest and a larger core, without heap, float or I/O."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from torpor.engine.library import INFER, kernel_table
from torpor.paths import FIRMWARE

GCC = "arm-none-eabi-gcc"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion"]
CORES = ["cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55"]
INCLUDES = {"stddef.h", "stdint.h", "string.h"}
LIBRARY = {"memcpy", "memmove", "memset"}
INTEGER_HELPERS = re.compile(
    r"__aeabi_(u?idiv(mod)?|lmul|llsl|llsr|lasr|mem(cpy|set|move|clr)\d?)|__gnu_thumb1_case_\w+"
)

needs_gcc = pytest.mark.skipif(
    shutil.which(GCC) is None, reason=f"{GCC} is not installed (apt install gcc-arm-none-eabi)"
)


def objects(core: str, folder: Path, level: str = "-O2") -> list[Path]:
    """Compile everything, one object a source."""
    table = folder / "table.c"
    table.write_text(kernel_table())
    sources = {path: "_".join(path.relative_to(INFER).parts) for path in INFER.rglob("*.c")}
    flags = [f"-mcpu={core}", "-mthumb", level, "-std=c11", *WARNINGS, f"-I{FIRMWARE}"]
    command = [GCC, *flags, "--specs=picolibc.specs", "-ffunction-sections", "-fdata-sections"]
    for source, name in (sources | {table: table.name}).items():
        output = folder / f"{name}.o"
        subprocess.run([*command, "-c", str(source), "-o", str(output)], check=True)
    return sorted(folder.glob("*.o"))


def undefined(found: list[Path]) -> set[str]:
    """Symbols that the objects need and do not define themselves."""
    lines = subprocess.run(
        ["arm-none-eabi-nm", *map(str, found)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    words = [line.split() for line in lines]
    needed = {w[1] for w in words if len(w) == 2 and w[0] == "U"}
    return needed - {w[2] for w in words if len(w) == 3}


@needs_gcc
@pytest.mark.parametrize("core", CORES)
def test_it_compiles_without_a_warning_and_needs_nothing_but_memory_functions(
    core: str, tmp_path: Path
) -> None:
    needed = undefined(objects(core, tmp_path)) - LIBRARY
    assert {n for n in needed if not INTEGER_HELPERS.fullmatch(n)} == set()


@needs_gcc
def test_no_object_has_data_that_changes(tmp_path: Path) -> None:
    found = objects("cortex-m4", tmp_path, "-Os")
    sizes = subprocess.run(
        ["arm-none-eabi-size", *map(str, found)], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    data_and_bss = [line.split()[1:3] for line in sizes if "table" not in line]
    assert all(pair == ["0", "0"] for pair in data_and_bss)


def test_it_includes_nothing_outside_itself_and_three_standard_headers() -> None:
    for source in INFER.rglob("*.[ch]"):
        text = source.read_text()
        assert set(re.findall(r"#include <([^>]+)>", text)) <= INCLUDES, source
        own = re.findall(r'#include "([^"]+)"', text)
        assert all(name.startswith("infer/") for name in own), source


def test_the_only_float_is_the_scale_that_the_caller_reads() -> None:
    for source in INFER.rglob("*.[ch]"):
        code = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S)
        if source.name == "plan.h":
            code = code.replace("float scale;", "")
        code = code.replace("sizeof(float)", "")
        assert not re.search(r"\b(float|double|malloc|free|printf)\b", code), source


def test_each_operator_code_has_a_file_of_its_own() -> None:
    names = re.findall(r"&infer_(\w+)", kernel_table())
    assert sorted(p.stem for p in (INFER / "kernels").glob("*.c")) == sorted(names)
