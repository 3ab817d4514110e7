# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Between looking for work and sleeping: an interrupt at every point of the loop (race.c)."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import cffi
import pytest

from tests.support.shared import WARNINGS
from torpor.engine.library import compiler
from torpor.paths import FIRMWARE, ROOT
from torpor.third_party import library
from torpor.wire.schema import SCHEMA

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import records

TRACED = ("core/loop.c", "app/start.c")
DECLARED = """
    extern uint32_t race_points, race_handled, race_slept;
    extern bool race_lost;
    bool race_run(uint32_t at, bool careless);
"""


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the loop on a CPU of race.c."""
    folder = tmp_path_factory.mktemp("race")
    (folder / "gen").mkdir()
    (folder / "gen" / "wire_records.h").write_text(records.header(SCHEMA))
    flags = ["-std=c11", "-g", "-O1", "-fPIC", *WARNINGS, f"-I{FIRMWARE}", f"-I{folder}"]
    flags += library("zcbor").flags
    objects = []
    for name in TRACED:  # -O0: each statement keeps the block that it is written as
        objects.append(str(folder / f"{Path(name).stem}.o"))
        traced = ["-O0", "-fsanitize-coverage=trace-pc", "-c", str(FIRMWARE / name)]
        _run([*flags, *traced, "-o", objects[-1]])
    here = Path(__file__).with_name("race.c")
    rest = [str(here), str(FIRMWARE / "core" / "text.c")]
    _run([*flags, "-shared", *rest, *objects, "-o", str(folder / "race.so")])
    ffi = cffi.FFI()
    ffi.cdef(DECLARED)
    return ffi.dlopen(str(folder / "race.so"))


def _run(arguments: list[str]) -> None:
    done = subprocess.run([compiler(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_interrupt_at_any_point_is_handled_once_and_never_slept_over(race: Any) -> None:
    passed = 0
    for at in range(1, 200):
        assert race.race_run(at, False), f"lost at point {at}"
        assert race.race_handled == 1
        passed += race.race_slept == 1
    assert passed > 20, "the interrupt came before the loop slept at so many points"
    assert passed < 199, "and after that at the others: it woke the CPU"


def test_a_loop_that_looks_before_it_masks_loses_the_interrupt_at_some_points(race: Any) -> None:
    lost = [at for at in range(1, 200) if not race.race_run(at, True)]
    assert lost
    assert lost == list(range(lost[0], lost[-1] + 1)), "from the look to the mask"
