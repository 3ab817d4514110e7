# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reading map files and call graphs, and judging budgets."""

import dataclasses

import pytest

from torpor.board import Budget, Memory, load_board
from torpor.errors import BudgetError
from torpor.footprint import Footprint, check_budget, picture, summary
from torpor.footprint.callgraph import CallGraph, StackAnalysis, base_name, worst_case
from torpor.footprint.mapfile import Piece, pieces
from torpor.footprint.measure import part_of
from torpor.footprint.ramcode import check_ram_code

MAP = """\
Discarded input sections

 .text.unused   0x00000000       0x40 build/b/obj/app/main.o

Linker script and memory map

.text           0x00000000      0x100
 *(.vectors)
 .vectors       0x00000000       0x44 build/b/obj/port/cortexm/startup.o
 .text.main     0x00000044       0x10 build/b/obj/app/main.o
                0x00000044                main
 .text.a_function_with_a_long_name
                0x00000054       0x20 build/b/obj/infer/kernels/conv_2d_s8.o
 *fill*         0x00000074        0x2
 .text.empty    0x00000076        0x0 build/b/obj/app/main.o
 .text.memcpy   0x00000076        0x8 /usr/lib/libc.a(memcpy.o)

.bss            0x20000000       0x30
 .bss           0x20000000       0x30 build/b/obj/app/console.o
"""


def test_the_map_gives_every_placed_piece_and_no_discarded_one() -> None:
    assert list(pieces(MAP)) == [
        Piece(".text", ".vectors", 0x44, "build/b/obj/port/cortexm/startup.o"),
        Piece(".text", ".text.main", 0x10, "build/b/obj/app/main.o"),
        Piece(
            ".text",
            ".text.a_function_with_a_long_name",
            0x20,
            "build/b/obj/infer/kernels/conv_2d_s8.o",
        ),
        Piece(".text", ".text.memcpy", 8, "/usr/lib/libc.a(memcpy.o)"),
        Piece(".bss", ".bss", 0x30, "build/b/obj/app/console.o"),
    ]


@pytest.mark.parametrize(
    ("obj", "part"),
    [
        ("build/b/obj/app/main.o", "app"),
        ("build/b/obj/infer/check.o", "infer"),
        ("build/b/obj/infer/kernels/copy.o", "kernels"),
        ("build/b/obj/port/cortexm/cpu.o", "port"),
        ("build/b/obj/zcbor/decode.o", "zcbor"),
        ("build/b/obj/gen/wire_records.o", "wire"),
        ("build/b/obj/gen/board.o", "port"),
        ("build/b/obj/gen/features.o", "drivers"),
        ("build/b/m-int8/obj/plan.o", "plan"),
        ("build/b/m-int8/obj/model.o", "arena"),
        ("/usr/lib/picolibc/libc.a(memset.o)", "libc"),
        ("/usr/lib/gcc/crti.o", "libc"),
    ],
)
def test_each_object_belongs_to_a_part(obj: str, part: str) -> None:
    assert part_of(obj) == part


def graph(*edges: str, **frames: int | str) -> CallGraph:
    """Make a graph: edges as "a>b", frames as bytes or "N bytes (kind)"."""
    made = CallGraph()
    nodes = [
        f'node: {{ title: "{name}" label: "{name}\\nx.c:1:1\\n'
        + (size if isinstance(size, str) else f"{size} bytes (static)")
        + '" }'
        for name, size in frames.items()
    ]
    calls = [
        'edge: {{ sourcename: "{}" targetname: "{}" label: "x.c:2:2" }}'.format(*edge.split(">"))
        for edge in edges
    ]
    made.add("\n".join(nodes + calls))
    return made


def analysis(made: CallGraph, linked: str = "", **declared: list[str]) -> StackAnalysis:
    return StackAnalysis(made, linked.split(), declared, {"memcpy": 24})


def test_the_deepest_chain_counts_not_the_longest() -> None:
    made = graph("a>b", "b>c", "a>d", a=8, b=8, c=8, d=100)
    path = analysis(made).deepest("a")
    assert (path.bytes, path.functions) == (108, ("a", "d"))


def test_library_functions_have_declared_sizes() -> None:
    path = analysis(graph("a>memcpy", a=8)).deepest("a")
    assert (path.bytes, path.functions) == (32, ("a", "memcpy"))


def test_a_library_function_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(BudgetError, match="nothing is known of printf") as error:
        analysis(graph("a>printf", a=8)).deepest("a")
    assert "calls.toml" in error.value.hint


def test_a_call_through_a_pointer_may_reach_every_linked_target() -> None:
    made = graph("a>__indirect_call", **{"a": 8, "x.c:b_run": 16, "c_run": 64, "other": 999})
    path = analysis(made, "a b_run other", a=["*_run"]).deepest("a")
    assert (path.bytes, path.functions) == (24, ("a", "b_run"))


def test_a_call_through_a_pointer_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(BudgetError, match="a calls through a pointer"):
        analysis(graph("a>__indirect_call", a=8)).deepest("a")


def test_recursion_is_an_error_that_names_the_circle() -> None:
    with pytest.raises(BudgetError, match="b -> c -> b"):
        analysis(graph("a>b", "b>c", "c>b", a=8, b=8, c=8)).deepest("a")


def test_a_frame_of_unknown_size_is_an_error() -> None:
    made = graph("a>b", a=8, b="16 bytes (dynamic)")
    with pytest.raises(BudgetError, match="frame of b has no bound"):
        analysis(made).deepest("a")
    bounded = graph("a>b", a=8, b="16 bytes (dynamic,bounded)")
    assert analysis(bounded).deepest("a").bytes == 24


RAM = Memory("ram", 0x20000000, 0x1000, functions=0x40000000)
PLACES = {"erase": {0x20000101}, "wait": {0x40000100}, "memcpy": {0x101}, "main": {0x1}}


@pytest.mark.parametrize("callee", ["memcpy", "__indirect_call", "nowhere"])
def test_what_runs_from_ram_calls_nothing_in_the_flash(callee: str) -> None:
    fine = ("main>flash.c:erase.constprop.0", "main>memcpy", "flash.c:erase.constprop.0>wait")
    sizes = {"main": 8, "flash.c:erase.constprop.0": 8, "wait": 0}
    check_ram_code(graph(*fine, **sizes), PLACES, RAM)
    for caller in ("flash.c:erase.constprop.0", "wait"):
        with pytest.raises(BudgetError, match="runs from RAM, and calls") as error:
            check_ram_code(graph(*fine, f"{caller}>{callee}", **sizes), PLACES, RAM)
        assert ("a pointer" if callee == "__indirect_call" else callee) in error.value.message


def test_one_interrupt_comes_on_top_with_its_frame() -> None:
    made = graph("main>work", main=8, work=40, isr=16, tick=4)
    path = worst_case(analysis(made), {"main": "main", "handlers": ["isr", "tick"]}, 36)
    assert path.bytes == 8 + 40 + 36 + 16
    assert path.functions == ("main", "work", "<interrupt>", "isr")


def test_names_lose_file_and_suffix() -> None:
    assert base_name("firmware/a.c:f.part.0") == "f"
    assert base_name("f") == "f"


BOARD = load_board("microbit")
FITS = Footprint(
    flash_bytes=1000,
    ram_bytes=500,
    stack_bytes=300,
    model_bytes=400,
    arena_bytes=200,
    code_bytes=600,
    stack_path=("main", "work"),
    flash_parts={"plan": 400, "app": 600},
    ram_parts={"arena": 200, "app": 300},
    kernels={"CONV_2D_S8": 100},
)


def test_what_fits_is_no_problem() -> None:
    assert check_budget(FITS, BOARD) == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("flash_bytes", 98305, "flash: 98305 bytes, 1 over the budget of 98304"),
        ("ram_bytes", 14337, "RAM: 14337 bytes, 1 over the budget of 14336"),
        ("stack_bytes", 2049, "stack: 2049 bytes, 1 over the budget of 2048"),
    ],
)
def test_one_byte_too_many_is_named(field: str, value: int, message: str) -> None:
    problems = check_budget(dataclasses.replace(FITS, **{field: value}), BOARD)  # type: ignore[arg-type]
    assert problems[0] == message


def test_an_image_further_up_has_less_room() -> None:
    link = 0x40000 - 999
    assert check_budget(FITS, BOARD, link) == ["flash: 1000 bytes, 1 over the code memory of 999"]
    assert check_budget(FITS, BOARD, link - 1) == []


def test_a_board_without_a_budget_has_no_problems() -> None:
    assert check_budget(FITS, load_board("native")) == []


def test_the_picture_shows_each_part_and_what_is_too_many() -> None:
    text = picture(FITS, Budget(flash=800, ram=1000, stack=400))
    assert "flash: 1000 of 800 bytes, 200 too many" in text
    assert "RAM: 500 of 1000 bytes, 500 free" in text
    assert f"  plan            400  {'#' * 16}\n" in text
    assert text.endswith("deepest: main > work")


def test_the_summary_is_one_line() -> None:
    line = summary(FITS, BOARD)
    assert "\n" not in line
    assert "flash 1000 of 98304" in line
    assert "stack 300 of 2048" in line
