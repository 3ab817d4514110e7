# SPDX-License-Identifier: Apache-2.0
"""Find the first operator whose bytes differ from tflite_micro.

Runs a quantized model operator by operator beside TensorFlow Lite Micro, names the first operator
that writes other bytes, shows a few of them, and writes the smallest model that does so too, with
its inputs, into a folder.

Exits 0 if all bytes are equal, 1 if a difference was found, 5 if the model is not supported.
"""

import argparse
import contextlib
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from torpor.board import board_names, load_board
from torpor.cli import read_model, whole_number
from torpor.cli._engine import add_engine_argument
from torpor.emulate import firmware
from torpor.errors import UsageError, unknown_name
from torpor.golden import Golden, TensorInfo
from torpor.paths import BUILD, ROOT, TORPOR
from torpor.verify import HOST
from torpor.verify.bisect import (
    Array,
    Finding,
    Open,
    Reproduction,
    Runner,
    first_difference,
    first_difference_of,
    on_this_computer,
    reproduce,
)
from torpor.verify.board import BoardRunner
from torpor.verify.stimuli import stimuli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor bisect`."""
    parser.add_argument("model", metavar="MODEL.tflite", type=Path)
    parser.add_argument("--board", default=HOST, help="an emulated board (default: this machine)")
    add_engine_argument(parser)
    parser.add_argument(
        "--inputs",
        type=whole_number(1),
        default=20,
        metavar="N",
        help="random, extreme and sparse inputs to try (default: 20)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=1, help="of the random inputs (default: 1)"
    )
    parser.add_argument(
        "--input",
        type=Path,
        action="append",
        metavar="FILE",
        help="raw bytes of an input, once for each input of the model, instead of random ones; "
        "several invocations follow each other in the file",
    )
    parser.add_argument(
        "--out", type=Path, help="folder for the smallest model (default: build/bisect/MODEL)"
    )
    parser.add_argument("--json", action="store_true", help="print an object")


def run(args: argparse.Namespace) -> int:
    """Look for the first difference; return 1 if there is one."""
    if args.board not in (HOST, *board_names()):
        raise unknown_name("board", args.board, [HOST, *board_names()])
    if args.engine != TORPOR:
        raise UsageError(
            f"a firmware with engine {args.engine} does not show what its operators write",
            "to compare what the model writes: torpor verify --engine tflm --board BOARD",
        )
    tflite, out = read_model(args.model), args.out or BUILD / "bisect" / args.model.stem
    infos = Golden(tflite).inputs
    if args.input:
        invocations = _read_inputs(args.input, infos)
    else:
        invocations = [case.inputs for case in stimuli(infos, args.inputs, args.seed)]
    if args.board == HOST:
        opens: Open = on_this_computer
        finding = first_difference(tflite, invocations)
    else:
        load_board(args.board)
        opens = _opener(args.board, out)
        finding = first_difference_of(tflite, invocations, opens)
    if finding is None:
        print(json.dumps(None) if args.json else f"{args.model.name}: every byte equal")
        return 0
    found = reproduce(tflite, finding, invocations, opens)
    command = _write(found, out, args.board)
    if args.json:
        print(json.dumps(_as_json(args.model, args.board, finding, found, command), indent=2))
    else:
        print(_as_text(args.model, finding, found, command))
    return 1


def _opener(board: str, folder: Path) -> Open:
    @contextlib.contextmanager
    def opens(tflite: bytes) -> Iterator[Runner]:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "tried.tflite"
        path.write_bytes(tflite)
        made = firmware.build(board, path, quiet=True)
        with BoardRunner(board, made, Golden(tflite).outputs) as runner:
            yield runner

    return opens


def _read_inputs(paths: Sequence[Path], infos: Sequence[TensorInfo]) -> list[list[Array]]:
    """Return the inputs of each invocation from one file an input."""
    if len(paths) != len(infos):
        raise UsageError(
            f"{len(paths)} input files given, the model has {len(infos)} inputs",
            "give --input once for each, in the model's order",
        )
    columns = [_column(path, info) for path, info in zip(paths, infos, strict=True)]
    if len({len(column) for column in columns}) != 1:
        raise UsageError("the input files have different numbers of invocations")
    return [list(row) for row in zip(*columns, strict=True)]


def _column(path: Path, info: TensorInfo) -> list[Array]:
    data = read_model(path)
    size = int(np.prod(info.shape)) * info.dtype.itemsize
    if not data or len(data) % size:
        raise UsageError(
            f"{path} has {len(data)} bytes, input '{info.name}' takes {size} an invocation"
        )
    return list(np.frombuffer(data, info.dtype).reshape(-1, *info.shape))


def _write(found: Reproduction, folder: Path, board: str) -> str:
    """Write the model and its inputs; return the command that shows the difference again."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "smallest.tflite"
    model.write_bytes(found.cut.tflite)
    command = ["torpor", "bisect", _shown(model)]
    for number, column in enumerate(zip(*found.invocations, strict=True)):
        path = folder / f"input-{number}.bin"
        path.write_bytes(b"".join(x.tobytes() for x in column))
        command += ["--input", _shown(path)]
    return shlex.join([*command, *(["--board", board] if board != HOST else [])])


def _shown(path: Path) -> str:
    """Return the path as one would type it in the repository."""
    whole = path.resolve()
    return str(whole.relative_to(ROOT) if whole.is_relative_to(ROOT) else whole)


def _as_json(
    model: Path, board: str, finding: Finding, found: Reproduction, command: str
) -> dict[str, Any]:
    smallest = {"operators": found.cut.operators, "invocations": len(found.invocations)}
    return {
        "model": str(model),
        "board": board,
        **asdict(finding),
        "smallest": smallest,
        "command": command,
    }


def _as_text(model: Path, finding: Finding, found: Reproduction, command: str) -> str:
    names = [f"{op.index} ({op.name})" for op in finding.operators]
    fused = f", one step with {', '.join(names[:-1])}" if len(names) > 1 else ""
    where = f"operator {names[-1]}{fused}" if names else "no operator alone"
    verb = "it overwrites" if finding.overwrites else "it writes"
    size = int(np.prod(finding.shape))
    alone = len(found.cut.operators) == len(finding.operators)
    count = len(found.cut.operators)
    lines = [
        f"{model.name}: the first difference is in {where}",
        f"{verb} tensor {finding.tensor} '{finding.name}', {finding.dtype} "
        f"{list(finding.shape)}: {finding.differing} of {size} elements differ, "
        f"with input {finding.invocation}",
        "",
        f"{'index':>20}  {'theirs':>8}  {'ours':>8}",
        *(
            f"{', '.join(map(str, e.index)):>20}  {e.theirs:>8}  {e.ours:>8}"
            for e in finding.elements
        ),
        "",
        f"smallest model that differs: {count} operator{'s' * (count > 1)}"
        + (", alone" if alone else ""),
        f"again: {command}",
    ]
    return "\n".join(lines)
