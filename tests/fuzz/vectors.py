# SPDX-License-Identifier: Apache-2.0
"""Cases as text: what has failed once is kept in tests/vectors/fuzz and run for ever.

A file is JSON: what went wrong, the model as a tree of the schema's tables, and the bytes of the
inputs of each invocation in hex. Members that have the schema's default are left out.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.fuzz.compare import Case
from tests.support.tflite_builder import TYPES

FOLDER = Path(__file__).parents[1] / "vectors" / "fuzz"
_TABLE = "table"
_WIDTH = 100


def to_text(case: Case, what: str) -> str:
    """Return a case as JSON; `what` says in a sentence what went wrong."""
    tree = {
        "what": what,
        "keep_input": case.keep_input,
        "invocations": [[x.tobytes().hex() for x in inputs] for inputs in case.invocations],
        "model": _plain(runtime.convert_bytearray_to_object(case.tflite)),
    }
    return _pretty(tree) + "\n"


def from_text(text: str) -> Case:
    """Return the case that `to_text` wrote."""
    tree = json.loads(text)
    model = _table(tree["model"])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    graph = model.subgraphs[0]
    inputs = [graph.tensors[t] for t in graph.inputs]
    invocations = [
        [_array(t, data) for t, data in zip(inputs, row, strict=True)]
        for row in tree["invocations"]
    ]
    return Case(bytes(builder.Output()), invocations, tree["keep_input"])


def _array(tensor: Any, data: str) -> Any:
    dtype = next(name for name, code in TYPES.items() if code == tensor.type)
    return np.frombuffer(bytes.fromhex(data), dtype).reshape(tensor.shape)


def _plain(value: Any) -> Any:
    """Return what JSON knows: tables become objects, bytes and codes become text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value.tobytes().hex()
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if not type(value).__name__.endswith("T"):
        return value
    default = vars(type(value)())
    members = {k: v for k, v in vars(value).items() if not _same(v, default[k])}
    return {_TABLE: type(value).__name__, **{k: _plain(v) for k, v in members.items()}}


def _same(value: Any, default: Any) -> bool:
    return value is None or (np.isscalar(value) and value == default)


def _table(tree: Any) -> Any:
    """Return the schema's object of what `_plain` made."""
    if isinstance(tree, list):
        return [_table(v) for v in tree]
    if not isinstance(tree, dict):
        return tree
    made = getattr(schema, tree[_TABLE])()
    for name, value in tree.items():
        if name == "data":
            made.data = list(bytes.fromhex(value))
        elif name != _TABLE:
            setattr(made, name, _table(value))
    return made


def _pretty(tree: Any, indent: str = "") -> str:
    """Return JSON in which a list or object stands on one line if it fits."""
    line = json.dumps(tree, ensure_ascii=False)
    if len(indent + line) <= _WIDTH or not isinstance(tree, list | dict):
        return line
    inner = indent + "  "
    if isinstance(tree, dict):
        rows = [f"{json.dumps(k)}: {_pretty(v, inner)}" for k, v in tree.items()]
    elif all(isinstance(v, int | float) for v in tree):
        return line
    else:
        rows = [_pretty(v, inner) for v in tree]
    first, last = line[0], line[-1]
    return first + "\n" + ",\n".join(inner + row for row in rows) + f"\n{indent}{last}"


def stored() -> Sequence[Path]:
    """Return the files of all vectors, sorted."""
    return sorted(FOLDER.glob("*.json"))
