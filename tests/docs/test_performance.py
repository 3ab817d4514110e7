# SPDX-License-Identifier: Apache-2.0
"""docs/PERFORMANCE.md: how it is made. It names the commit that it was measured at."""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.bench.rows import OURS, THEIRS
from tools import performance
from tools.performance import (
    PAGE,
    Beside,
    Gap,
    beside_section,
    collect,
    old_section,
    page,
    tool_versions,
)
from torpor.bench import Measurement, OpCost, Subject
from torpor.board import Board, load_board
from torpor.errors import BudgetError, UnsupportedError, UsageError
from torpor.tflm.archive import Archive
from torpor.tflm.objects import ARM, Object
from torpor.tflm.tree import Tflm

BOARD = load_board("mps2_an386")


def op(kernel: str, macs: int, insn: int) -> OpCost:
    return OpCost(1, kernel, "y", (1, 4), macs, insn, 8, 4)


ROW = Measurement(
    model="net",
    board=BOARD.name,
    engine="torpor",
    insn=1234567,
    insn_per_mac=2.5,
    macs=493827,
    code_bytes=7000,
    rodata_bytes=200,
    model_bytes=30000,
    ram_bytes=1100,
    stack_bytes=None,
    init_insn=40000,
    byte_equal=True,
    inputs=5,
    loaded_bytes=900,
    stored_bytes=300,
    ops=(op("CONV", 40, 600), op("SOFT", 0, 2), op("CONV", 60, 398)),
    difference="",
)


def fake(subject: Subject, board: Board, inputs: int) -> Measurement:
    if subject.name == "huge":
        raise BudgetError("it does not fit")
    if subject.name == "odd":
        raise UnsupportedError("an operator is missing")
    return dataclasses.replace(ROW, model=subject.name, board=board.name, inputs=inputs)


def subject(name: str) -> Subject:
    return Subject(name, name)


def test_every_pair_is_measured_or_a_gap(capsys: pytest.CaptureFixture[str]) -> None:
    rows, gaps = collect(map(subject, ["net", "huge", "odd"]), [BOARD], fake)
    assert [(row.model, row.board) for row in rows] == [("net", BOARD.name)]
    assert gaps == [
        Gap("huge", BOARD.name, "it does not fit"),
        Gap("odd", BOARD.name, "an operator is missing"),
    ]
    assert capsys.readouterr().err.splitlines()[0] == "net on mps2_an386"


def test_the_page_has_each_number_and_a_dash_for_what_is_not_known() -> None:
    text = page([ROW], [], [BOARD], {"torpor": "1.2.3"})
    assert "| torpor | 1.2.3 |" in text
    assert "| net | 493,827 | 1,234,567 | 2.50 | 900 | 300 | yes |" in text
    assert "| net | 7,000 | 200 | 30,000 | 1,100 | - | 40,000 |" in text
    assert "Not measured" not in text
    assert "**no**" in page([dataclasses.replace(ROW, byte_equal=False)], [], [BOARD], {})


def test_operators_of_a_kind_are_summed_and_the_biggest_comes_first() -> None:
    text = page([ROW], [], [BOARD], {})
    assert "| CONV | 2 | 100 | 998 | 99.8% | 9.98 | 16 | 8 |" in text
    assert "SOFT" not in text  # below the share that is named


def test_a_gap_is_told_once_for_all_its_boards() -> None:
    two = [BOARD, load_board("microbit")]
    gaps = [Gap("odd", board.name, "why") for board in two] + [Gap("big", "microbit", "too big")]
    text = page([ROW], gaps, two, {})
    assert "- odd on every board: why\n- big on microbit: too big\n" in text


def test_versions_are_of_every_compiler_and_emulator() -> None:
    found = tool_versions([BOARD])
    assert list(found) == ["torpor", "arm-none-eabi-gcc", "qemu-system-arm"]
    assert all(re.search(r"\d+\.\d+", version) for version in found.values())


def test_the_page_says_that_cycles_are_not_known_and_no_milliseconds() -> None:
    text = PAGE.read_text()
    assert "how many cycles a chip needs is not known" in text
    assert not re.search(r"\d ?ms\b", text)
    assert f"## `{BOARD.name}`" in text


# ---- beside TensorFlow Lite Micro


CORTEX_M4F, CORTEX_M3 = 13, 10  # architectures as build attributes number them


def archive(name: str, kernels: str, core: int, *, usual: bool = True) -> Archive:
    """Return an archive for a core that passes floats in registers."""
    attributes = {6: core, 7: ord("M"), 10: 6, 27: 1, 28: 1}
    symbols = ["_ZN6tflite16MicroInterpreter15AllocateTensorsEv", "_Z11MicroPrintfPKcz"]
    symbols += ["_ZN6tflite21Register_CONV_2D_INT8Ev"] * (kernels == "cmsis_nn")
    needed = frozenset(["__assert_func"] if usual else [])
    made = Object("all.o", ARM, 32, True, 0, attributes, "GCC: 12.2.1", frozenset(symbols), needed)
    return Archive(Path(name), (made,))


def tflm(kernels: str, core: int = CORTEX_M4F, *, usual: bool = True) -> Tflm:
    made = archive(f"{kernels}-{core}.a", kernels, core, usual=usual)
    return Tflm(Path("tree"), made, (), (), "git 0123456789ab")


def beside(kernels: str, *, gaps: tuple[Gap, ...] = (), **changes: Any) -> Beside:
    theirs = dataclasses.replace(THEIRS, **changes)
    return Beside(BOARD, tflm(kernels), (OURS,), () if gaps else (theirs,), gaps)


def test_each_archive_is_a_line_and_ours_is_told_as_a_part_of_it() -> None:
    text = beside_section([beside("reference"), beside("cmsis_nn", insn=1_000_000)], {})
    lines = [line for line in text.splitlines() if line.startswith("| motion-int8")]
    assert [line.split(" | ")[1] for line in lines] == [
        *("tflm, reference kernels", "tflm, CMSIS-NN", "torpor"),
        *("torpor / reference kernels", "torpor / CMSIS-NN"),
    ]
    assert "| 3,187,482 | 20.73 | 19,067 | 49,575 | 40,140 | 8,000 | 4,464 | 1,744 | yes |" in text
    assert "| 1,593,741 | 10.37 | 38,134 | 15,979 | 8,028 | 7,664 | 1,116 | 436 | yes |" in text
    assert "| torpor / reference kernels | 0.50 | 0.50 | 2.00 | 0.32 |" in text
    assert "| torpor / CMSIS-NN | 1.59 |" in text


def test_it_says_what_it_was_made_with() -> None:
    text = beside_section([beside("reference")], {"torpor": "1.2.3"})
    assert "| torpor | 1.2.3 |" in text
    assert "git 0123456789ab" in text
    assert "Armv7E-M" in text and "GCC: 12.2.1" in text and "BUILD_TYPE=default" in text


def test_other_bytes_are_told_and_so_is_a_model_that_it_cannot_run() -> None:
    assert "| **no** |" in beside_section([beside("reference", byte_equal=False)], {})
    gap = Gap("motion-int8", BOARD.name, "no such operator")
    text = beside_section([beside("reference", gaps=(gap,)), beside("cmsis_nn")], {})
    assert "- motion-int8 with reference kernels: no such operator\n" in text
    assert "tflm, reference kernels" not in text
    assert "torpor / CMSIS-NN" in text


def test_an_archive_that_was_not_built_as_usual_is_told_apart() -> None:
    other = Beside(BOARD, tflm("reference", usual=False), (OURS,), (THEIRS,), ())
    text = beside_section([beside("reference"), other], {})
    assert "| tflm, reference kernels |" in text
    assert "| tflm, reference kernels, BUILD_TYPE=release_with_logs |" in text


def test_without_an_archive_there_is_no_section() -> None:
    assert beside_section([], {"torpor": "1.2.3"}) == ""


def test_the_section_of_an_earlier_run_is_kept_as_it_is() -> None:
    section = beside_section([beside("reference")], {"torpor": "1.2.3"})
    text = page([ROW], [], [BOARD], {"torpor": "1.2.4"}, section)
    assert old_section(text) == section
    assert page([ROW], [], [BOARD], {"torpor": "1.2.4"}, old_section(text)) == text
    assert old_section(page([ROW], [], [BOARD], {})) == ""


def test_an_archive_is_measured_on_boards_of_its_own_architecture_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {
        Path("b.a"): tflm("cmsis_nn"),
        Path("bb.a"): tflm("reference", usual=False),
        Path("c.a"): tflm("reference"),
        Path("d.a"): tflm("reference", CORTEX_M3),  # it runs on a Cortex-M4, too
    }

    def find(_folder: str, path: Path, _core: object) -> Tflm:
        if path not in found:
            raise UsageError("built for something else")
        return found[path]

    monkeypatch.setenv("TFLM_DIR", "tree")
    monkeypatch.setattr(performance, "tree", Path)
    monkeypatch.setattr(performance, "archives", lambda _: [Path("a.a"), *found])
    monkeypatch.setattr(performance, "find", find)
    archives = [one.archive for one in performance.candidates(BOARD)]
    assert [(one.kernels, one.build_type) for one in archives] == [
        ("reference", "default"),
        ("reference", "release_with_logs"),
        ("cmsis_nn", "default"),
    ]


def test_every_model_is_measured_with_every_archive_of_a_board(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = []

    def measured(subject: Subject, board: Board, inputs: int, engine: str) -> Measurement:
        used.append((subject.name, Path(os.environ["TFLM_LIB"]).name, engine))
        return dataclasses.replace(fake(subject, board, inputs), engine=engine)

    monkeypatch.setenv("TFLM_LIB", "before")
    monkeypatch.setattr(performance, "measure", measured)
    monkeypatch.setattr(
        performance, "candidates", lambda board: [tflm("reference")] * (board is BOARD)
    )
    models, on = [subject("net"), subject("huge")], [BOARD, load_board("microbit")]
    (one,) = performance.measure_beside(models, on, [ROW, OURS])
    assert used == [(name, "reference-13.a", "tflm") for name in ("net", "huge")]
    assert [row.model for row in one.theirs] == ["net"]
    assert one.gaps == (Gap("huge", BOARD.name, "it does not fit"),)
    assert one.ours == (ROW, OURS)
