# SPDX-License-Identifier: Apache-2.0
"""Which operator is the first whose bytes differ from TensorFlow Lite Micro's, and alone too?

Our C runs operator by operator; after each one, what it wrote and everything that is still
needed is compared with the tensors that TFLM's interpreter has kept. Operators that a pass has
fused are one step, so that a finding names all operators of the file that the step stands for.

On a board there are no steps from outside: the model gets every step's result as an output.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from torpor.compile import Compiled, compile_model
from torpor.engine import Engine
from torpor.errors import ModelError
from torpor.golden import Golden
from torpor.graph import Graph, Tensor, read_tflite
from torpor.graph.model import BITS
from torpor.plan.reader import Plan
from torpor.verify.cut import Cut, between, cut_out, with_outputs

Array = NDArray[Any]
Invocations = Sequence[Sequence[Array]]
SHOWN = 5
"""How many differing elements a finding lists."""


class Runner(Protocol):
    """Something that runs a model."""

    def invoke(self, inputs: Sequence[Array], /) -> list[Array]:
        """Run once; return the outputs."""


Open = Callable[[bytes], contextlib.AbstractContextManager[Runner]]
"""Opens a model of the bytes of a .tflite file on whatever is to be tested."""


@dataclass(frozen=True)
class Element:
    """One element that differs."""

    index: tuple[int, ...]
    theirs: float
    ours: float


@dataclass(frozen=True)
class OpName:
    """An operator of the file."""

    index: int
    name: str


@dataclass(frozen=True)
class Finding:
    """The first difference. A variable is shown as the tensor that it is read into.

    Attributes:
        step: which operator of the plan, -1 if only the order of tensors in memory matters.
        kernel: its name in the plan ("CONV_2D_S8").
        operators: the operators of the file that it stands for; the last one wrote the tensor.
        overwrites: the tensor is not the step's own output, but one that is still needed.
        tensor: number of the tensor in the file.
        name: its name.
        dtype: its type.
        shape: its shape.
        differing: how many of its elements differ.
        elements: the first of them.
        invocation: which set of inputs showed it.
    """

    step: int
    kernel: str
    operators: tuple[OpName, ...]
    overwrites: bool
    tensor: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    differing: int
    elements: tuple[Element, ...]
    invocation: int


@dataclass(frozen=True)
class Reproduction:
    """The smallest model that was found to differ, and the inputs with which it does."""

    cut: Cut
    invocations: list[list[Array]]


def on_this_computer(tflite: bytes) -> contextlib.AbstractContextManager[Runner]:
    """Open a model in our C on this computer."""
    return contextlib.nullcontext(Engine(compile_model(tflite).plan))


# ---- the first difference


def first_difference(tflite: bytes, invocations: Invocations) -> Finding | None:
    """Return the first difference of our C on this computer, step by step.

    Raises:
        ModelError: the model is broken, not supported, or refused by TFLM.
    """
    graph, compiled = read_tflite(tflite), compile_model(tflite)
    golden, engine = Golden(tflite, keep_tensors=True), Engine(compiled.plan)
    watch = _Watch(graph, compiled)
    for number, inputs in enumerate(invocations):
        golden.invoke(inputs)
        engine.write_inputs(inputs)
        for step in range(len(compiled.records)):
            for tensor, part in watch.before[step]:
                expected, found = golden.tensor(tensor), engine.tensor(part)
                if found != expected.tobytes():
                    return watch.finding(watch.assigns[part], tensor, expected, found, number)
            engine.step(step)
            for tensor in watch.after[step]:
                expected, found = golden.tensor(tensor), engine.tensor(compiled.numbers[tensor])
                if found != expected.tobytes():
                    return watch.finding(step, tensor, expected, found, number)
    return None


class _Watch:
    """What is to be compared when, as tensors of the file.

    Attributes:
        before: for each step (tensor, tensor of the plan) of the variables that it reads.
        after: for each step what it wrote, then what is still needed.
        assigns: tensor of the plan -> the step that assigns this variable.
    """

    def __init__(self, graph: Graph, compiled: Compiled) -> None:
        self._graph, self._compiled = graph, compiled
        numbers = compiled.numbers
        spans = [(t["first"], t["last"]) for t in Plan.parse(compiled.plan).tensors]
        self.assigns = {
            numbers[t]: step
            for step, record in enumerate(compiled.records)
            for t in record.states.values()
            if not _is_kept(graph, t)
        }
        self.before: list[list[tuple[int, int]]] = []
        self.after: list[list[int]] = []
        holders = {numbers[t]: t for t in graph.inputs}
        for step, record in enumerate(compiled.records, 1):
            assigned = [t for t in record.reads if numbers[t] in self.assigns]
            shown = [t if _is_kept(graph, t) else record.writes[0] for t in assigned]
            self.before.append([(t, numbers[a]) for t, a in zip(shown, assigned, strict=True)])
            written = [t for t in (*record.writes, *record.states.values()) if _is_kept(graph, t)]
            holders |= {numbers[t]: t for t in written}
            needed = [t for n, t in holders.items() if spans[n][0] <= step < spans[n][1]]
            self.after.append(list(dict.fromkeys([*written, *needed])))

    def finding(
        self, step: int, tensor: int, expected: Array, found: bytes, invocation: int
    ) -> Finding:
        """Return what differs in a tensor because of a step."""
        record, graph = self._compiled.records[step], self._graph
        own = not record.writes or tensor in (*record.writes, *record.states.values())
        return make_finding(
            graph,
            graph.tensors[tensor],
            expected,
            np.frombuffer(found, expected.dtype),
            step=step,
            kernel=record.code,
            operators=_behind(graph, self._compiled, step),
            overwrites=not own,
            invocation=invocation,
        )


def _is_kept(graph: Graph, tensor: int) -> bool:
    """Tell whether TFLM's interpreter can show the tensor: resources it cannot."""
    return tensor < len(graph.tensors) and graph.tensors[tensor].dtype in BITS


def _behind(graph: Graph, compiled: Compiled, step: int) -> tuple[OpName, ...]:
    """Return the operators of the file that a step stands for, ascending."""
    record = compiled.records[step]
    computing = [i for t in record.writes for i in between(graph, t, record.reads)]
    found = sorted({*computing, compiled.report.ops[step].index})
    return tuple(OpName(i, graph.ops[i].name) for i in found)


def make_finding(
    graph: Graph, tensor: Tensor, expected: Array, found: Array, **members: Any
) -> Finding:
    """Return a finding about `tensor`; `members` are those that are not about the tensor."""
    a, b = expected.reshape(-1), found.reshape(-1)
    wrong = [int(i) for i in np.flatnonzero(_as_bytes(a) != _as_bytes(b))]
    return Finding(
        **members,
        tensor=tensor.index,
        name=tensor.name,
        dtype=tensor.dtype,
        shape=tensor.shape,
        differing=len(wrong),
        elements=tuple(
            Element(_place(i, expected.shape), a[i].item(), b[i].item()) for i in wrong[:SHOWN]
        ),
    )


def _as_bytes(values: Array) -> Array:
    """Return something to compare by: a float that is no number equals itself then."""
    return values.view(f"V{values.dtype.itemsize}")


def _place(at: int, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(at, tuple(shape) or (1,)))


# ---- where only outputs can be seen


def first_difference_of(tflite: bytes, invocations: Invocations, opens: Open) -> Finding | None:
    """Return the first difference of a device of which only outputs can be read.

    Raises:
        BudgetError: the model does not fit with the result of every step as an output.
        ModelError, DeviceError: as the device and the compiler have them.
    """
    graph = read_tflite(tflite)
    plain = _first_of_outputs(graph, tflite, graph.outputs, invocations, opens)
    if plain is None:
        return None
    compiled = compile_model(tflite)
    steps = {t: step for step, record in enumerate(compiled.records) for t in record.writes}
    wider = _first_of_outputs(
        graph, with_outputs(tflite, list(steps)), list(steps), invocations, opens
    )
    if wider is None:
        return _finding_of(graph, plain, step=-1, kernel="", operators=())
    step = steps[wider[0]]
    kernel = compiled.records[step].code
    operators = _behind(graph, compiled, step)
    return _finding_of(graph, wider, step=step, kernel=kernel, operators=operators)


_Seen = tuple[int, int, Array, Array]
"""Tensor, invocation, what TFLM has there, what the device has there."""


def _first_of_outputs(
    graph: Graph, tflite: bytes, outputs: Sequence[int], invocations: Invocations, opens: Open
) -> _Seen | None:
    golden = Golden(tflite)
    with opens(tflite) as device:
        for number, inputs in enumerate(invocations):
            pairs = zip(golden.invoke(inputs), device.invoke(list(inputs)), strict=True)
            for tensor, (expected, found) in zip(outputs, pairs, strict=True):
                if expected.tobytes() != found.tobytes():
                    return tensor, number, expected, found
    return None


def _finding_of(graph: Graph, seen: _Seen, **members: Any) -> Finding:
    tensor, invocation, expected, found = seen
    return make_finding(
        graph,
        graph.tensors[tensor],
        expected,
        found,
        overwrites=False,
        invocation=invocation,
        **members,
    )


# ---- the smallest model


def reproduce(
    tflite: bytes, finding: Finding, invocations: Invocations, opens: Open = on_this_computer
) -> Reproduction:
    """Return the smallest of these that differs too: the operators alone, all up to them, all."""
    for found in _candidates(tflite, finding, invocations):
        with contextlib.suppress(ModelError):
            if needed := _needed(found, opens):
                return Reproduction(found.cut, found.invocations[:needed])
    graph = read_tflite(tflite)
    whole = Cut(tflite, graph.inputs, tuple(op.index for op in graph.ops))
    return Reproduction(whole, [list(x) for x in invocations[: finding.invocation + 1]])


def _candidates(
    tflite: bytes, finding: Finding, invocations: Invocations
) -> Iterator[Reproduction]:
    graph = read_tflite(tflite)
    if not finding.operators or graph.subgraphs:
        return
    output = graph.ops[finding.operators[-1].index].outputs
    alone = cut_out(tflite, [op.index for op in finding.operators], output)
    if not output or not all(_is_kept(graph, t) for t in alone.inputs):
        return
    golden = Golden(tflite, keep_tensors=True)
    kept = []
    for inputs in invocations:
        golden.invoke(inputs)
        kept.append([golden.tensor(t) for t in alone.inputs])
    yield Reproduction(alone, [kept[finding.invocation]])
    yield Reproduction(alone, kept)
    wanted = [*output, *([finding.tensor] if finding.overwrites else [])]
    before = sorted({i for t in wanted for i in between(graph, t)})
    prefix = cut_out(tflite, before, list(dict.fromkeys(wanted)))
    places = [graph.inputs.index(t) for t in prefix.inputs]
    yield Reproduction(prefix, [[x[i] for i in places] for x in invocations])


def _needed(found: Reproduction, opens: Open) -> int:
    """Return how many invocations show a difference, 0 if all of them show none."""
    golden = Golden(found.cut.tflite)
    with opens(found.cut.tflite) as device:
        for number, inputs in enumerate(found.invocations, 1):
            expected, ours = golden.invoke(inputs), device.invoke(inputs)
            if any(a.tobytes() != b.tobytes() for a, b in zip(expected, ours, strict=True)):
                return number
    return 0
