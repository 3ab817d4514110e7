# SPDX-License-Identifier: Apache-2.0
"""Writes docs/PERFORMANCE.md: what the reference models and `motion` cost on every QEMU board.

`python tools/performance.py` builds and runs every pair (some minutes). Everything in the page is
measured by it; docs/BENCH.md says what the columns are.

With the environment variable TFLM_DIR it measures TensorFlow Lite Micro, too: on each board with
each archive of that tree that was built for the board's very architecture. Without it the section
about that stays as it was.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torpor
from torpor.bench import Measurement, Subject, measure
from torpor.board import Board, board_names, load_board
from torpor.cli._beside import Column, Pair, flash_bytes
from torpor.cli.bench import number
from torpor.errors import BudgetError, TorporError, UnsupportedError
from torpor.model.reference import ABOUT, MLPERF_TINY, WHEEL, reference_models
from torpor.paths import ROOT, TFLM
from torpor.tflm.cpu import cpu_of_core
from torpor.tflm.tree import Tflm, archives, find, tree

PAGE = ROOT / "docs" / "PERFORMANCE.md"
MODELS = (*MLPERF_TINY, "tflite_micro_speech", "tflite_micro_magic_wand")
"""The reference models of the page."""

OWN = (Subject("motion-int8", "motion", 8), Subject("motion-int4", "motion", 4))
DETAIL = ("mps2_an386", 0.005)  # the board of the tables by operator, and the share to be named
INPUTS = 5
HEAD = """\
# Performance

What inference costs on the emulated boards. Written by `python tools/performance.py`; do not edit.
[BENCH.md](BENCH.md) defines the columns.

These are instructions, not cycles or milliseconds: **how many cycles a chip needs is not known**,
because nothing here has been measured on silicon. Outputs were compared with TensorFlow Lite Micro
on {inputs} inputs.

"""
BESIDE = "Beside TensorFlow Lite Micro"
BESIDE_HEAD = f"""\
## {BESIDE}

The same models and inputs in the same firmware, with TensorFlow Lite Micro (`engine=tflm`) in place
of our engine. [BENCH.md](BENCH.md) says what counts. `torpor / ...` is what ours takes as a part of
what that does: 0.50 means half.

"""
KERNELS = {"reference": "reference kernels", "cmsis_nn": "CMSIS-NN"}
"""What an archive of TensorFlow Lite Micro computes with."""

USUAL = "default"  # BUILD_TYPE of its Makefile


@dataclass(frozen=True)
class Gap:
    """A pair without numbers, and why."""

    model: str
    board: str
    reason: str


def subjects() -> list[Subject]:
    """Return the models of the page."""
    return [*map(Subject.of_file, reference_models(MODELS)), *OWN]


def boards() -> list[Board]:
    """Return the boards of the page: those of QEMU."""
    every = [load_board(name) for name in board_names()]
    return [board for board in every if board.emulator and board.emulator.kind == "qemu"]


def collect(
    models: Iterable[Subject],
    on: Sequence[Board],
    measured: Callable[[Subject, Board, int], Measurement] = measure,
) -> tuple[list[Measurement], list[Gap]]:
    """Measure every pair; a pair that cannot be is a gap."""
    rows, gaps = [], []
    for subject in models:
        for board in on:
            print(f"{subject.name} on {board.name}", file=sys.stderr)
            try:
                rows.append(measured(subject, board, INPUTS))
            except (UnsupportedError, BudgetError) as error:
                gaps.append(Gap(subject.name, board.name, error.message))
    return rows, gaps


# ---- the page


def page(
    rows: Sequence[Measurement],
    gaps: Sequence[Gap],
    on: Sequence[Board],
    versions: dict[str, str],
    beside: str = "",
) -> str:
    """Return the text of the page; `beside` is its section about another engine."""
    detail = [row for row in rows if row.board == DETAIL[0] and row.ops]
    parts = [
        HEAD.format(inputs=INPUTS),
        _versions(versions),
        *(_board_section(board, [r for r in rows if r.board == board.name]) for board in on),
        "## Not measured\n\n" if gaps else "",
        *_gap_lines(gaps, [board.name for board in on]),
        beside,
        f"## Operator by operator on `{DETAIL[0]}`\n\n",
        f"Operators of the same kind together; those below {DETAIL[1]:.1%} are left out.\n\n",
        *map(_op_section, detail),
        _models_section(),
    ]
    return "".join(parts).rstrip() + "\n"


def table(texts: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, numbers to the right."""
    rules = ["---"] * len(texts) + ["---:"] * len(numbers)
    lines = [[*texts, *numbers], rules, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def _versions(versions: dict[str, str]) -> str:
    return table(["tool", "version"], [], [[k, v] for k, v in versions.items()])


def _board_section(board: Board, rows: Sequence[Measurement]) -> str:
    work = ["MACs", "instructions", "a MAC", "bytes loaded", "bytes stored", "outputs equal"]
    memory = ["code", "constants", "plan", "RAM", "stack", "instructions at start"]
    return (
        f"## `{board.name}`: {board.title}\n\n"
        + table(["model"], work, ([row.model, *_work(row)] for row in rows))
        + table(["model"], memory, ([row.model, *_memory(row)] for row in rows))
    )


def _work(row: Measurement) -> list[str]:
    traffic = [number(row.loaded_bytes), number(row.stored_bytes)]
    equal = "yes" if row.byte_equal else "**no**"
    return [number(row.macs), number(row.insn), number(row.insn_per_mac, 2), *traffic, equal]


def _memory(row: Measurement) -> list[str]:
    flash = [number(row.code_bytes), number(row.rodata_bytes), number(row.model_bytes)]
    return [*flash, number(row.ram_bytes), number(row.stack_bytes), number(row.init_insn)]


def _gap_lines(gaps: Sequence[Gap], on: Sequence[str]) -> list[str]:
    """Return a line for each reason; a model that no board takes is named once."""
    found: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        found.setdefault((gap.model, gap.reason), []).append(gap.board)
    lines = [
        f"- {model} on {'every board' if len(names) == len(on) else ', '.join(names)}: {reason}\n"
        for (model, reason), names in found.items()
    ]
    return [*lines, "\n"] if lines else []


def _op_section(row: Measurement) -> str:
    kinds: dict[str, list[int]] = {}
    for op in row.ops:
        sums = kinds.setdefault(op.kernel, [0] * 5)
        for i, value in enumerate((1, op.macs, op.insn, op.loaded_bytes, op.stored_bytes)):
            sums[i] += value
    total = sum(sums[2] for sums in kinds.values())
    big = [(k, s) for k, s in kinds.items() if s[2] >= DETAIL[1] * total]
    big.sort(key=lambda item: -item[1][2])
    cells = (
        [
            *(kernel, str(times), number(macs or None), number(insn), f"{insn / total:.1%}"),
            *(number(insn / macs if macs else None, 2), number(loaded), number(stored)),
        ]
        for kernel, (times, macs, insn, loaded, stored) in big
    )
    names = ["times", "MACs", "instructions", "share", "a MAC", "bytes loaded", "bytes stored"]
    return f"### {row.model}\n\n" + table(["kernel"], names, cells)


def _models_section() -> str:
    rows = [[name, ABOUT[name]] for name in MODELS]
    return (
        "## The models\n\n"
        + table(["model", "what it does"], [], rows)
        + f"From {WHEEL.name} {WHEEL.version} (`torpor models --reference`). "
        + "`motion` is this repository's own.\n"
    )


# ---- beside another engine


@dataclass(frozen=True)
class Beside:
    """One archive of TensorFlow Lite Micro on one board.

    Attributes:
        board: the board.
        tflm: what was linked.
        ours: our measurements on the board.
        theirs: the same models with it.
        gaps: models that it could not be measured with.
    """

    board: Board
    tflm: Tflm
    ours: tuple[Measurement, ...]
    theirs: tuple[Measurement, ...]
    gaps: tuple[Gap, ...]

    @property
    def kernels(self) -> str:
        """What it computes with, and how it was built if that is not as usual."""
        archive = self.tflm.archive
        usual = archive.build_type == USUAL
        return KERNELS[archive.kernels] + ("" if usual else f", BUILD_TYPE={archive.build_type}")


def measure_beside(
    models: Sequence[Subject], on: Sequence[Board], ours: Sequence[Measurement]
) -> Iterator[Beside]:
    """Measure the models with each archive in TFLM_DIR that was built for a board's architecture.

    One for an older architecture would run as well, but that is not what anybody would ship.
    """
    for board in on:
        for tflm in candidates(board):
            os.environ["TFLM_LIB"] = str(tflm.archive.path)
            print(f"{TFLM}: {tflm.archive.path}", file=sys.stderr)
            rows, gaps = collect(models, [board], _measure_tflm)
            mine = tuple(row for row in ours if row.board == board.name)
            yield Beside(board, tflm, mine, tuple(rows), tuple(gaps))


def candidates(board: Board) -> list[Tflm]:
    """Return what TFLM_DIR has for the architecture of a board."""
    folder, found = os.environ["TFLM_DIR"], []
    for path in archives(tree(folder)):
        try:
            found.append(find(folder, path, board.core))
        except TorporError:
            continue  # for another core
    wanted = cpu_of_core(board.core).architecture
    found = [tflm for tflm in found if tflm.archive.cpu.architecture == wanted]
    return sorted(found, key=_rank)


def _rank(tflm: Tflm) -> tuple[int, bool, str]:
    """TensorFlow Lite Micro's own kernels come first, built as usual."""
    archive = tflm.archive
    kernels = list(KERNELS).index(archive.kernels)
    return kernels, archive.build_type != USUAL, archive.build_type


def _measure_tflm(subject: Subject, board: Board, inputs: int) -> Measurement:
    return measure(subject, board, inputs, TFLM)


BESIDE_COLUMNS = (
    Column("instructions", lambda row: row.insn),
    Column("a MAC", lambda row: row.insn_per_mac, 2),
    Column("instructions at start", lambda row: row.init_insn),
    Column("flash", flash_bytes),
    Column("code", lambda row: row.code_bytes),
    Column("model", lambda row: row.model_bytes),
    Column("RAM", lambda row: row.ram_bytes),
    Column("stack", lambda row: row.stack_bytes),
)


def beside_section(found: Sequence[Beside], versions: dict[str, str]) -> str:
    """Return the section about TensorFlow Lite Micro; "" if there is none for any board."""
    if not found:
        return ""
    names = dict.fromkeys(one.board.name for one in found)
    parts = [_board_beside([one for one in found if one.board.name == name]) for name in names]
    return "".join([BESIDE_HEAD, _beside_versions(found, versions), *parts])


def _beside_versions(found: Sequence[Beside], versions: dict[str, str]) -> str:
    rows = [[f"TensorFlow Lite Micro, {one.tflm.version}", _built(one)] for one in found]
    mine = [[name, version] for name, version in versions.items()]
    return table(["what", "version"], [], [*mine, *rows])


def _built(one: Beside) -> str:
    archive = one.tflm.archive
    kernels = KERNELS[archive.kernels]
    return f"{kernels}, {archive.cpu}, BUILD_TYPE={archive.build_type}, {archive.compiler}"


def _board_beside(found: Sequence[Beside]) -> str:
    board = found[0].board
    names = [column.name for column in BESIDE_COLUMNS]
    rows = (line for row in found[0].ours for line in _model_beside(row, found))
    gaps = [
        f"- {gap.model} with {one.kernels}: {gap.reason}\n" for one in found for gap in one.gaps
    ]
    return (
        f"### {board.title}, `{board.name}`\n\n"
        + table(["model", "engine"], [*names, "outputs equal"], rows)
        + "".join([*gaps, "\n"] if gaps else [])
    )


def _model_beside(ours: Measurement, found: Sequence[Beside]) -> Iterator[list[str]]:
    """Yield the lines about one model: each archive, our engine, and what it takes of each."""
    pairs = [
        (one.kernels, Pair(row, ours))
        for one in found
        for row in one.theirs
        if row.model == ours.model
    ]
    if not pairs:
        return
    for kernels, pair in pairs:
        yield [ours.model, f"tflm, {kernels}", *_beside_cells(pair.base)]
    yield [ours.model, "torpor", *_beside_cells(ours)]
    for kernels, pair in pairs:
        ratios = (number(pair.ratio(column), 2) for column in BESIDE_COLUMNS)
        yield [ours.model, f"torpor / {kernels}", *ratios, ""]


def _beside_cells(row: Measurement) -> list[str]:
    numbers = [number(column.value(row), column.digits) for column in BESIDE_COLUMNS]
    return [*numbers, "yes" if row.byte_equal else "**no**"]


def old_section(text: str) -> str:
    """Return the section about TensorFlow Lite Micro of a page, as it is; "" if it has none."""
    found = re.search(rf"^## {BESIDE}\n.*?(?=^## |\Z)", text, re.M | re.S)
    return found[0] if found else ""


# ---- what it was made with


def tool_versions(on: Sequence[Board]) -> dict[str, str]:
    """Return the versions of torpor, of each compiler and of each emulator."""
    compilers = {f"{board.core.toolchain}-gcc" for board in on}
    emulators = {board.emulator.program for board in on if board.emulator}
    commit = _first_line(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    found = {"torpor": f"{torpor.__version__}, after commit {commit}"}
    for program in (*sorted(compilers), *sorted(emulators)):
        line = _first_line([program, "--version"])
        numbers = re.findall(r"\d+\.\d+\S*", line.replace(")", " "))
        found[program] = numbers[-1] if "gcc" in program else numbers[0]
    return found


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def main() -> int:
    """Measure, write the page; 1 if bytes differed anywhere."""
    on, models = boards(), subjects()
    rows, gaps = collect(models, on)
    versions = tool_versions(on)
    if os.environ.get("TFLM_DIR"):
        found = list(measure_beside(models, on, rows))
        beside = beside_section(found, versions)
    else:
        found = []
        beside = old_section(PAGE.read_text(encoding="utf-8"))
        print(f"TFLM_DIR is not set: '{BESIDE}' stays as it was", file=sys.stderr)
    PAGE.write_text(page(rows, gaps, on, versions, beside), encoding="utf-8")
    theirs = [row for one in found for row in one.theirs]
    return 0 if all(row.byte_equal for row in (*rows, *theirs)) else 1


if __name__ == "__main__":
    sys.exit(main())
