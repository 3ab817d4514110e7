# SPDX-License-Identifier: Apache-2.0
"""A model of one UNIDIRECTIONAL_SEQUENCE_LSTM with random weights, as the converter writes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.tflite_builder import GraphBuilder

GATES = 4
WEIGHTS, BIASES, HIDDEN, CELL = 1, 12, 18, 19
"""Where the operator's inputs start: 4 + 4 weights, 4 biases, the states."""
INPUTS = 24


@dataclass(frozen=True)
class Lstm:
    """What describes the layer.

    Attributes:
        wide: int16 activations and int64 biases instead of int8 and int32.
        time_major: shapes are [steps, batches, n] instead of [batches, steps, n].
        x, hidden: (scale, zero point) of the input, and of hidden state and output.
        cell_scale: scale of the int16 cell state.
        weight_scales: of the weights of input, forget, candidate and output gate, first those of
            the input and then those of the hidden state.
        bias: largest magnitude of a bias.
    """

    batches: int = 1
    steps: int = 3
    in_n: int = 5
    out_n: int = 4
    wide: bool = False
    time_major: bool = False
    x: tuple[float, int] = (0.05, -3)
    hidden: tuple[float, int] = (1 / 128, 0)
    cell_scale: float = 2.0**-12
    weight_scales: tuple[float, ...] = (0.01, 0.02, 0.015, 0.008, 0.012, 0.01, 0.02, 0.03)
    bias: int = 2000
    cell_clip: float = 0.0
    proj_clip: float = 0.0
    activation: int = schema.ActivationFunctionType.TANH
    seed: int = 0

    def shape(self, n: int) -> tuple[int, int, int]:
        """Shape of the input (`n` = in_n) or output."""
        if self.time_major:
            return self.steps, self.batches, n
        return self.batches, self.steps, n

    @property
    def dtype(self) -> str:
        """The type of input, hidden state and output."""
        return "int16" if self.wide else "int8"

    def build(self, replaced: Mapping[int, Callable[[GraphBuilder], int]] | None = None) -> bytes:
        """Return the .tflite file; `replaced` makes other tensors for some of the inputs."""
        graph = GraphBuilder()
        x = graph.input(self.shape(self.in_n), self.dtype, **_quantization(self.x))
        tensors = {position: make(graph) for position, make in (replaced or {}).items()}
        return graph.build([self.add_to(graph, x, tensors)])

    def add_to(
        self,
        graph: GraphBuilder,
        x: int,
        replaced: Mapping[int, int] | None = None,
        output: tuple[float, int] | None = None,
    ) -> int:
        """Add the layer; `output` is the output's quantization if not the hidden state's."""
        inputs = [-1] * INPUTS
        inputs[0] = x
        rng = np.random.default_rng(self.seed)
        for i, scale in enumerate(self.weight_scales):
            n = self.in_n if i < GATES else self.out_n
            codes = rng.integers(-127, 128, (self.out_n, n))
            inputs[WEIGHTS + i] = graph.constant(codes, scale=scale)
        for i in range(GATES):
            codes = rng.integers(-self.bias, self.bias + 1, self.out_n)
            dtype = "int64" if self.wide else "int32"
            inputs[BIASES + i] = graph.constant(codes, dtype, scale=0.001)
        state = (self.batches, self.out_n)
        hidden = _quantization(self.hidden)
        inputs[HIDDEN] = graph.tensor(state, self.dtype, is_variable=True, **hidden)
        inputs[CELL] = graph.tensor(state, "int16", is_variable=True, scale=self.cell_scale)
        for position, tensor in (replaced or {}).items():
            inputs[position] = tensor
        y = graph.tensor(self.shape(self.out_n), self.dtype, **_quantization(output or self.hidden))
        graph.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], self._options())
        return y

    def _options(self) -> Any:
        options = schema.UnidirectionalSequenceLSTMOptionsT()
        options.fusedActivationFunction = self.activation
        options.cellClip = self.cell_clip
        options.projClip = self.proj_clip
        options.timeMajor = self.time_major
        return options


def _quantization(scale_and_zero_point: tuple[float, int]) -> dict[str, Any]:
    scale, zero_point = scale_and_zero_point
    return {"scale": scale, "zero_point": zero_point}
