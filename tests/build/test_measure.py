# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Measuring an ELF file: what counts as flash and RAM, and what cannot be measured."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from tests.build.test_footprint import FITS, analysis, graph
from torpor.board import Budget, load_board
from torpor.errors import BudgetError
from torpor.footprint import Footprint, check_budget, measure, picture, summary
from torpor.footprint.callgraph import CallGraph, worst_case
from torpor.footprint.mapfile import pieces
from torpor_build import budget as budget_step

SOURCE = """
const unsigned char torpor_plan[96] = {1};
unsigned char model_arena[40];
int initialised[4] = {1, 2, 3, 4};
void _start(void) { model_arena[0] = (unsigned char)(torpor_plan[3] + initialised[1]); }
"""
MAP = """\
Linker script and memory map

.text           0x00000000      0x100
 .text.run      0x00000000       0x30 build/b/obj/infer/kernels/conv_2d_s8.o
 .rodata.table  0x00000030       0x08 build/b/obj/infer/kernels/conv_2d_s8.o
 .text.main     0x00000038       0x10 build/b/obj/app/main.o

.data           0x20000000       0x10
 .data.x        0x20000000       0x10 build/b/obj/app/main.o

.bss            0x20000010       0x30
 .bss.scratch   0x20000010       0x20 build/b/obj/infer/kernels/conv_2d_s8.o
 .bss.model     0x20000030       0x28 build/b/m-int8/obj/model.o

.comment        0x00000000       0x12
 .comment       0x00000000       0x12 build/b/obj/app/main.o
"""


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.c").write_text(SOURCE)
    command = ["gcc", "-O1", "-nostdlib", "-static", "-Wl,--build-id=none", "a.c", "-o", "a.elf"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "a.elf"


def measured(elf: Path) -> Footprint:
    return measure(elf, MAP, [], load_board("native"))


def test_plan_and_arena_are_the_symbols_of_the_elf(elf: Path) -> None:
    found = measured(elf)
    assert (found.model_bytes, found.arena_bytes) == (96, 40)
    assert found.code_bytes == found.flash_bytes - 96


def test_ram_is_what_can_be_written_and_no_code(elf: Path) -> None:
    assert measured(elf).ram_bytes == 40 + 4 * 4  # .bss and .data, neither .text nor .rodata


def test_code_that_runs_from_ram_is_ram_even_where_no_other_data_are(tmp_path: Path) -> None:
    text = '.section .data,"ax"\n.globl busy\nbusy: .skip 24\n.text\n.globl _start\n_start: ret\n'
    (tmp_path / "a.s").write_text(text)
    command = ["gcc", "-nostdlib", "-static", "-Wl,--build-id=none", "a.s", "-o", "a.elf"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert measured(tmp_path / "a.elf").ram_bytes == 24


def test_initial_values_count_as_flash_and_as_ram(elf: Path) -> None:
    found = measured(elf)
    assert found.flash_parts == {"kernels": 0x38, "app": 0x10 + 0x10}
    assert found.ram_parts == {"arena": 0x28, "kernels": 0x20, "app": 0x10}
    assert list(found.flash_parts) == ["kernels", "app"]  # the biggest first


def test_a_kernel_has_its_code_and_constants_but_not_its_ram(elf: Path) -> None:
    assert measured(elf).kernels == {"CONV_2D_S8": 0x38}


def test_a_process_of_this_computer_has_no_analysed_stack(elf: Path) -> None:
    found = measured(elf)
    assert (found.stack_bytes, found.stack_path) == (None, ())
    assert "stack" not in summary(found, load_board("native"))
    assert "deepest" not in picture(found, Budget(1, 1, 1))


def test_an_elf_without_symbols_cannot_be_measured(elf: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "stripped.elf"
    subprocess.run(["strip", str(elf), "-o", str(stripped)], check=True)
    with pytest.raises(BudgetError, match="has no symbols"):
        measured(stripped)


def test_the_written_footprint_has_every_number(elf: Path) -> None:
    found = json.loads(measured(elf).to_json())
    assert set(found) == {field.name for field in dataclasses.fields(Footprint)}
    assert found["kernels"] == {"CONV_2D_S8": 0x38}


def test_a_map_without_its_heading_has_no_pieces() -> None:
    assert list(pieces(MAP.partition("\n\n")[2])) == []


def test_a_name_that_waits_for_its_line_is_forgotten_at_the_next_section() -> None:
    place = "                0x0  0x8 build/b/obj/app/a.o\n"
    heading = "Linker script and memory map\n .text.long\n"
    assert [p.name for p in pieces(heading + place)] == [".text.long"]
    assert list(pieces(f"{heading}\n{place}")) == []


# ---- the stack


def test_a_function_that_many_call_is_counted_on_each_way_once() -> None:
    made = graph("a>b", "a>c", "b>d", "c>d", a=1, b=2, c=4, d=8)
    path = analysis(made).deepest("a")
    assert (path.bytes, path.functions) == (13, ("a", "c", "d"))


def test_a_function_that_calls_itself_is_recursion_even_through_a_pointer() -> None:
    with pytest.raises(BudgetError, match=r"a -> a$"):
        analysis(graph("a>a", a=8)).deepest("a")
    made = graph("a>__indirect_call", a=8)
    with pytest.raises(BudgetError, match=r"a -> a$"):
        analysis(made, "a", a=["a"]).deepest("a")


def test_recursion_is_found_below_a_library_function_too() -> None:
    with pytest.raises(BudgetError, match="memcpy -> b -> memcpy"):
        analysis(graph("a>memcpy", "memcpy>b", "b>memcpy", a=8, b=8)).deepest("a")


def test_a_declared_pointer_without_any_target_in_the_firmware_costs_nothing() -> None:
    made = graph("a>__indirect_call", a=8, b_run=100)
    assert analysis(made, "a", a=["*_run"]).deepest("a").bytes == 8  # b_run is not linked


def test_patterns_of_targets_tell_capitals_apart() -> None:
    made = graph("a>__indirect_call", a=8, b_RUN=100)
    assert analysis(made, "a b_RUN", a=["*_run"]).deepest("a").bytes == 8


def test_the_hint_says_in_which_table_a_call_is_declared() -> None:
    with pytest.raises(BudgetError) as error:
        analysis(graph("a>__indirect_call", a=8)).deepest("a")
    assert "[targets] of firmware/calls.toml" in error.value.hint
    with pytest.raises(BudgetError) as error:
        analysis(graph("a>sqrtf", a=8)).deepest("a")
    assert "[library] of firmware/calls.toml" in error.value.hint


def test_a_start_that_is_not_in_the_graph_is_an_error() -> None:
    with pytest.raises(BudgetError, match="nothing is known of main"):
        worst_case(analysis(CallGraph()), {"main": "main", "handlers": []}, 0)


def test_the_frame_of_a_function_is_of_the_file_that_was_added_last() -> None:
    made = CallGraph()
    for size in (8, 16):
        made.add(f'node: {{ title: "f" label: "f\\nx.c:1:1\\n{size} bytes (static)" }}')
    made.add('node: { title: "f" label: "f\\nx.c:1:1" shape : ellipse }')  # declared only
    assert made.frames == {"f": 16}


# ---- the budget, and the step that holds a firmware against it


def test_static_ram_and_the_reserved_stack_must_fit_the_memory_together() -> None:
    board = load_board("microbit")
    assert board.budget is not None
    wide = dataclasses.replace(board, budget=Budget(1 << 20, 1 << 20, 1 << 12))
    room = board.memory["ram"].size - (1 << 12)
    fits = dataclasses.replace(FITS, ram_bytes=room)
    assert check_budget(fits, wide) == []
    over = dataclasses.replace(FITS, ram_bytes=room + 1)
    (problem,) = check_budget(over, wide)
    assert problem == "RAM with stack: 16385 bytes, 1 over the memory of 16384"


def test_every_budget_that_is_exceeded_is_named_at_once() -> None:
    board = load_board("microbit")
    huge = dataclasses.replace(FITS, flash_bytes=1 << 20, ram_bytes=1 << 20, stack_bytes=1 << 20)
    names = [problem.partition(":")[0] for problem in check_budget(huge, board)]
    assert names == ["flash", "RAM", "stack", "flash", "RAM with stack"]


def step(elf: Path, board: str, monkeypatch: pytest.MonkeyPatch, footprint: Footprint) -> Path:
    elf.with_suffix(".map").write_text(MAP)
    monkeypatch.setattr(budget_step, "measure", lambda *_: footprint)
    target = elf.parent / "footprint.json"
    target.unlink(missing_ok=True)
    budget_step.measure_and_check(elf, [], load_board(board), None, target)
    return target


def test_the_step_writes_the_numbers_and_prints_one_line(
    elf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = step(elf, "microbit", monkeypatch, FITS)
    assert json.loads(target.read_text())["flash_bytes"] == 1000
    assert capsys.readouterr().out == f"  {summary(FITS, load_board('microbit'))}\n"


def test_the_step_fails_with_6_and_a_picture_and_writes_nothing(
    elf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        step(elf, "microbit", monkeypatch, dataclasses.replace(FITS, stack_bytes=4000))
    assert stop.value.code == BudgetError.exit_code
    shown = capsys.readouterr()
    assert "scons: stack: 4000 bytes, 1952 over the budget of 2048" in shown.err
    assert "hint: [budget] of boards/microbit/board.toml" in shown.err
    assert "stack: 4000 of 2048 bytes, 1952 too many" in shown.out
    assert not (elf.parent / "footprint.json").exists()


def test_a_stack_without_a_bound_fails_the_step_with_its_hint(
    elf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unbounded(*_: object) -> Footprint:
        raise BudgetError("stack: recursion has no bound: a -> a", "do not")

    elf.with_suffix(".map").write_text(MAP)
    monkeypatch.setattr(budget_step, "measure", unbounded)
    with pytest.raises(SystemExit) as stop:
        budget_step.measure_and_check(elf, [], load_board("microbit"), None, elf)
    assert stop.value.code == BudgetError.exit_code
    assert capsys.readouterr().err == "scons: stack: recursion has no bound: a -> a\nhint: do not\n"


def test_bars_are_in_proportion_and_never_divide_by_zero() -> None:
    lines = picture(FITS, Budget(flash=1000, ram=250, stack=1)).splitlines()
    bars = {line.split()[0]: line.count("#") for line in lines if line.startswith("  ")}
    assert (bars["plan"], bars["app"]) == (16, 24)  # of 40; the later "app" is that of RAM
    empty = dataclasses.replace(FITS, flash_bytes=0, flash_parts={"app": 0})
    assert "flash: 0 of 0 bytes, 0 free" in picture(empty, Budget(0, 0, 0))
