# SPDX-License-Identifier: Apache-2.0
"""Measure what inference costs on emulated boards.

Builds a firmware with each model for each board, runs it in the emulator, compares its outputs with
TensorFlow Lite Micro, and prints instructions, bytes loaded and stored, flash, RAM and stack.
docs/BENCH.md defines every number. Instructions are no cycles: how long a chip takes is not known.

With --engine tflm,torpor both engines are measured, one beside the other; what the later ones cost
is also shown as a part of what the first one does.

A MODEL is a quantized FILE.tflite, a model of models/ ("motion", or "motion-int4" for one width),
a reference model (torpor models --reference), or "reference" for all of those.

Exits 1 if output bytes differ or, with --against, something grew beyond the threshold; else 5 if a
model is not supported or does not fit a board; else 0.
"""

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torpor.bench import Measurement, Subject, against, measure, why_not_exact
from torpor.board import Board, board_names, load_board
from torpor.cli import read_model, whole_number
from torpor.cli._beside import BYTES, WORK, Column, Pair, groups, pairs
from torpor.cli._engine import add_engines_argument, found_tflm, shown
from torpor.cli._progress import progress
from torpor.errors import BudgetError, TorporError, UnsupportedError, UsageError, unknown_name
from torpor.model import load_model, model_names
from torpor.model.reference import QUANTIZED, reference_models
from torpor.paths import TFLM

ALL = "all"
REFERENCE = "reference"
DEFAULT_BOARD = "mps2_an386"
MEMORY = "memory, bytes"


@dataclass(frozen=True)
class Refusal:
    """What could not be measured, and why."""

    model: str
    board: str
    engine: str
    reason: str


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no percentage from 0 on")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor bench`."""
    parser.add_argument("models", metavar="MODEL", nargs="+", help="see above")
    parser.add_argument(
        "--board",
        action="append",
        metavar="BOARD",
        help=f"emulated board, may be repeated; '{ALL}': those of QEMU; default: {DEFAULT_BOARD}",
    )
    add_engines_argument(parser)
    parser.add_argument(
        "--inputs",
        type=whole_number(1),
        default=5,
        metavar="N",
        help="inputs compared; default: %(default)s",
    )
    parser.add_argument("--by-op", action="store_true", help="also operator by operator")
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    parser.add_argument(
        "--against", type=Path, metavar="OLD.json", help="what --json once printed: fail if it grew"
    )
    parser.add_argument(
        "--threshold",
        type=_percent,
        default=1.0,
        metavar="PERCENT",
        help="growth that --against lets pass; default: %(default)g",
    )


def run(args: argparse.Namespace) -> int:
    """Measure each pair, print, compare; return the exit code."""
    old = against.read(args.against) if args.against else []
    boards = _boards(args.board or [DEFAULT_BOARD])
    unfit = _unfit(boards) if TFLM in args.engine else {}
    subjects = _subjects(args.models)
    works = itertools.product(subjects, boards, args.engine)
    rows, refused = _measure_all(list(works), unfit, args.inputs)
    _print(rows, args)
    _tell(
        [
            *_notes(rows, boards, args.by_op),
            *(f"{_place(r)}: {r.reason}" for r in refused),
        ]
    )
    worse: tuple[str, ...] = ()
    if args.against:
        found = against.compare(old, [row.to_json() for row in rows], args.threshold)
        worse = found.worse
        _tell([*found.missing, *worse, _verdict(worse, args.threshold)])
    if worse or not all(row.byte_equal for row in rows):
        return 1
    return UnsupportedError.exit_code if refused else 0


def _verdict(worse: Sequence[str], threshold: float) -> str:
    return f"{len(worse) or 'nothing'} worse than before, beyond {threshold:g} %"


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def _place(row: Measurement | Refusal) -> str:
    return f"{row.model} on {row.board}{shown(row.engine)}"


def _notes(rows: Sequence[Measurement], boards: Sequence[Board], by_op: bool) -> Iterator[str]:
    for row in rows:
        if row.difference:
            yield f"{_place(row)}: {row.difference}"
        if by_op and row.init_insn is not None and not row.ops:
            yield f"{_place(row)}: operators cannot be told apart"
    for reason in dict.fromkeys(why_not_exact(board) for board in boards):
        if reason:
            yield f"{reason}; what is not known is shown as -"


# ---- what is asked for


def _boards(names: Sequence[str]) -> list[Board]:
    """Return the boards; "all" are those whose emulator counts instructions."""
    found: dict[str, Board] = {}
    for name in names:
        for known in _counting_boards() if name == ALL else [load_board(name)]:
            if known.emulator is None:
                hint = "torpor boards lists those with"
                raise UsageError(f"board '{known.name}' has no emulator", hint)
            found[known.name] = known
    return list(found.values())


def _counting_boards() -> list[Board]:
    boards = [load_board(name) for name in board_names()]
    return [b for b in boards if b.emulator and b.emulator.kind == "qemu"]


def _subjects(words: Sequence[str]) -> list[Subject]:
    found: dict[str, Subject] = {}
    for subject in (s for word in words for s in _meant(word)):
        if found.setdefault(subject.name, subject) != subject:
            raise UsageError(
                f"two models are called '{subject.name}'", "measure them one after the other"
            )
    return list(found.values())


def _meant(word: str) -> list[Subject]:
    """Return the models that a word of the command line means."""
    if word.endswith(".tflite"):
        read_model(Path(word))  # says so if it cannot
        return [Subject.of_file(Path(word).resolve())]
    ours = {
        f"{n}-int{bits}": Subject(f"{n}-int{bits}", n, bits)
        for n in model_names()
        for bits in load_model(n).widths
    }
    if word in ours:
        return [ours[word]]
    if word in model_names():
        return [subject for subject in ours.values() if subject.model == word]
    if word != REFERENCE and word not in QUANTIZED:
        raise unknown_name("model", word, [*model_names(), *ours, REFERENCE, *QUANTIZED])
    names = tuple(QUANTIZED) if word == REFERENCE else (word,)
    return [Subject.of_file(path) for path in reference_models(names)]


def _unfit(boards: Sequence[Board]) -> dict[str, str]:
    """Return the boards that the TensorFlow Lite Micro which is here does not fit, and why.

    Raises:
        TorporError: it fits none of them.
    """
    found: dict[str, TorporError] = {}
    for board in boards:
        try:
            tflm = found_tflm(board)
        except TorporError as error:
            found[board.name] = error
        else:
            _tell([f"{TFLM} on {board.name}: {tflm.archive.path}, {tflm.archive}, {tflm.version}"])
    if len(found) == len(boards):
        raise found[boards[0].name]
    return {name: error.message for name, error in found.items()}


def _measure_all(
    works: Sequence[tuple[Subject, Board, str]], unfit: dict[str, str], inputs: int
) -> tuple[list[Measurement], list[Refusal]]:
    """Measure each model on each board with each engine.

    Args:
        works: these.
        unfit: boards that cannot have TensorFlow Lite Micro, and why.
        inputs: how many are compared.
    """
    rows, refused = [], []
    with progress(len(works), "measurements") as show:
        for count, (subject, board, engine) in enumerate(works, 1):
            try:
                _refuse_unfit(engine, unfit.get(board.name, ""))
                rows.append(measure(subject, board, inputs, engine))
            except (UnsupportedError, BudgetError) as error:
                refused.append(Refusal(subject.name, board.name, engine, error.message))
            show(count)
    return rows, refused


def _refuse_unfit(engine: str, why: str) -> None:
    if engine == TFLM and why:
        raise UnsupportedError(why)


# ---- what is printed


def _print(rows: Sequence[Measurement], args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps([row.to_json(by_op=args.by_op) for row in rows], indent=2))
        return
    if not rows:
        return
    console = Console()
    for table in _tables(rows, args.engine):
        console.print(table)
    for row in rows:
        if args.by_op and row.ops:
            console.print(_op_table(row))


def _tables(rows: Sequence[Measurement], engines: Sequence[str]) -> list[Table]:
    if len(engines) > 1:
        return [_beside("an inference", WORK, rows, engines), _beside(MEMORY, BYTES, rows, engines)]
    return [_work_table(rows), _bytes_table(rows)]


def number(value: float | None, digits: int = 0) -> str:
    """Return a number as tables show it: "1,234", "0.56", or "-" where it is not known."""
    return "-" if value is None else f"{value:,.{digits}f}"


def _table(heading: str, numbers: Sequence[str], title: str | None = None) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(heading, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add_rows(
    table: Table, rows: Sequence[Measurement], cells: Callable[[Measurement], Sequence[str]]
) -> None:
    """Add the name of each model and below it a row for each of its boards."""
    for name in dict.fromkeys(row.model for row in rows):
        table.add_row(f"[bold]{escape(name)}[/]")
        for row in rows:
            if row.model == name:
                table.add_row(f"  {row.board}", *cells(row))


def _equal(row: Measurement) -> str:
    return "[green]yes[/]" if row.byte_equal else "[bold red]NO[/]"


def _beside(
    heading: str, columns: Sequence[Column], rows: Sequence[Measurement], engines: Sequence[str]
) -> Table:
    """Return the model, below it its boards, below each the engines, and their ratios."""
    is_work = columns is WORK
    names = [column.name for column in columns]
    table = _table(heading, [*names, *(["equal"] if is_work else [])])
    before = ""
    for group in groups(rows):
        if group[0].model != before:
            before = group[0].model
            table.add_row(f"[bold]{escape(before)}[/]")
        table.add_row(f"  {group[0].board}")
        for row in group:
            numbers = (number(column.value(row), column.digits) for column in columns)
            table.add_row(f"    {row.engine}", *numbers, *([_equal(row)] if is_work else []))
        for pair in pairs(group, engines[0]):
            table.add_row(f"    {pair.name}", *_ratios(pair, columns), style="italic")
    return table


def _ratios(pair: Pair, columns: Iterable[Column]) -> list[str]:
    return [number(pair.ratio(column), 2) for column in columns]


def _work_table(rows: Sequence[Measurement]) -> Table:
    def cells(row: Measurement) -> Sequence[str]:
        traffic = number(row.loaded_bytes), number(row.stored_bytes)
        return number(row.insn), number(row.insn_per_mac, 2), *traffic, _equal(row)

    headings = ("instructions", "a MAC", "loaded", "stored", "equal")
    table = _table("an inference", headings)
    _add_rows(table, rows, cells)
    return table


def _bytes_table(rows: Sequence[Measurement]) -> Table:
    def cells(row: Measurement) -> Sequence[str]:
        flash = number(row.code_bytes), number(row.rodata_bytes), number(row.model_bytes)
        return *flash, number(row.ram_bytes), number(row.stack_bytes), number(row.init_insn)

    headings = ("code", "constants", "model", "RAM", "stack", "at start")
    table = _table(MEMORY, headings)
    _add_rows(table, rows, cells)
    return table


def _op_table(row: Measurement) -> Table:
    headings = ("MACs", "instructions", "share", "a MAC", "bytes moved")
    table = _table("operator", headings, title=f"{row.model} on {row.board}")
    for op in row.ops:
        each = number(op.insn / op.macs, 2) if op.macs else "-"
        share = f"{op.insn / (row.insn or 1):.1%}"
        moved = number(op.loaded_bytes + op.stored_bytes)
        kernel = f"{op.step:>2} {op.kernel}"
        table.add_row(kernel, number(op.macs or None), number(op.insn), share, each, moved)
    return table
