# SPDX-License-Identifier: Apache-2.0
"""What an operator's file needs: the site of the operator, the record it returns, the registry.

An operator is one file in `torpor.compile.ops` with one function:

    @operator("RELU", supports="int8 in and out")
    def lower(site: Site) -> Record: ...
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from torpor.errors import ModelError, UnsupportedError
from torpor.graph.model import Graph, Op, Tensor

ALTERNATIVES = {
    "CONV_3D": "CONV_2D",
    "ELU": "RELU",
    "GELU": "RELU or RELU6",
    "REDUCE_MAX": "MAX_POOL_2D",
    "SUM": "MEAN",
}
"""What to use instead of operators that are not supported."""


CODE_RANGES = {
    "int8": range(-128, 128),
    "uint8": range(256),
    "int16": range(-(1 << 15), 1 << 15),
}
"""The codes of quantized types."""


@dataclass(frozen=True)
class Record:
    """A lowered operator, before the tensors have places and the data has offsets.

    Attributes:
        code: the plan's operator name ("CONV_2D_S8").
        fields: the record's members, except tensors and data offsets.
        tensors: member ("x", "a", "b", "y") -> tensor of the graph, or several for an array;
            "y" is the output, which an operator that only writes states has not.
        states: member -> variable tensor of the graph that is read and written.
        data: member ("weights", "channels", "constant") -> bytes for the data section.
        flags: PLAN_OP_* flags.
        note: why this record, for the report.
    """

    code: str
    fields: dict[str, Any]
    tensors: dict[str, int | tuple[int, ...]]
    states: dict[str, int] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    flags: int = 0
    note: str = ""

    @property
    def reads(self) -> tuple[int, ...]:
        """The tensors read, the first of which the output may overlap."""
        found: list[int] = []
        for member, tensors in self.tensors.items():
            if member != "y":
                found += (tensors,) if isinstance(tensors, int) else tensors
        return tuple(found)

    @property
    def writes(self) -> tuple[int, ...]:
        """The tensor written, if there is one: at most one."""
        y = self.tensors.get("y", ())
        return (y,) if isinstance(y, int) else y

    @property
    def touches(self) -> tuple[int, ...]:
        """All tensors that the record names."""
        return (*self.reads, *self.writes, *self.states.values())


@dataclass(frozen=True)
class Operator:
    """A supported operator: how it is lowered, and in words what is supported."""

    name: str
    supports: str
    lower: "Callable[[Site], Record]"


OPERATORS: dict[str, Operator] = {}


def operator(
    *names: str, supports: str
) -> "Callable[[Callable[[Site], Record]], Callable[[Site], Record]]":
    """Register a function as the lowering of the operators `names`."""

    def register(lower: "Callable[[Site], Record]") -> "Callable[[Site], Record]":
        for name in names:
            OPERATORS[name] = Operator(name, supports, lower)
        return lower

    return register


@dataclass(frozen=True)
class Site:
    """One operator of a graph, with checks that fail in words."""

    graph: Graph
    op: Op
    supports: str = ""

    @property
    def where(self) -> str:
        """The operator's index and name, for messages."""
        return f"operator {self.op.index} ({self.op.name})"

    def unsupported(self, reason: str, tensor: Tensor | None = None) -> NoReturn:
        """Refuse the operator because of `reason`.

        Raises:
            UnsupportedError: always.
        """
        what = f", tensor {tensor.index} {tensor.describe()}" if tensor else ""
        hint = f"{self.op.name} is supported with {self.supports}" if self.supports else ""
        raise UnsupportedError(f"{self.where}{what}: {reason}", hint)

    def broken(self, reason: str, tensor: Tensor | None = None) -> NoReturn:
        """Refuse the model because the operator makes no sense.

        Raises:
            ModelError: always.
        """
        what = f", tensor {tensor.index} {tensor.describe()}" if tensor else ""
        raise ModelError(f"{self.where}{what}: {reason}", "convert the model again")

    def need(self, condition: bool, reason: str, tensor: Tensor | None = None) -> None:
        """Call `broken` unless `condition` holds."""
        if not condition:
            self.broken(reason, tensor)

    def option(self, name: str) -> Any:
        """Return the option `name`."""
        return self.op.options[name]

    def has_input(self, position: int) -> bool:
        """Tell whether the operator has an input at `position`."""
        return position < len(self.op.inputs) and self.op.inputs[position] >= 0

    def any_input(self, position: int) -> Tensor:
        """Return the input at `position`."""
        self.need(self.has_input(position), f"input {position} is missing")
        return self.graph.tensors[self.op.inputs[position]]

    def activation(self, position: int, *dtypes: str) -> Tensor:
        """Return the activation at input `position`, of one of `dtypes` (int8 if none is given).

        Its quantization is checked, if it is of a quantized type.
        """
        tensor = self.any_input(position)
        if tensor.data is not None:
            self.unsupported("a constant where an activation is expected", tensor)
        return self._checked(tensor, dtypes)

    def operand(self, position: int, *dtypes: str) -> Tensor:
        """Return the activation or constant at input `position`, checked as by `activation`."""
        return self._checked(self.any_input(position), dtypes)

    def output(self, *dtypes: str) -> Tensor:
        """Return the only output, checked as by `activation`."""
        if len(self.op.outputs) != 1:
            self.broken("has more than one output")
        return self._checked(self.graph.tensors[self.op.outputs[0]], dtypes)

    def state(self, position: int, *dtypes: str) -> Tensor:
        """Return the variable at input `position`, checked as by `activation`."""
        tensor = self.any_input(position)
        self.need(tensor.is_variable and tensor.data is None, "must be a variable", tensor)
        return self._quantized(tensor, dtypes)

    def _checked(self, tensor: Tensor, dtypes: tuple[str, ...]) -> Tensor:
        if tensor.is_variable:
            self.unsupported("a variable where an activation is expected", tensor)
        return self._quantized(tensor, dtypes)

    def _quantized(self, tensor: Tensor, dtypes: tuple[str, ...]) -> Tensor:
        if tensor.dtype == "float32" and tensor.dtype not in dtypes:
            raise UnsupportedError(
                f"{self.where}, tensor {tensor.index} {tensor.describe()}: it computes in floats",
                "quantize the model with torpor quantize",
            )
        if tensor.dtype not in (dtypes or ("int8",)):
            self.unsupported(f"{tensor.dtype} activations are not supported", tensor)
        self.need(tensor.elements > 0, "an empty tensor", tensor)
        codes = CODE_RANGES.get(tensor.dtype)
        if codes is None:
            return tensor
        if len(tensor.scales) != 1 or tensor.scale <= 0 or len(tensor.zero_points) > 1:
            self.broken(
                f"an {tensor.dtype} activation needs one scale above 0 and one zero point", tensor
            )
        self.need(tensor.zero_point in codes, f"zero point outside {tensor.dtype}", tensor)
        return tensor

    def constant(self, position: int, *dtypes: str) -> Tensor:
        """Return the constant at input `position`, of one of `dtypes`."""
        tensor = self.any_input(position)
        if tensor.data is None:
            self.unsupported("must be a constant of the model", tensor)
        if tensor.dtype not in dtypes:
            self.unsupported(f"must be {' or '.join(dtypes)}", tensor)
        return tensor

    def fused_activation(self) -> str:
        """Return the fused activation, one of those that are clamps."""
        name = str(self.option("activation"))
        if name not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            self.unsupported(f"the fused activation {name} is not supported")
        return name


def lower_op(graph: Graph, op: Op) -> Record:
    """Lower one operator.

    Raises:
        UnsupportedError: the operator, or something about it, is not supported.
        ModelError: the operator is inconsistent.
    """
    if op.name not in OPERATORS:
        _refuse(graph, op)
    return OPERATORS[op.name].lower(site_of(graph, op))


def site_of(graph: Graph, op: Op) -> Site:
    """Return the site of a supported operator."""
    return Site(graph, op, OPERATORS[op.name].supports)


def _refuse(graph: Graph, op: Op) -> NoReturn:
    output = graph.tensors[op.outputs[0]]
    instead = ALTERNATIVES.get(op.name)
    hint = f"supported: {', '.join(sorted(OPERATORS))}"
    raise UnsupportedError(
        f"operator {op.index} ({op.name}), output tensor {output.index} {output.describe()}: "
        "the operator is not supported",
        f"use {instead} instead; {hint}" if instead else hint,
    )
