# SPDX-License-Identifier: Apache-2.0
"""Compile a quantized .tflite into a plan, a C array and a report.

Writes DIR/plan.bin, DIR/plan.c (torpor_plan, torpor_plan_length), DIR/kernels.txt (one operator
name a line) and DIR/report.json. With --engine tflm the plan holds the .tflite itself for firmware
with TensorFlow Lite Micro, and kernels.txt the registrations that it needs.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from torpor.cli import read_model
from torpor.cli._engine import add_engine_argument
from torpor.compile import Compiled, compile_model
from torpor.errors import ModelError, TorporError, UsageError
from torpor.graph import read_tflite
from torpor.paths import TFLM, TORPOR
from torpor.plan.writer import c_array
from torpor.stats.reference import Trained
from torpor.tflm.arena import Arena, given_arena, read_arena
from torpor.tflm.container import Contained, contain_model

SYMBOL = "torpor_plan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor compile`."""
    parser.add_argument("model", metavar="MODEL.tflite", type=Path, help="a quantized model")
    add_engine_argument(parser)
    parser.add_argument("--name", help="name inside the plan (default: the file's stem)")
    parser.add_argument("--labels", default="", help="names of the classes, separated by commas")
    parser.add_argument(
        "--keep-input", action="store_true", help="never overwrite the inputs; costs arena"
    )
    parser.add_argument("--target", help="kernels to pack weights for (default: portable)")
    _add_arena(parser)
    parser.add_argument(
        "--reference",
        metavar="FILE",
        type=Path,
        help="of the training data, from torpor reference: travels with the plan",
    )
    parser.add_argument("-o", dest="out", metavar="DIR", type=Path, help="folder for the files")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _add_arena(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--arena", metavar="BYTES", help="tflm: the tensor arena (default: measured here)"
    )
    group.add_argument(
        "--arena-file", metavar="FILE", type=Path, help="tflm: arena.json, which the build measures"
    )


def run(args: argparse.Namespace) -> int:
    """Compile, write the files, print the report."""
    content = read_model(args.model)
    known: dict[str, Any] = {
        "name": _unicode(args.name or args.model.stem),
        "labels": [_unicode(label.strip()) for label in args.labels.split(",") if label.strip()],
        "keep_input": args.keep_input,
        "extra": _reference(args.reference, content) if args.reference else b"",
    }
    _check_options(args)
    if args.engine == TFLM:
        compiled: Compiled | Contained = contain_model(content, arena=_arena(args), **known)
    else:
        compiled = compile_model(content, target=args.target or "portable", **known)
    if args.out:
        _write(args.out, compiled)
    report = compiled.report
    sys.stdout.write(report.to_json() if args.json else report.to_text())
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options of the other engine."""
    foreign = {TORPOR: ("arena", "arena_file"), TFLM: ("target",)}[args.engine]
    for name in foreign:
        if getattr(args, name) is not None:
            option = "--" + name.replace("_", "-")
            other = TORPOR if args.engine == TFLM else TFLM
            hint = f"leave it out, or say --engine {other}"
            raise UsageError(f"{option} is for --engine {other}", hint)


def _arena(args: argparse.Namespace) -> Arena | None:
    if args.arena is not None:
        return given_arena(args.arena)
    return read_arena(args.arena_file) if args.arena_file else None


def _reference(path: Path, content: bytes) -> bytes:
    """Return the bytes of a reference that belongs to the first input of a model."""
    trained = Trained.from_json(read_model(path).decode(errors="replace"), str(path))
    graph = read_tflite(content)
    first = graph.tensors[graph.inputs[0]]
    if first.dtype != "int8":
        raise ModelError(f"a reference is for inputs of int8, not {first.dtype}")
    return trained.encode_for(first.scale, first.zero_point)


def _unicode(text: str) -> str:
    """Return `text` with "?" for bytes of the command line that are no UTF-8."""
    return text.encode(errors="replace").decode()


def _write(folder: Path, compiled: Compiled | Contained) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.bin").write_bytes(compiled.plan)
        (folder / "plan.c").write_text(c_array(compiled.plan, SYMBOL), encoding="utf-8")
        kernels = "".join(f"{kernel}\n" for kernel in compiled.kernels)
        (folder / "kernels.txt").write_text(kernels, encoding="utf-8")
        (folder / "report.json").write_text(compiled.report.to_json(), encoding="utf-8")
    except OSError as error:
        raise TorporError(f"cannot write to {folder}: {error.strerror}") from error
