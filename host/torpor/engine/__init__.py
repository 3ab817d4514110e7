# SPDX-License-Identifier: Apache-2.0
"""Runs plans on this machine with the device's own C code.

engine = Engine(plan)
[y] = engine.invoke([x])          # arrays of the dtypes and shapes of engine.inputs
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cffi
import numpy as np
from numpy.typing import NDArray

from torpor.engine.library import open_infer
from torpor.errors import ModelError, TorporError
from torpor.plan.layout import CONST, OPCODES, record_type, sizeof

__all__ = ["Engine", "TensorInfo", "Verdict", "check", "overlap_distance", "verdict_of"]

Array = NDArray[Any]

DTYPES: dict[int, "np.dtype[Any]"] = {
    CONST["PLAN_TYPE_INT8"]: np.dtype(np.int8),
    CONST["PLAN_TYPE_UINT8"]: np.dtype(np.uint8),
    CONST["PLAN_TYPE_INT16"]: np.dtype(np.int16),
    CONST["PLAN_TYPE_INT32"]: np.dtype(np.int32),
    CONST["PLAN_TYPE_FLOAT32"]: np.dtype(np.float32),
    CONST["PLAN_TYPE_BOOL"]: np.dtype(np.bool_),
}


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: real = scale * (code - zero_point); scale 0 where not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Verdict:
    """What infer_check() says of a plan.

    Attributes:
        status: infer_status_t, 0 if the plan is safe.
        name: its one-word name ("ok", "alias", ...).
        index: the operator, tensor or input/output that is wrong, or -1.
    """

    status: int
    name: str
    index: int

    @property
    def ok(self) -> bool:
        """The plan is safe."""
        return self.status == 0


@functools.cache
def _process(ffi: cffi.FFI) -> Any:
    """Return the C library of this process. cffi prepares all declarations at each opening."""
    return ffi.dlopen(None)


class _Memory:
    """A block of exactly `size` bytes, so that a sanitizer sees every byte beyond it."""

    def __init__(self, ffi: cffi.FFI, size: int, align: int) -> None:
        process = _process(ffi)
        pointer = ffi.new("void **")
        if process.posix_memalign(pointer, max(align, 16), max(size, 1)) != 0:
            raise MemoryError(f"{size} bytes")
        self.address = ffi.gc(pointer[0], process.free)
        self.buffer = ffi.buffer(self.address, size)


def check(plan: bytes, *, sanitizer: str = "none") -> Verdict:
    """Return infer_check()'s verdict on any bytes."""
    return verdict_of(plan, *open_infer(sanitizer))


def verdict_of(plan: bytes, ffi: cffi.FFI, library: Any) -> Verdict:
    """Return the verdict of a library's infer_check() on any bytes."""
    memory = _Memory(ffi, len(plan), CONST["PLAN_ALIGN"])
    memory.buffer[:] = plan
    found = library.infer_check(memory.address, len(plan))
    name = ffi.string(library.infer_status_name(found.status)).decode()
    return Verdict(int(found.status), name, int(found.index))


def overlap_distance(record: bytes) -> int:
    """Return how many bytes the output of an operator must start below its first input.

    See firmware/infer/overlap.h. The output may share bytes with input 0, if that dies there and
    x.offset - y.offset >= the distance; 0x7FFFFFFF means that it must not.

    Args:
        record: a whole operator record.

    Raises:
        ValueError: unknown code, or not the size of that code's record.
    """
    ffi, library = open_infer()
    if not record or record[0] not in OPCODES or len(record) != sizeof(record_type(record[0])):
        raise ValueError("not an operator record")
    words = ffi.new("uint32_t[]", len(record) // 4)
    ffi.buffer(words)[:] = record
    return int(library.infer_overlap_distance(ffi.cast("const plan_op_t *", words)))


class Engine:
    """An open plan with its own arena.

    Args:
        plan: the bytes of a plan.
        sanitize: run C code in which undefined behaviour ends the process.
        sanitizer: a key of torpor.engine.library.SANITIZERS; overrides `sanitize`.

    Raises:
        ModelError: infer_check() or infer_init() refuses the plan; says why.
    """

    def __init__(self, plan: bytes, *, sanitize: bool = False, sanitizer: str = "") -> None:
        self._sanitizer = sanitizer or ("undefined" if sanitize else "none")
        self._ffi, self._library = open_infer(self._sanitizer)
        verdict = check(plan, sanitizer=self._sanitizer)
        if not verdict.ok:
            raise ModelError(
                f"plan refused: {verdict.name} (index {verdict.index})", "recompile the model"
            )
        self._plan = _Memory(self._ffi, len(plan), CONST["PLAN_ALIGN"])
        self._plan.buffer[:] = plan
        self._header = self._ffi.cast("const plan_header_t *", self._plan.address)
        self._arena = _Memory(self._ffi, self._header.arena_bytes, self._header.arena_align)
        self._model = self._ffi.new("infer_t *")
        self._open(len(plan))
        self.inputs = self._infos(self._library.infer_input_info, self._header.n_inputs)
        self.outputs = self._infos(self._library.infer_output_info, self._header.n_outputs)

    def check(self) -> tuple[int, int]:
        """Return infer_check()'s (status, index) on the open plan: (0, -1)."""
        verdict = check(bytes(self._plan.buffer), sanitizer=self._sanitizer)
        return verdict.status, verdict.index

    @property
    def name(self) -> str:
        """The model's name, "" if it has none."""
        return self._string(self._library.infer_name(self._model))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, () if the plan has none."""
        count = range(self._header.n_labels)
        return tuple(self._string(self._library.infer_label(self._model, i)) for i in count)

    @property
    def extra(self) -> bytes:
        """What travels with the model and inference does not look at."""
        count = self._ffi.new("uint32_t *")
        found = self._library.infer_extra(self._model, count)
        return bytes(self._ffi.buffer(found, count[0])) if found else b""

    @property
    def arena(self) -> Any:
        """The arena as a writable cffi buffer of bytes."""
        return self._arena.buffer

    @property
    def n_ops(self) -> int:
        """Number of operators."""
        return int(self._header.n_ops)

    def reset(self) -> None:
        """Put all states back to what they were at first."""
        self._library.infer_reset(self._model)

    def invoke(self, inputs: Sequence[Array]) -> list[Array]:
        """Run one inference.

        Args:
            inputs: one array an input, of its dtype and shape.

        Returns:
            A copy of each output.

        Raises:
            TorporError: wrong number, dtype or shape of inputs.
        """
        self.write_inputs(inputs)
        self._library.infer_invoke(self._model)
        return self.read_outputs()

    def write_inputs(self, inputs: Sequence[Array]) -> None:
        """Put inputs into the arena, as invoke() does before it runs."""
        if len(inputs) != len(self.inputs):
            raise TorporError(f"{len(inputs)} inputs given, the model has {len(self.inputs)}")
        for i, (array, info) in enumerate(zip(inputs, self.inputs, strict=True)):
            if array.dtype != info.dtype or array.shape != info.shape:
                raise TorporError(
                    f"input {i} ({info.name}) is {array.dtype}{list(array.shape)}",
                    f"the model takes {info.dtype}{list(info.shape)}",
                )
            address = self._library.infer_input(self._model, i)
            size = self._library.infer_input_bytes(self._model, i)
            self._ffi.buffer(address, size)[:] = array.tobytes()

    def read_outputs(self) -> list[Array]:
        """Return a copy of each output as it is in the arena now."""
        found = []
        for i, info in enumerate(self.outputs):
            address = self._library.infer_output(self._model, i)
            data = bytes(self._ffi.buffer(address, info.dtype.itemsize * _count(info.shape)))
            found.append(np.frombuffer(data, info.dtype).reshape(info.shape).copy())
        return found

    def step(self, i: int) -> None:
        """Run operator `i` alone; invoke() is write_inputs(), each step, read_outputs()."""
        if not 0 <= i < self.n_ops:
            raise TorporError(f"no operator {i}, the model has {self.n_ops}")
        self._library.infer_step(self._model, i)

    def tensor(self, index: int) -> bytes:
        """Return the bytes of a tensor of the plan; they are its own only while it is alive."""
        if not 0 <= index < self._header.n_tensors:
            raise TorporError(f"no tensor {index}, the plan has {self._header.n_tensors}")
        start = self._plan.address + self._header.tensors
        tensor = self._ffi.cast("const plan_tensor_t *", start)[index]
        return bytes(self._arena.buffer[tensor.offset : tensor.offset + tensor.bytes])

    def _open(self, length: int) -> None:
        status = self._library.infer_init(
            self._model, self._plan.address, length, self._arena.address, len(self._arena.buffer)
        )
        if status != 0:
            name = self._string(self._library.infer_status_name(status))
            raise ModelError(f"plan refused: {name}", "recompile the model")

    def _infos(self, get: Any, count: int) -> tuple[TensorInfo, ...]:
        return tuple(self._info(get(self._model, i)) for i in range(count))

    def _info(self, io: Any) -> TensorInfo:
        name = ""
        if io.name != CONST["PLAN_NO_STRING"]:
            strings = self._ffi.cast("const char *", self._plan.address) + self._header.strings
            name = self._string(strings + io.name)
        shape = tuple(io.dims[i] for i in range(io.rank))
        return TensorInfo(name, shape, DTYPES[io.type], float(io.scale), int(io.zero_point))

    def _string(self, text: Any) -> str:
        return "" if not text else bytes(self._ffi.string(text)).decode("utf-8", "replace")


def _count(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=np.int64))
