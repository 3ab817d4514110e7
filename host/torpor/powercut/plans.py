# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Plans of a given size that a proof's models hold, for each engine.

They can be run: ours copies its input, that for TensorFlow Lite Micro holds a model that adds its
input to itself. Both need what has the same number, so that their target alone tells them apart.
"""

import functools
import importlib
import random
import struct
from typing import Any

import flatbuffers

from torpor.errors import UsageError
from torpor.paths import TFLM, TORPOR
from torpor.plan.layout import CONST
from torpor.plan.tflm import NUMBERS
from torpor.plan.writer import assemble, kernel_words, pack_record, pack_struct
from torpor.tflm.resolver import words_of

_TENSOR = 16
_NUMBER: int = CONST["PLAN_OP_COPY"]
REGISTRATION = NUMBERS[_NUMBER]
"""What the model for TensorFlow Lite Micro needs."""

NEEDS = {
    TORPOR: (CONST["PLAN_TARGET_PORTABLE"], _NUMBER),
    TFLM: (CONST["PLAN_TARGET_TFLM"], _NUMBER),
}
"""What plans for an engine need: their target, and the number of the one kernel or registration."""

SMALLEST = {TORPOR: 256, TFLM: 512}
"""Bytes that a plan for an engine has at least."""


def plan(arena: int, size: int, seed: int, engine: str = TORPOR) -> bytes:
    """Return a plan of `size` bytes, with noise as unused data.

    Args:
        arena: bytes that it wants.
        size: a multiple of 16.
        seed: of the noise.
        engine: that it is for, of ENGINES.
    """
    if size % CONST["PLAN_ALIGN"] or size < SMALLEST[engine]:
        raise UsageError(f"a plan of {size} bytes", f"a multiple of 16 from {SMALLEST[engine]} on")
    make = _for_tflm if engine == TFLM else _for_torpor
    least = len(make(arena, b""))
    return make(arena, noise(size - least, seed))


def noise(size: int, seed: int) -> bytes:
    """Return random bytes."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - it only has to look like code


def _for_torpor(arena: int, data: bytes) -> bytes:
    tensors = [(0, _TENSOR, 0, 1), (_TENSOR, _TENSOR, 1, 2)]
    op = pack_record("COPY", 0, {"x": 0, "y": 1, "bytes": _TENSOR})
    header = {"target": CONST["PLAN_TARGET_PORTABLE"], "kernels": kernel_words(["COPY"])}
    return _assembled({**header, "arena_bytes": arena, "n_ops": 1}, tensors, op, data)


def _for_tflm(arena: int, data: bytes) -> bytes:
    tensors = [(0, _TENSOR, 0, 1)] * 2
    header = {"target": CONST["PLAN_TARGET_TFLM"], "kernels": words_of([REGISTRATION])}
    return _assembled({**header, "arena_bytes": arena}, tensors, b"", _tflite() + data)


def _assembled(
    header: dict[str, Any], tensors: list[tuple[int, int, int, int]], ops: bytes, data: bytes
) -> bytes:
    members = {
        **header,
        "arena_align": CONST["PLAN_ALIGN"],
        "n_tensors": len(tensors),
        "n_inputs": 1,
        "n_outputs": 1,
        "name": CONST["PLAN_NO_STRING"],
        "labels": CONST["PLAN_NO_STRING"],
    }
    io = {"type": CONST["PLAN_TYPE_INT8"], "rank": 1, "dims": [_TENSOR, 1, 1, 1, 1], "scale": 1.0}
    io |= {"name": CONST["PLAN_NO_STRING"]}
    sections = {
        "tensors": b"".join(struct.pack("<IIHH", *tensor) for tensor in tensors),
        "io": b"".join(pack_struct("plan_io_t", {**io, "tensor": number}) for number in range(2)),
        "states": b"",
        "ops": ops,
        "strings": bytes(4),
        "extra": b"",
        "data": data,
    }
    return assemble(members, sections)


@functools.cache
def _tflite() -> bytes:
    """Return the flatbuffer of a model that doubles 16 bytes."""
    module = "tflite_micro.tensorflow.lite.micro.python.schema_py_generated"
    schema: Any = importlib.import_module(module)
    code, op, graph, model = (
        getattr(schema, f"{name}T")() for name in ("OperatorCode", "Operator", "SubGraph", "Model")
    )
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    op.inputs, op.outputs = [0, 0], [1]
    graph.tensors = [schema.TensorT(), schema.TensorT()]
    for tensor in graph.tensors:
        tensor.shape, tensor.type = [_TENSOR], schema.TensorType.INT8
    graph.inputs, graph.outputs, graph.operators = [0], [1], [op]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    found = bytes(builder.Output())
    return found + bytes(-len(found) % CONST["PLAN_ALIGN"])
