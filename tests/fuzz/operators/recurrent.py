# SPDX-License-Identifier: Apache-2.0
"""Operators with a state that lives from one invocation to the next."""

import math

import numpy as np

from tests.fuzz.graphs import Sketch, generator


@generator("SVDF")
def svdf(s: Sketch, _name: str) -> list[int]:
    x = s.activation(2)
    batches, in_n = s.graph.shape(x)
    units, rank, memory = s.draw.integer(1, 6), s.draw.integer(1, 3), s.draw.integer(1, 9)
    dtype = s.draw.pick(("int16", "int8"))
    feature = s.weights((units * rank, in_n), None)
    most = np.iinfo(dtype).max
    values = s.draw.rng().integers(-most, most + 1, (units * rank, memory))
    time = s.graph.constant(values, dtype, scale=s.draw.power(-9, -6) * 127 / most)
    width = s.graph.scale(x) * s.graph.scale(feature) * 5000 * math.sqrt(in_n)
    scale = s.near(width / most)
    filters = (batches, units * rank * memory)
    point = s.zero_point(dtype) if s.draw.chance(0.3) else 0
    state = s.graph.tensor(filters, dtype, scale=scale, zero_point=point, is_variable=True)
    bias = s.draw.rng().integers(-3000, 3000, units).tolist()
    total = scale * s.graph.scale(time) * most * most * math.sqrt(memory * rank) / 300
    activation = s.draw.pick(("none", "relu", "relu6"))
    y = s.graph.svdf(
        x, feature, time, state, bias, **s.output(total), rank=rank, activation=activation
    )
    return [y]


@generator("READ_VARIABLE", "ASSIGN_VARIABLE")
def variable(s: Sketch, name: str) -> list[int]:
    """Reads a variable and assigns it what comes in, before, after or instead of reading it."""
    x = s.activation(dtypes=("int8", "int16"))
    codes, shape = s.same_codes(x), s.graph.shape(x)
    label = f"v{len(s.written)}"
    if s.draw.chance(0.4):
        once = s.graph.subgraph()
        value = once.constant(s.values(shape, codes["dtype"]), **codes)
        once.assign_variable(once.var_handle(label), value)
        s.subgraphs += 1
        s.graph.call_once(s.subgraphs)
    handle = s.graph.var_handle(label)
    assigns_first = name == "ASSIGN_VARIABLE" and s.draw.chance(0.3)
    if assigns_first:
        s.graph.assign_variable(handle, x)
    y = s.graph.read_variable(handle, shape, **codes)
    if not assigns_first:
        s.graph.assign_variable(handle, x)
    return [y]
