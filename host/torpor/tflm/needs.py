# SPDX-License-Identifier: Apache-2.0
"""Which registrations a model needs of TensorFlow Lite Micro, and what is refused.

Refused is what firmware of engine=tflm runs wrongly, with its reference kernels or with those of
CMSIS-NN: a plan in a model slot does not know which of them a firmware has. What TensorFlow Lite
Micro itself refuses besides, its interpreter says when the arena is measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from torpor.compile.ends import refuse_float
from torpor.compile.lowering import ALTERNATIVES
from torpor.errors import UnsupportedError
from torpor.graph import Graph, Op, Tensor
from torpor.plan.tflm import REGISTRATIONS

FLOATS_ONLY = (
    "CEIL", "COS", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "L2_POOL_2D", "LOG", "ROUND", "SIN",
    "SQRT", "SQUARE",
)  # fmt: skip
"""Operators that TensorFlow Lite Micro has for floats alone."""

FOUR_DIMENSIONS = ("MAXIMUM", "MINIMUM", "PAD", "PADV2", "TRANSPOSE")
"""Whose int8 kernels in CMSIS-NN know four dimensions: more stop the device or are wrong."""

_WIDE_BIAS = {"DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2}
"""Position of the bias, where kernels for int16 activations read it as int64 unseen."""

_WEIGHTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}
"""Position of the weights among an operator's inputs."""

_DATA = {
    **dict.fromkeys(("ADD", "BATCH_MATMUL", "MAXIMUM", "MINIMUM", "MUL", "SVDF"), (0, 1)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "SOFTMAX", "TRANSPOSE"), (0,)),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), (0,)),
    "TRANSPOSE_CONV": (2,),
}
"""Inputs that must be int8 for the registration for int8, as must be the output. Not in it is
UNIDIRECTIONAL_SEQUENCE_LSTM: CMSIS-NN's asserts that weights are int16, which they never are."""

_QUANTIZE = "quantize the model with torpor quantize"


@dataclass(frozen=True)
class Need:
    """A registration that a model needs.

    Attributes:
        name: of the registration, "CONV_2D_INT8".
        operators: how many operators use it, in all subgraphs.
        types: what they compute with: "int8", "int8 with int4 weights".
        reason: why this one, "" where TensorFlow Lite Micro has only one.
    """

    name: str
    operators: int
    types: tuple[str, ...]
    reason: str = ""


def needs_of(graph: Graph) -> tuple[Need, ...]:
    """Return the registrations for a model, one for each of its operators, by their numbers.

    Raises:
        UnsupportedError: no firmware of engine=tflm can run it.
    """
    uses = list(_uses(graph))
    for use in uses:
        _check_types(use)
    refuse_float(graph)
    if not graph.ops:
        raise UnsupportedError("the model computes nothing: it has no operator")
    for use in uses:
        _check_operator(use)
        _check_cmsis_nn(use)
    found = [_need(name, [u for u in uses if u.op.name == name]) for name in {*map(_name, uses)}]
    return tuple(sorted(found, key=lambda need: REGISTRATIONS[need.name].number))


@dataclass(frozen=True)
class _Use:
    """An operator in its subgraph; number 0 is the model."""

    number: int
    graph: Graph
    op: Op

    def input(self, position: int) -> Tensor | None:
        """Return an input, None where it is left out."""
        if position >= len(self.op.inputs) or self.op.inputs[position] < 0:
            return None
        return self.graph.tensors[self.op.inputs[position]]

    @property
    def weights(self) -> Tensor | None:
        """Its weights, where it is an operator that has some."""
        return self.input(_WEIGHTS[self.op.name]) if self.op.name in _WEIGHTS else None

    @property
    def data(self) -> list[Tensor]:
        """What must be int8 for the registration for int8, without the weights."""
        inputs = [self.input(position) for position in _DATA.get(self.op.name, (0,))]
        outputs = [self.graph.tensors[t] for t in self.op.outputs]
        return [tensor for tensor in (*inputs, *outputs) if tensor is not None]

    @property
    def types(self) -> str:
        """What it computes with, for people."""
        kinds = "/".join(sorted({tensor.dtype for tensor in self.data})) or "no data"
        if self.weights is None or self.weights.dtype == kinds:
            return kinds
        return f"{kinds} with {self.weights.dtype} weights"

    def refuse(self, reason: str, tensor: Tensor | None = None, hint: str = "") -> NoReturn:
        """Raise the error that names operator, tensor and reason."""
        where = f"subgraph {self.number}, " if self.number else ""
        what = f", tensor {tensor.index} {tensor.describe()}" if tensor else ""
        raise UnsupportedError(
            f"{where}operator {self.op.index} ({self.op.name}){what}: {reason}", hint
        )


def _uses(graph: Graph) -> Iterator[_Use]:
    for number, part in enumerate((graph, *graph.subgraphs)):
        for op in part.ops:
            yield _Use(number, part, op)


def _name(use: _Use) -> str:
    return use.op.name


def _check_types(use: _Use) -> None:
    """Refuse what is quantized in a way that TensorFlow Lite Micro cannot compute with."""
    weights = use.weights
    if weights is not None and weights.dtype in ("int4", "int8") and use.data:
        _check_weights(use, weights, use.data[0])
    for position in range(len(use.op.inputs)):
        tensor = use.input(position)
        if tensor is not None and tensor.dtype == "int4" and tensor is not weights:
            _refuse_int4(use, tensor)


def _check_weights(use: _Use, weights: Tensor, data: Tensor) -> None:
    if data.dtype == "float32":
        use.refuse(
            f"dynamic range quantization ({weights.dtype} weights, float activations) has no "
            "kernel in TensorFlow Lite Micro",
            weights,
            _QUANTIZE,
        )
    if weights.dtype != "int4":
        return
    if use.op.name == "TRANSPOSE_CONV":
        _refuse_int4(use, weights)
    if data.dtype == "int16":
        use.refuse(
            "int4 weights need int8 activations in TensorFlow Lite Micro, not int16",
            weights,
            "make the weights of this layer int8",
        )
    if use.op.name == "FULLY_CONNECTED" and len(weights.scales) > 1:
        use.refuse(
            "TensorFlow Lite Micro refuses int4 weights of it that are quantized per channel",
            weights,
            "torpor quantize makes them per tensor; a 1x1 CONV_2D may have them per channel",
        )


def _refuse_int4(use: _Use, tensor: Tensor) -> NoReturn:
    if use.op.name == "DEQUANTIZE":
        use.refuse(
            "weight-only int4 has no kernel in TensorFlow Lite Micro",
            tensor,
            _QUANTIZE,
        )
    use.refuse(
        "TensorFlow Lite Micro takes int4 only as weights of CONV_2D, DEPTHWISE_CONV_2D and "
        "FULLY_CONNECTED",
        tensor,
        "make the weights of this layer int8",
    )


def _check_operator(use: _Use) -> None:
    """Refuse operators without a registration, and a bias that stops the device."""
    name = use.op.name
    if name == "DEPTHWISE_CONV_2D" and len(use.op.inputs) > 2 and use.input(2) is None:
        use.refuse(
            "TensorFlow Lite Micro follows a null pointer where its bias is marked as left out",
            hint="give the operator two inputs",
        )
    if name in REGISTRATIONS:
        return
    if name.startswith("CUSTOM "):
        use.refuse(
            "custom operators are not supported: only builtin ones can be registered",
            hint="convert the model without it, or compute it before the model",
        )
    if name in FLOATS_ONLY:
        use.refuse("TensorFlow Lite Micro has it for floats only", hint="keep it out of the model")
    instead = ALTERNATIVES.get(name)
    known = instead in REGISTRATIONS
    use.refuse(
        "TensorFlow Lite Micro does not have this operator",
        hint=f"use {instead} instead" if known else "docs/OPERATORS.md lists those it has",
    )


def _check_cmsis_nn(use: _Use) -> None:
    """Refuse what TensorFlow Lite Micro computes wrongly where it has the kernels of CMSIS-NN."""
    types = {tensor.dtype for tensor in use.data}
    weights, data = use.weights, use.data[0] if use.data else None
    wide = [t for t in use.data if len(t.shape) > 4 and not _is_batch(use, t)]
    if use.op.name in FOUR_DIMENSIONS and "int8" in types and wide:
        use.refuse("CMSIS-NN's kernel knows four dimensions", wide[0], "reshape around it")
    if use.op.name == "CONV_2D" and weights is not None and data is not None:
        _check_groups(use, weights, data)
    if use.op.name == "FULLY_CONNECTED" and len(use.data[-1].shape) not in range(2, 5):
        use.refuse("CMSIS-NN's kernel knows outputs of two to four dimensions", use.data[-1])
    if use.op.name in _WIDE_BIAS and "int16" in types:
        bias = use.input(_WIDE_BIAS[use.op.name])
        if bias is not None and bias.dtype != "int64":
            use.refuse("a bias beside int16 activations is read as int64", bias, _QUANTIZE)


def _is_batch(use: _Use, tensor: Tensor) -> bool:
    """Tell whether the dimensions before the last four are 1 for a kernel that leaves them out."""
    return use.op.name in ("PAD", "PADV2") and set(tensor.shape[:-4]) == {1}


def _check_groups(use: _Use, weights: Tensor, data: Tensor) -> None:
    """CMSIS-NN has groups for int8 alone; its other kernels read on behind the weights."""
    grouped = data.shape[-1:] != weights.shape[-1:]
    if grouped and {data.dtype, weights.dtype} & {"int4", "int16"}:
        use.refuse(
            "groups with int4 weights or int16 activations are ignored by CMSIS-NN's kernels",
            weights,
            "make this layer int8, or use DEPTHWISE_CONV_2D",
        )


def _need(name: str, uses: list[_Use]) -> Need:
    """Return the registration for all uses of an operator: the special one, if it fits them all."""
    types = tuple(sorted({use.types for use in uses}))
    kinds = {_kind(use) for use in uses}
    special = f"{name}_{kinds.pop()}" if len(kinds) == 1 else ""
    if special in REGISTRATIONS:
        return Need(special, len(uses), types, "fits all uses, and leaves other kernels out")
    return Need(name, len(uses), types, _why_generic(name))


def _kind(use: _Use) -> str:
    """Return the registration for few types that an operator could do with: INT8, INT4, or none."""
    if use.op.name not in _DATA or {tensor.dtype for tensor in use.data} != {"int8"}:
        return ""
    weights = use.weights
    return weights.dtype.upper() if weights is not None else "INT8"


def _why_generic(name: str) -> str:
    if name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        return "the one for int8 stops in CMSIS-NN, whose assertion is wrong"
    special = any(entry.of == name for entry in REGISTRATIONS.values())
    return "none of those for few types fits all uses" if special else ""
