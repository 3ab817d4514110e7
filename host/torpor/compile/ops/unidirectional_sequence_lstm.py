# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM. Formulas: micro/kernels/lstm_eval_common.cc, lstm_eval.cc.

TFLM keeps hidden and cell state from one inference to the next, and so does the plan. Its
`proj_clip` is never read there, because a projection is refused.
"""

from dataclasses import dataclass

import numpy as np

from torpor.compile.fixed_point import halved_rescale, quantize_multiplier
from torpor.compile.layers import checked_rescale, symmetric
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.sigmoid import nearest_power, shifted_argument, sigmoid_table
from torpor.compile.weights import MULTIPLIER_MAX_SHIFT_64, pack_s8
from torpor.graph.model import Tensor

_GATES = range(4)
"""Input, forget, candidate ("cell") and output gate, in the order of the operator's inputs."""

_X_WEIGHTS, _H_WEIGHTS, _BIASES, _HIDDEN, _CELL = 1, 5, 12, 18, 19
"""The operator's inputs: the first of four, and the states."""

_ABSENT = {
    "peepholes": range(9, 12),
    "a projection": range(16, 18),
    "layer normalization": range(20, 24),
}
_GATE_SCALE, _FUNCTION_SCALE = 2.0**-12, 2.0**-15
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1
_TANH_SHIFTS = range(-31, 15)


@dataclass(frozen=True)
class _Layer:
    """The layer's activations and sizes."""

    site: Site
    x: Tensor
    y: Tensor
    hidden: Tensor
    cell: Tensor

    @property
    def wide(self) -> bool:
        return self.x.dtype == "int16"

    @property
    def in_n(self) -> int:
        return self.x.shape[2]

    @property
    def out_n(self) -> int:
        return self.hidden.shape[1]


@operator(
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    supports="int8 or int16 input and output (int16 without zero points), int8 weights per tensor "
    "without zero point, int32 or int64 bias (int64 with int16), int16 cell state, activation TANH",
)
def lower(site: Site) -> Record:
    """x [batches, steps, in_n] or, time major, [steps, batches, in_n]; y likewise with out_n.

    The output has the codes of the hidden state, whatever its own quantization says.
    """
    layer = _Layer(
        site,
        site.activation(0, "int8", "int16"),
        site.output("int8", "int16"),
        site.state(_HIDDEN, "int8", "int16"),
        site.state(_CELL, "int16"),
    )
    _check(layer)
    time_major = bool(site.option("time_major"))
    first, second = layer.x.shape[:2]
    batches, steps = (second, first) if time_major else (first, second)
    units = batches * layer.out_n
    for state in (layer.hidden, layer.cell):
        site.need(state.elements == units, f"has not {units} elements", state)
    weights, rescales = _weights(layer)
    return Record(
        code="LSTM_S16" if layer.wide else "LSTM_S8",
        fields={
            "batches": batches,
            "steps": steps,
            "in_n": layer.in_n,
            "out_n": layer.out_n,
            "x_zero_point": layer.x.zero_point,
            "y_zero_point": layer.hidden.zero_point,
            "time_major": int(time_major),
            **rescales,
            **_cell_fields(layer),
        },
        tensors={"x": layer.x.index, "y": layer.y.index},
        states={"hidden": layer.hidden.index, "cell": layer.cell.index},
        data={"weights": weights, "channels": _biases(layer), "constant": sigmoid_table()},
        note="keeps its state from one inference to the next",
    )


def _check(layer: _Layer) -> None:
    """Refuse variants of the layer, and types and shapes that contradict each other."""
    site, x = layer.site, layer.x
    for what, positions in _ABSENT.items():
        if any(site.has_input(p) for p in positions):
            site.unsupported(f"{what}, which TensorFlow Lite Micro refuses too")
    if site.option("activation") != "TANH":
        site.unsupported(f"the activation {site.option('activation')}")
    for tensor in (layer.y, layer.hidden):
        site.need(tensor.dtype == x.dtype, f"must be {x.dtype} as the input is", tensor)
    if layer.wide:
        symmetric(site, x, layer.hidden)
    site.need(len(x.shape) == 3, "must have 3 dimensions", x)
    site.need(len(layer.hidden.shape) >= 2, "must have 2 dimensions", layer.hidden)
    shape = (*x.shape[:2], layer.out_n)
    site.need(layer.y.shape == shape, f"should be {list(shape)}", layer.y)


def _weights(layer: _Layer) -> tuple[bytes, dict[str, list[dict[str, int]]]]:
    """Return the weights, int8 [out_n, 4, in_n + out_n], and the rescales of the gates."""
    parts, rescales = [], []
    for first, tensor in ((_X_WEIGHTS, layer.x), (_H_WEIGHTS, layer.hidden)):
        n = layer.in_n if first == _X_WEIGHTS else layer.out_n
        found = [_gate_weights(layer, first + gate, n) for gate in _GATES]
        parts.append(np.stack([w.values() for w in found], axis=1))
        rescales.append([_gate_rescale(layer, tensor.scale * w.scale) for w in found])
    packed = pack_s8(np.concatenate(parts, axis=2))
    return packed, {"x_rescale": rescales[0], "y_rescale": rescales[1]}


def _gate_weights(layer: _Layer, position: int, n: int) -> Tensor:
    site = layer.site
    weights = site.constant(position, "int8")
    shape = (layer.out_n, n)
    site.need(weights.shape == shape, f"should be {list(shape)}", weights)
    if len(weights.scales) != 1:
        site.unsupported("weights per channel, which TensorFlow Lite Micro miscalculates", weights)
    if weights.zero_point:
        site.unsupported("weights with a zero point other than 0", weights)
    return weights


def _gate_rescale(layer: _Layer, product: float) -> dict[str, int]:
    """Return how sums in units of `product` (a double, as in the layers) become Q3.12.

    With 16-bit activations the sums have 64 bits.
    """
    rescale = checked_rescale(layer.site, product / _GATE_SCALE)
    if not layer.wide:
        return rescale._asdict()
    if rescale.shift > MULTIPLIER_MAX_SHIFT_64:
        layer.site.unsupported("the scales ask for a factor of more than 2^14")
    return halved_rescale(rescale)._asdict()


def _biases(layer: _Layer) -> bytes:
    """Return the biases [out_n, 4], int32, or int64 with 16-bit activations."""
    dtype = "int64" if layer.wide else "int32"
    found = [layer.site.constant(_BIASES + gate, dtype) for gate in _GATES]
    for bias in found:
        layer.site.need(bias.shape == (layer.out_n,), f"should be [{layer.out_n}]", bias)
    stacked = np.stack([bias.values() for bias in found], axis=1)
    return stacked.astype("<i8" if layer.wide else "<i4").tobytes()


def _cell_fields(layer: _Layer) -> dict[str, object]:
    """Return the members about the cell state and what becomes of it.

    Sources: CreateInterGateMulParams and CreateLstmCellStateInfo; Tanh in lstm_eval.cc, which
    takes the cell's scale for the nearest power of two.
    """
    site, scale = layer.site, layer.cell.scale
    exponent, _ = nearest_power(scale)
    if exponent + 12 not in _TANH_SHIFTS:
        site.unsupported("the scale is too small or too large", layer.cell)
    argument = shifted_argument(exponent + 12)
    clip = float(site.option("cell_clip"))
    most = int(min(clip / scale, _INT16_MAX)) if clip > 0 else None
    return {
        "cell_min": _INT16_MIN if most is None else -most,
        "cell_max": _INT16_MAX if most is None else most,
        "tanh_multiplier": argument.multiplier,
        "tanh_shift": argument.shift,
        "forget_rescale": quantize_multiplier(_FUNCTION_SCALE)._asdict(),
        "input_rescale": checked_rescale(site, _FUNCTION_SCALE**2 / scale)._asdict(),
        "output_rescale": checked_rescale(site, _FUNCTION_SCALE**2 / layer.hidden.scale)._asdict(),
    }
