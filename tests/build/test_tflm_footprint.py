# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""engine=tflm in footprints: stack that is measured or assumed, parts, and no heap."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from tests.build.test_footprint import FITS
from torpor.board import load_board
from torpor.errors import BudgetError, TorporError
from torpor.footprint import check_no_heap, engine_stack, measure_inference, summary
from torpor.footprint.callgraph import CallGraph, StackAnalysis
from torpor.footprint.engine import ASSUMED_BYTES, EngineStack
from torpor.footprint.inference import engine_pieces
from torpor.footprint.measure import part_of

GRAPH = """\
node: { title: "main" label: "main\\nmain.c:1:1\\n100 bytes (static)" }
node: { title: "infer_invoke" label: "infer_invoke\\nengine.cc:1:1\\n40 bytes (static)" }
edge: { sourcename: "main" targetname: "infer_invoke" label: "main.c:2:2" }
edge: { sourcename: "infer_invoke" targetname: "_ZN6tflite16MicroInterpreter6InvokeEv" }
"""


def arena_file(folder: Path, stack: int) -> Path:
    file = folder / "arena.json"
    content = {"tensor_arena": 16, "stack": stack, "board": "mps2_an386", "host": 32}
    file.write_text(json.dumps(content))
    return file


# ---- the stack


@pytest.mark.parametrize(("used", "counted"), [(1000, 1256), (1024, 1280), (8, 16), (1, 8)])
def test_a_quarter_more_than_was_measured_is_counted(
    used: int, counted: int, tmp_path: Path
) -> None:
    assert engine_stack(arena_file(tmp_path, used)) == EngineStack(counted, "measured")


def test_what_nobody_has_measured_is_assumed(tmp_path: Path) -> None:
    assumed = EngineStack(ASSUMED_BYTES, "assumed")
    assert engine_stack() == assumed
    assert engine_stack(arena_file(tmp_path, 0)) == assumed  # a process


def test_nobody_looks_into_what_was_measured() -> None:
    graph = CallGraph()
    graph.add(GRAPH)
    linked = ["main", "infer_invoke"]
    with pytest.raises(BudgetError, match="nothing is known of _ZN6tflite"):
        StackAnalysis(graph, linked, {}, {}).deepest("main")
    path = StackAnalysis(graph, linked, {}, {}, measured={"infer_invoke": 700}).deepest("main")
    assert (path.bytes, path.functions) == (800, ("main", "infer_invoke"))


@pytest.mark.parametrize("basis", ["measured", "assumed"])
def test_the_summary_says_where_the_stack_is_from(basis: str) -> None:
    it = dataclasses.replace(FITS, engine_stack_bytes=1504, engine_stack_basis=basis)
    assert summary(it, load_board("mps2_an386")).endswith(f"  (TFLM 1504 {basis})")
    assert "TFLM" not in summary(FITS, load_board("mps2_an386"))


# ---- whose bytes


@pytest.mark.parametrize(
    ("obj", "part"),
    [
        ("/home/me/tflm/gen/x/lib/libtensorflow-microlite.a(conv.o)", "tflm"),
        ("/home/me/my own name.a(conv.o)", "tflm"),
        ("build/b/m-int8-tflm/obj/infer/tflm/engine.o", "tflm"),
        ("build/b/m-int8-tflm/image/obj/infer/tflm/resolver.o", "tflm"),
        ("build/b/obj/infer/tflm/check.o", "tflm"),
        ("build/b/obj/infer/plan/header.o", "infer"),
        ("build/b/m-int8-tflm/obj/model.o", "arena"),
        ("/usr/lib/picolibc/arm/libc.a(memcpy.o)", "libc"),
        ("/usr/lib/gcc/arm/libgcc.a(_divdi3.o)", "libc"),
        ("/usr/lib/picolibc/arm/libm.a(expf.o)", "libc"),
    ],
)
def test_the_archive_and_its_adapter_are_a_part_of_their_own(obj: str, part: str) -> None:
    assert part_of(obj) == part


MAP = """\
Archive member included to satisfy reference by file (symbol)

/t/libtensorflow-microlite.a(interpreter.o)
                              build/b/v/obj/infer/tflm/engine.o (invoke)
/t/libtensorflow-microlite.a(conv.o)
                              build/b/v/obj/infer/tflm/resolver.o (conv)
/usr/lib/libm.a(expf.o)       /t/libtensorflow-microlite.a(conv.o) (expf)

Linker script and memory map

LOAD build/b/v/obj/plan.o

.text           0x00000000      0x100
 .text.invoke   0x00000000       0x10 /t/libtensorflow-microlite.a(interpreter.o)
 .text.conv     0x00000010       0x20 /t/libtensorflow-microlite.a(conv.o)
 .text.expf     0x00000030       0x30 /usr/lib/libm.a(expf.o)
 .text.init     0x00000060       0x08 build/b/v/obj/infer/tflm/engine.o
 .text.main     0x00000068       0x40 build/b/obj/app/main.o
"""


def test_what_the_archive_needs_counts_as_inference() -> None:
    assert sum(piece.size for piece in engine_pieces(MAP)) == 0x10 + 0x20 + 0x30 + 0x08


def test_an_inference_takes_the_stack_that_the_build_has_counted(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    elf = linked(folder, "void _start(void) {}", MAP.replace("build/b/v/obj", str(folder)))
    (folder / "plan.ci").write_text(GRAPH.replace('"main"', '"infer_check"'))
    report = {"engine_stack_bytes": 1504, "engine_stack_basis": "measured"}
    (folder / "footprint.json").write_text(json.dumps(report))
    assert measure_inference(elf, stack=True).stack == 100 + 1504


# ---- a heap, and constructors


def linked(folder: Path, source: str, map_text: str = "") -> Path:
    """Link a program for this computer that nobody starts."""
    (folder / "a.c").write_text(source)
    command = ["gcc", "-O1", "-nostdlib", "-static", "-fno-builtin", "a.c", "-o", "a.elf"]
    subprocess.run(command, cwd=folder, check=True)
    (folder / "a.map").write_text(map_text)
    return folder / "a.elf"


def test_a_program_without_a_heap_is_let_pass(tmp_path: Path) -> None:
    check_no_heap(linked(tmp_path, "void _start(void) {}"))


@pytest.mark.parametrize("name", ["malloc", "_sbrk", "_Znwj"])
def test_a_heap_is_refused_by_the_name_of_its_function(name: str, tmp_path: Path) -> None:
    elf = linked(tmp_path, f"void *{name}(int n) {{ return 0; }} void _start(void) {{}}")
    with pytest.raises(TorporError, match=f"{name} is linked in: there is no heap"):
        check_no_heap(elf)


def test_the_message_says_who_asked_for_the_heap(tmp_path: Path) -> None:
    asked = "Archive member included\n\n/c/libc.a(malloc.o)  /t/libx.a(rfft.o) (malloc)\n"
    source = "void *malloc(int n) { return 0; } void _start(void) {}"
    with pytest.raises(TorporError, match=r"for libx\.a\(rfft\.o\)"):
        check_no_heap(linked(tmp_path, source, asked))


def test_a_constructor_before_main_is_refused(tmp_path: Path) -> None:
    early = "int seen; __attribute__((constructor)) static void early(void) { seen = 1; }"
    source = f"{early} void _start(void) {{}}"
    with pytest.raises(TorporError, match=r"before main\(\) \(\.init_array\)"):
        check_no_heap(linked(tmp_path, source))
