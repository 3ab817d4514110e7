# SPDX-License-Identifier: Apache-2.0
"""Makes models of several operators, with branches, several inputs and several outputs.

A generator is a function that takes a Sketch, adds one operator to it, and returns the tensors
that the operator writes:

    @generator("RELU", "RELU6")
    def relu(s: Sketch, name: str) -> list[int]:
        return [s.graph.unary(name, s.activation())]
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fuzz.compare import Case
from tests.fuzz.draw import Draw
from tests.support.tflite_builder import GraphBuilder
from torpor.compile.lowering import OPERATORS
from torpor.compile.ops import load_all

MAX_OPS = 6
MAX_INPUTS = 4
MAX_RANK = 5
MAX_ELEMENTS = 4000
"""Tensors with more are not read, so that models stay small."""

Generator = Callable[["Sketch", str], list[int]]
GENERATORS: dict[str, Generator] = {}


def generator(*names: str) -> Callable[[Generator], Generator]:
    """Register a function as the generator of the operators `names`."""

    def register(make: Generator) -> Generator:
        GENERATORS.update(dict.fromkeys(names, make))
        return make

    return register


class Sketch:
    """A model in the making: the builder, the random choices, and what can be read so far."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.graph = GraphBuilder("fuzz")
        self.inputs: list[int] = []
        self.written: list[int] = []
        self.read: set[int] = set()
        self.subgraphs = 0

    # ---- numbers

    def scale(self) -> float:
        """Return a scale, in one of ten cases an extreme one."""
        if self.draw.chance(0.1):
            return self.draw.power(-24, 12)
        return self.draw.power(-8, 0)

    def zero_point(self, dtype: str = "int8") -> int:
        """Return a zero point, often an extreme one; 0 where the type is symmetric."""
        if dtype in ("int16", "int32"):
            return 0
        offset = 128 if dtype == "uint8" else 0
        ends = (0, -128, 127, -127, 126)
        code = self.draw.pick(ends) if self.draw.chance(0.4) else self.draw.integer(-128, 127)
        return code + offset

    def codes(self, dtype: str = "int8") -> dict[str, Any]:
        """Return any quantization, as arguments for the builder."""
        return {"scale": self.scale(), "zero_point": self.zero_point(dtype)}

    def same_codes(self, tensor: int) -> dict[str, Any]:
        """Return the type and quantization of `tensor`, as arguments for the builder."""
        return {"dtype": self.graph.dtype(tensor), **self.graph.codes(tensor)}

    def values(self, shape: Sequence[int], dtype: str = "int8") -> NDArray[Any]:
        """Return random elements of a constant."""
        return _random(self.draw.rng(), shape, dtype)

    def near(self, scale: float) -> float:
        """Return a scale at most 4 times as large or small as `scale`, now and then any scale."""
        if self.draw.chance(0.1):
            return self.scale()
        return float(np.float32(scale * self.draw.power(-2, 2)))

    def output(self, scale: float, dtype: str = "int8") -> dict[str, Any]:
        """Return the quantization of an output whose values fit a scale near `scale`."""
        return {"scale": self.near(scale), "zero_point": self.zero_point(dtype)}

    def activation_name(self) -> str:
        """Return a fused activation."""
        return self.draw.pick(("none", "relu", "relu6", "relu_n1_to_1"))

    # ---- tensors

    def activation(
        self,
        rank: int | None = None,
        *,
        dtypes: Sequence[str] = ("int8",),
        at_most: int = MAX_ELEMENTS,
    ) -> int:
        """Return a tensor to read: one that was written before, or a new input."""
        known = [t for t in (*self.written, *self.inputs) if self._fits(t, rank, dtypes, at_most)]
        fresh = [t for t in known if t not in self.read]
        if known and (self.draw.chance(0.85) or len(self.inputs) >= MAX_INPUTS):
            favoured = fresh if fresh and self.draw.chance(0.7) else known
            return self.reading(favoured[-1 - self.draw.below(len(favoured))])
        dtype = self.draw.pick(dtypes) if self.draw.chance(0.5) else dtypes[0]
        return self.reading(self.new_input(self.shape(rank, at_most), dtype))

    def _fits(self, tensor: int, rank: int | None, dtypes: Sequence[str], at_most: int) -> bool:
        shape = self.graph.shape(tensor)
        if self.graph.dtype(tensor) == "int16" and self.graph.zero_point(tensor):
            return False  # TFLM refuses it nearly everywhere
        right = len(shape) == rank if rank else 1 <= len(shape) <= MAX_RANK
        return right and self.graph.dtype(tensor) in dtypes and math.prod(shape) <= at_most

    def reading(self, tensor: int) -> int:
        """Note that something reads `tensor`; return it."""
        self.read.add(tensor)
        return tensor

    def new_input(self, shape: Sequence[int], dtype: str = "int8") -> int:
        """Add an input of the model."""
        unquantized = {"scale": None}
        codes = unquantized if dtype in ("float32", "bool") else self.codes(dtype)
        self.inputs.append(self.graph.input(shape, dtype, **codes))
        return self.inputs[-1]

    def shape(self, rank: int | None = None, at_most: int = MAX_ELEMENTS) -> tuple[int, ...]:
        """Return a shape of `rank` dimensions, of any rank if that is None."""
        rank = rank or self.draw.pick((4, 2, 3, 1, 4, 5))
        if rank == 4:
            image = (1 + int(self.draw.chance(0.2)), *(self.draw.integer(1, 9) for _ in range(2)))
            shape = (*image, self.channels())
        else:
            shape = tuple(self.draw.integer(1, 7 if rank < 5 else 4) for _ in range(rank))
        return shape if math.prod(shape) <= at_most else (1,) * rank

    def channels(self) -> int:
        """Return a number of channels: mostly few, sometimes more than an unrolled loop takes."""
        return self.draw.integer(1, 33 if self.draw.chance(0.2) else 8)

    def weights(
        self,
        shape: Sequence[int],
        axis: int | None,
        dtype: str = "int8",
        *,
        per_channel: bool | None = None,
    ) -> int:
        """Add constant codes; per channel along `axis` where chance, or the caller, says so."""
        if per_channel is None:
            per_channel = axis is not None and self.draw.chance(0.7)
        rng = self.draw.rng()
        count = shape[axis] if per_channel and axis is not None else 1
        scales = np.float32(self.draw.power(-9, -3)) * rng.uniform(0.3, 1, count)
        top = 7 if dtype == "int4" else 127
        low = -top - int(self.draw.chance(0.2))
        values = rng.integers(low, top + 1, shape)
        return self.graph.constant(
            values, dtype, scale=scales.astype(np.float32).tolist(), axis=axis or 0
        )

    def bias(self, x: int, weights: int, count: int, dtype: str = "int32") -> int | None:
        """Add a bias, or none; now and then one that leaves little of the other terms."""
        if self.draw.chance(0.2):
            return None
        top = 1 << self.draw.pick((8, 12, 20, 28))
        values = self.draw.rng().integers(-top, top, count)
        scales = self.graph.scales(weights)
        product = [self.graph.scale(x) * s for s in scales]
        return self.graph.constant(values, dtype, scale=product, axis=0)


NEVER_RUN = {"PACK", "RELU_N1_TO_1", "SHAPE"}
"""Operators that torpor knows only to drop them, or to refuse them in words of their own."""


def operator_names() -> list[str]:
    """Return the operators that torpor compiles and that there is a generator for, sorted."""
    load_all()
    return sorted((set(OPERATORS) & set(GENERATORS)) - NEVER_RUN)


def sketch_graph(draw: Draw, first: str, names: Sequence[str]) -> Case:
    """Return a model that begins with the operator `first`; the rest are any of `names`."""
    s = Sketch(draw)
    s.written += GENERATORS[first](s, first)
    for _ in range(MAX_OPS - 1):
        draw.begin()
        if not draw.chance(0.7):
            break
        name = draw.pick(names)
        s.written += GENERATORS[name](s, name)
    outputs = [t for t in s.written if t not in s.read or draw.chance(0.1)]
    tflite = s.graph.build(outputs)
    infos = [(s.graph.shape(t), s.graph.dtype(t)) for t in s.inputs]
    return Case(tflite, stimuli(draw, infos), keep_input=draw.chance(0.3))


def numbered_graph(seed: int, number: int, draw: Draw | None = None) -> Case:
    """Return graph `number` of a run with `seed`; every operator is first in its turn."""
    return redrawn_graph(number, draw or Draw.seeded(seed, number))


def redrawn_graph(number: int, draw: Draw) -> Case:
    """Return a graph that begins with the operator that graph `number` begins with."""
    names = operator_names()
    return sketch_graph(draw, names[number % len(names)], names)


def stimuli(draw: Draw, infos: Sequence[tuple[Sequence[int], str]]) -> list[list[NDArray[Any]]]:
    """Return the inputs of four invocations: lowest, highest, random, corners."""
    rng = draw.rng()
    return [[make(rng, shape, dtype) for shape, dtype in infos] for make in STIMULI]


def _limits(dtype: str) -> tuple[int, int]:
    if dtype == "bool":
        return 0, 1
    limits = np.iinfo(np.dtype(dtype))
    return int(limits.min), int(limits.max)


def _lowest(_rng: np.random.Generator, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    low = -1e3 if dtype == "float32" else _limits(dtype)[0]
    return np.full(shape, low, dtype)


def _highest(_rng: np.random.Generator, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    high = 1e3 if dtype == "float32" else _limits(dtype)[1]
    return np.full(shape, high, dtype)


def _random(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    if dtype == "float32":
        return (rng.normal(0, 4, shape)).astype(np.float32)
    low, high = _limits(dtype)
    return rng.integers(low, high, shape, endpoint=True).astype(dtype)


def _corners(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    if dtype == "float32":
        return rng.choice(np.array([0, -0.0, 1, -1, 0.5, 6, 1e9, -1e9], np.float32), shape)
    low, high = _limits(dtype)
    return rng.choice(np.array([low, high, (low + high) // 2, low + 1]), shape).astype(dtype)


STIMULI = (_lowest, _highest, _random, _corners)
