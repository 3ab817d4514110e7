# SPDX-License-Identifier: Apache-2.0
"""Measure accuracy on all held-out windows with the device's own C.

Beside it stand the float model and the quantized one in TensorFlow Lite Micro, whose output bytes
must be the same. Exits 1 below the model's accuracy floor, or if any output byte differs.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from torpor.compile import compile_model
from torpor.engine import Engine
from torpor.errors import UsageError
from torpor.golden import Golden
from torpor.model import Model, find_model
from torpor.model.score import accuracy, confusion, outputs_of
from torpor.quantize import BITS, quantize


@dataclass(frozen=True)
class Result:
    """One bit width on all held-out windows.

    Attributes:
        accuracy: share of windows that the device's C code recognises.
        golden_accuracy: the same for TensorFlow Lite Micro.
        byte_equal: windows whose output bytes are the same in both.
        confusion: rows are truth, columns what the device's C code says.
    """

    bits: int
    accuracy: float
    golden_accuracy: float
    byte_equal: int
    model_bytes: int
    plan_bytes: int
    confusion: list[list[int]]


def _bits(text: str) -> list[int]:
    known = {str(bits): bits for bits in BITS}
    parts = text.split(",")
    if set(parts) - set(known):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of 8 and 4, such as 8,4")
    return [known[part] for part in dict.fromkeys(parts)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor evaluate`."""
    parser.add_argument("model", metavar="MODEL", help="name or folder of a model")
    parser.add_argument(
        "--bits", type=_bits, default=list(BITS), metavar="8,4", help="widths (default: 8,4)"
    )
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: argparse.Namespace) -> int:
    """Measure, print; 1 below the floor or on a difference."""
    if args.model.endswith(".tflite"):
        raise UsageError(
            "evaluate needs a model with held-out data", "name a model of `torpor models`"
        )
    model = find_model(args.model)
    x, truth = model.windows("test")
    classes = len(model.labels)
    floats = confusion(truth, outputs_of(Golden(model.float_tflite), x), classes)
    results = [_measure(model, bits, x, truth) for bits in args.bits]
    facts = {
        "model": model.name,
        "windows": len(truth),
        "labels": list(model.labels),
        "float_accuracy": accuracy(floats),
        "floor": model.accuracy_floor,
        "passed": all(_passed(r, len(truth), model.accuracy_floor) for r in results),
        "results": [asdict(result) for result in results],
    }
    if args.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_facts(facts, results)
    return 0 if facts["passed"] else 1


def _measure(model: Model, bits: int, x: NDArray[np.float32], truth: NDArray[np.int64]) -> Result:
    content = quantize(model.float_tflite, bits, model.ranges)
    plan = compile_model(content, name=model.name, labels=model.labels).plan
    expected, found = outputs_of(Golden(content), x), outputs_of(Engine(plan), x)
    matrix = confusion(truth, found, len(model.labels))
    return Result(
        bits=bits,
        accuracy=accuracy(matrix),
        golden_accuracy=accuracy(confusion(truth, expected, len(model.labels))),
        byte_equal=int((expected == found).all(axis=1).sum()),
        model_bytes=len(content),
        plan_bytes=len(plan),
        confusion=matrix.tolist(),
    )


def _passed(result: Result, windows: int, floor: float) -> bool:
    return result.accuracy >= floor and result.byte_equal == windows


def _print_facts(facts: dict[str, Any], results: list[Result]) -> None:
    for result in results:
        _print_confusion(facts["labels"], result)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("weights", "device C", "tflite_micro", "bytes equal", "model", "plan"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("float", "", _percent(facts["float_accuracy"]), "", "", "")
    for r in results:
        shares = (_percent(r.accuracy), _percent(r.golden_accuracy))
        equal = f"{r.byte_equal} of {facts['windows']}"
        table.add_row(f"int{r.bits}", *shares, equal, str(r.model_bytes), str(r.plan_bytes))
    Console().print(table)
    verdict = "passed" if facts["passed"] else "FAILED"
    print(f"{facts['model']}: {verdict}, the floor is {_percent(facts['floor'])}")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _print_confusion(labels: list[str], result: Result) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"int{result.bits}: what it took for")
    table.add_column("truth", no_wrap=True)
    for label in labels:
        table.add_column(label, justify="right", no_wrap=True)
    for label, row in zip(labels, result.confusion, strict=True):
        table.add_row(label, *(str(n) if n else "." for n in row))
    Console().print(table)
