# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Plans for TensorFlow Lite Micro, made here byte by byte, and infer_check() for them."""

import functools
import hashlib
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cffi
import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.tflite_builder import GraphBuilder
from torpor.engine.library import CACHE, INFER, SANITIZERS, build_library, declarations
from torpor.plan.layout import CONST, HEADER, parse_header
from torpor.plan.writer import assemble, pack_struct

SOURCES = (
    *sorted((INFER / "plan").glob("*.c")),
    *(INFER / "tflm" / name for name in ("check.c", "model.c", "flatbuffer.c")),
)
"""What infer_check() for TensorFlow Lite Micro is made of."""

TYPES = {
    schema.TensorType.INT8: (1, 1),
    schema.TensorType.UINT8: (2, 1),
    schema.TensorType.INT16: (3, 2),
    schema.TensorType.INT32: (4, 4),
    schema.TensorType.FLOAT32: (5, 4),
    schema.TensorType.BOOL: (6, 1),
}
"""enum plan_type and bytes of each type of an input or output."""

KEEP_INPUT, STATE = CONST["PLAN_FLAG_KEEP_INPUT"], CONST["PLAN_FLAG_STATE"]


@dataclass(frozen=True)
class Verdict:
    """What infer_check() says."""

    status: str
    index: int


def with_registrations(bits: int) -> Path:
    """Return a C file that says which registrations a firmware has."""
    words = ", ".join(f"0x{bits >> shift & 0xFFFFFFFF:08x}u" for shift in range(0, 128, 32))
    text = (
        f'#include "infer/tflm/resolver.h"\n\nconst uint32_t tflm_registrations[4] = {{{words}}};\n'
    )
    path = CACHE / f"registrations-{hashlib.sha256(text.encode()).hexdigest()[:16]}.c"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


@functools.cache
def open_check(bits: int = (1 << 128) - 1) -> tuple[cffi.FFI, Any]:
    """Return (ffi, library) with infer_check() of a firmware with these registrations."""
    ffi = cffi.FFI()
    ffi.cdef(parse_header(HEADER.read_text(encoding="utf-8"))[0])
    ffi.cdef(declarations((INFER / "infer.h").read_text(encoding="utf-8")))
    sources = [*SOURCES, with_registrations(bits)]
    path = build_library("check-tflm", sources, SANITIZERS["undefined"])
    return ffi, ffi.dlopen(str(path))


def verdict(plan: bytes, *, length: int | None = None, bits: int = (1 << 128) - 1) -> Verdict:
    """Return what infer_check() says of a plan, which lies 16-byte aligned."""
    ffi, library = open_check(bits)
    memory = ffi.new("uint8_t[]", len(plan) + 16)
    start = memory + -int(ffi.cast("uintptr_t", memory)) % 16
    ffi.buffer(start, len(plan))[:] = plan
    found = library.infer_check(start, len(plan) if length is None else length)
    return Verdict(ffi.string(library.infer_status_name(found.status)).decode(), found.index)


def tree(model: bytes) -> Any:
    """Return a model as objects of the schema."""
    return schema.ModelT.InitFromPackedBuf(model, 0)


def flat(model: Any) -> bytes:
    """Return the flatbuffer of objects of the schema."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@dataclass
class Container:
    """A plan for TensorFlow Lite Micro, whose every part can be wrong.

    Attributes:
        model: the flatbuffer.
        ends: a tensor of the schema for each input, then each output.
        n_inputs: how many are inputs.
        header: members that replace what follows from the model.
        tensors: for each input and output, members of plan_tensor_t that replace others.
        io: the same for plan_io_t.
        sections: contents that replace others.
    """

    model: bytes
    ends: list[Any]
    n_inputs: int
    header: dict[str, Any] = field(default_factory=dict)
    tensors: dict[int, dict[str, int]] = field(default_factory=dict)
    io: dict[int, dict[str, Any]] = field(default_factory=dict)
    sections: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, model: bytes, **header: Any) -> "Container":
        """Return the container of a sound model."""
        graph = tree(model).subgraphs[0]
        ends = [graph.tensors[t] for t in (*graph.inputs, *graph.outputs)]
        return cls(model, ends, len(graph.inputs), header)

    def build(self) -> bytes:
        """Return the plan."""
        header = {
            "target": CONST["PLAN_TARGET_TFLM"],
            "kernels": [1, 0, 0, 0],
            "arena_bytes": 1 << 20,
            "arena_align": 16,
            "n_tensors": len(self.ends),
            "n_inputs": self.n_inputs,
            "n_outputs": len(self.ends) - self.n_inputs,
            "name": 0,
            "labels": CONST["PLAN_NO_STRING"],
        }
        sections = {
            "tensors": b"".join(map(self._tensor, range(len(self.ends)))),
            "io": b"".join(map(self._io, range(len(self.ends)))),
            "states": b"",
            "ops": b"",
            "strings": b"model\0",
            "extra": b"",
            "data": self.model,
        }
        return assemble({**header, **self.header}, {**sections, **self.sections})

    def _tensor(self, i: int) -> bytes:
        shape = [int(n) for n in self._shape(i)]
        size = TYPES[self.ends[i].type][1]
        for n in shape:
            size *= n
        members = {"offset": 0, "bytes": size, "first": 0, "last": 1}
        return pack_struct("plan_tensor_t", {**members, **self.tensors.get(i, {})})

    def _io(self, i: int) -> bytes:
        shape = [int(n) for n in self._shape(i)]
        members = {
            "tensor": i,
            "type": TYPES[self.ends[i].type][0],
            "rank": len(shape),
            "dims": [*shape, *[1] * (CONST["PLAN_MAX_DIMS"] - len(shape))],
            "scale": 0.0,
            "zero_point": 0,
            "name": CONST["PLAN_NO_STRING"],
        }
        return pack_struct("plan_io_t", {**members, **self.io.get(i, {})})

    def _shape(self, i: int) -> Any:
        return [] if self.ends[i].shape is None else self.ends[i].shape


def with_variables() -> bytes:
    """A model with an initialising subgraph, as variables come with one."""
    g = GraphBuilder()
    x = g.input((1, 4))
    g.subgraph()
    model = tree(g.build([g.pool_2d("MAX_POOL_2D", g.reshape(x, (1, 2, 2, 1)), (1, 1))]))
    model.operatorCodes.append(code(schema.BuiltinOperator.CALL_ONCE))
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = 1
    call = operator(len(model.operatorCodes) - 1, [], [])
    call.builtinOptionsType, call.builtinOptions = schema.BuiltinOptions.CallOnceOptions, options
    model.subgraphs[0].operators.insert(0, call)
    return flat(model)


def code(builtin: int, deprecated: int | None = None) -> Any:
    """An operator code."""
    made = schema.OperatorCodeT()
    made.builtinCode = builtin
    made.deprecatedBuiltinCode = min(builtin, 127) if deprecated is None else deprecated
    return made


def operator(number: int, inputs: list[int], outputs: list[int]) -> Any:
    """An operator of a code's number."""
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = number, inputs, outputs
    return made


def with_memory_plan() -> bytes:
    """A model of one operator, with where its tensors lie in its metadata."""
    g = GraphBuilder()
    model = tree(g.build([g.reshape(g.input((1, 4)), (4, 1))]))
    made, metadata = schema.BufferT(), schema.MetadataT()
    count = len(model.subgraphs[0].tensors)
    made.data = np.frombuffer(struct.pack(f"<3i{count}i", 1, 0, count, *[16] * count), np.uint8)
    model.buffers.append(made)
    metadata.name, metadata.buffer = "OfflineMemoryAllocation", len(model.buffers) - 1
    model.metadata = [metadata]
    return flat(model)
