# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The statistics keep their budget: 4 kB of code, 1 kB of RAM, on the smallest cores too."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stats.device import Opened
from torpor.paths import FIRMWARE

CODE, RAM = 4096, 1024
CORES = {
    "cortex-m0": ("arm-none-eabi", ["-mcpu=cortex-m0", "-mthumb"]),
    "cortex-m4": ("arm-none-eabi", ["-mcpu=cortex-m4", "-mthumb"]),
    "rv32imac": ("riscv64-unknown-elf", ["-march=rv32imac", "-mabi=ilp32"]),
}
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion"]
FLAGS = ["-std=c11", "-Os", *WARNINGS, "--specs=picolibc.specs", f"-I{FIRMWARE}"]
STATE = """
#include "stats/drift.h"
#include "stats/sampler.h"
#include "stats/store.h"
#include "stats/summary.h"

summary_t summary;
drift_t drift;
sampler_t sampler;
store_t store;
store_entry_t entry;
"""
FORBIDDEN = {"malloc", "free", "__aeabi_fadd", "__aeabi_dadd", "__addsf3", "__aeabi_uldivmod"}


def compiled(core: str, folder: Path) -> tuple[str, list[Path], Path]:
    """Compile everything for a core; returns its tools' prefix, our objects, one of all state."""
    target, flags = CORES[core]
    if shutil.which(f"{target}-gcc") is None:
        pytest.skip(f"{target}-gcc is not installed (apt install gcc-{target})")
    state = folder / "state.c"
    state.write_text(STATE)
    objects = []
    for source in [*sorted((FIRMWARE / "stats").glob("*.c")), state]:
        objects.append(folder / f"{source.stem}.o")
        command = [f"{target}-gcc", *flags, *FLAGS, "-c", str(source), "-o", str(objects[-1])]
        subprocess.run(command, check=True)
    return target, objects[:-1], objects[-1]


def sizes(target: str, objects: list[Path]) -> tuple[int, int]:
    """Return the bytes of code with constants, and of RAM."""
    done = subprocess.run(
        [f"{target}-size", *map(str, objects)], capture_output=True, text=True, check=True
    )
    rows = [[int(word) for word in line.split()[:3]] for line in done.stdout.splitlines()[1:]]
    return sum(row[0] + row[1] for row in rows), sum(row[1] + row[2] for row in rows)


@pytest.mark.parametrize("core", CORES)
def test_code_and_memory_are_within_their_budgets(core: str, tmp_path: Path) -> None:
    target, objects, state = compiled(core, tmp_path)
    code, own = sizes(target, objects)
    ram = own + sizes(target, [state])[1]
    print(f"{core}: {code} bytes of code, {ram} bytes of RAM")
    assert 0 < code <= CODE
    assert 0 < ram <= RAM
    assert own == 0, "the caller owns all state"


@pytest.mark.parametrize("core", CORES)
def test_there_is_no_heap_no_float_and_no_long_division(core: str, tmp_path: Path) -> None:
    target, objects, _ = compiled(core, tmp_path)
    done = subprocess.run(
        [f"{target}-nm", "-u", *map(str, objects)], capture_output=True, text=True, check=True
    )
    needed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith(" ")}
    assert "crc32_update" in needed
    assert needed & FORBIDDEN == set()


@pytest.mark.parametrize(
    ("name", "most"), [("summary_t", 255), ("drift_t", 511), ("sampler_t", 8), ("store_t", 24)]
)
def test_each_part_keeps_what_its_header_says(opened: Opened, name: str, most: int) -> None:
    assert 0 < opened[0].sizeof(name) <= most
