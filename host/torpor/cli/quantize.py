# SPDX-License-Identifier: Apache-2.0
"""Turn a float model into int8, or int8 with int4 weights.

MODEL is a model of models/ (by name or folder; its calibration ranges are used), or a float
.tflite with --calibration. Every tensor of the result is checked. For a model of models/ the
accuracy on its held-out windows is shown beside float, all computed by TensorFlow Lite Micro.
"""

import argparse
import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from torpor.cli import read_model
from torpor.errors import MissingToolError, ModelError, TorporError, UsageError
from torpor.golden import Golden
from torpor.graph import Graph, read_tflite
from torpor.model import Model, find_model
from torpor.model.score import accuracy, confusion, outputs_of
from torpor.quantize import BITS, Ranges, check_quantized, measure_ranges, quantize, samples_of


@dataclass(frozen=True)
class Source:
    """A float model and what calibration saw."""

    name: str
    content: bytes
    ranges: Ranges
    model: Model | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor quantize`."""
    parser.add_argument("model", metavar="MODEL", help="name, folder, or float .tflite")
    parser.add_argument("--bits", type=int, choices=BITS, default=8, help="bits of the weights")
    parser.add_argument("-o", dest="out", metavar="OUT.tflite", type=Path, help="file to write")
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        type=Path,
        help="typical inputs for a .tflite: .npy [samples, ...] or .npz with one array an input",
    )
    parser.add_argument(
        "--no-accuracy",
        action="store_true",
        help="do not run the held-out windows (no data needed)",
    )
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: argparse.Namespace) -> int:
    """Quantize, check, write, measure, print."""
    source = _source(args.model, args.calibration)
    content = quantize(source.content, args.bits, source.ranges)
    graph = check_quantized(content, args.bits)
    if args.out:
        _write(args.out, content)
    measured = None if args.no_accuracy else _accuracies(source)
    facts = {
        "model": source.name,
        "bits": args.bits,
        "float_bytes": len(source.content),
        "bytes": len(content),
        "output": str(args.out) if args.out else None,
        "tensors": _tensors(graph),
        "accuracy": measured,
    }
    if args.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_facts(facts)
    return 0


def _source(text: str, calibration: Path | None) -> Source:
    path = Path(text)
    if path.suffix != ".tflite":
        if calibration:
            raise UsageError(
                f"'{text}' brings its own calibration", "leave --calibration out, or name a .tflite"
            )
        model = find_model(text)
        return Source(model.name, model.float_tflite, model.ranges, model)
    if calibration is None:
        raise UsageError(f"'{text}' needs typical inputs", "add --calibration FILE.npy or .npz")
    content = read_model(path)
    graph = read_tflite(content)
    samples = _samples(calibration, [graph.tensors[t].name for t in graph.inputs])
    return Source(path.stem, content, measure_ranges(content, samples))


def _samples(path: Path, names: list[str]) -> list[list[NDArray[Any]]]:
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {names[0]: loaded}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot read calibration {path}: {error}") from None
    return samples_of(arrays, names)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise TorporError(f"cannot write {path}: {error.strerror}") from None


def _accuracies(source: Source) -> dict[str, Any] | None:
    if source.model is None:
        return None
    try:
        x, truth = source.model.windows("test")
    except MissingToolError as error:  # the quantized model is good without
        print(f"accuracy not measured: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return None
    found: dict[str, Any] = {"windows": len(truth)}
    for name, content in {
        "float": source.content,
        **{f"int{bits}": quantize(source.content, bits, source.ranges) for bits in BITS},
    }.items():
        codes = outputs_of(Golden(content), x)
        found[name] = accuracy(confusion(truth, codes, len(source.model.labels)))
    return found


def _tensors(graph: Graph) -> list[dict[str, Any]]:
    return [
        {
            "name": tensor.name,
            "type": tensor.dtype,
            "shape": list(tensor.shape),
            "scales": len(tensor.scales),
            "bytes": tensor.bytes,
            "constant": tensor.data is not None,
        }
        for tensor in graph.tensors
    ]


def _print_facts(facts: dict[str, Any]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("tensor", overflow="fold")
    for heading in ("type", "shape", "scales", "bytes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for tensor in sorted(facts["tensors"], key=lambda t: not t["constant"]):
        shape = "x".join(map(str, tensor["shape"]))
        numbers = (str(tensor["scales"]), str(tensor["bytes"]))
        table.add_row(tensor["name"], tensor["type"], shape, *numbers)
    Console().print(table)
    print(f"{facts['model']}: float {facts['float_bytes']} bytes -> {facts['bytes']} bytes")
    if facts["accuracy"]:
        windows = facts["accuracy"]["windows"]
        shares = [f"{k} {100 * v:.2f} %" for k, v in facts["accuracy"].items() if k != "windows"]
        print(f"accuracy on {windows} held-out windows: {', '.join(shares)}")
    if facts["output"]:
        print(f"written to {facts['output']}", file=sys.stderr)
