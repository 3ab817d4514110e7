# SPDX-License-Identifier: Apache-2.0
"""Small models for the compiler's tests, and how to compare our C with TensorFlow Lite Micro."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.tflite_builder import GraphBuilder
from torpor.compile import Compiled
from torpor.engine import Engine
from torpor.golden import Golden

SCALES = (0.02, 0.05, 0.013, 0.031)


def codes(rng: np.random.Generator, shape: tuple[int, ...], bits: int = 8) -> np.ndarray:
    """Return random weight codes of `bits` bits."""
    high = 1 << (bits - 1)
    return rng.integers(-high + 1, high, shape).astype(np.int8)


def small_cnn(seed: int = 0, weight: str = "int8") -> bytes:
    """Return a model with most operators: conv, depthwise, add, pool, reshape, dense, softmax."""
    rng = np.random.default_rng(seed)
    bits = 4 if weight == "int4" else 8
    g = GraphBuilder()
    x = g.input((1, 9, 7, 3), scale=0.04, zero_point=-5, name="window")
    w = g.constant(codes(rng, (4, 3, 3, 3), bits), weight, scale=list(SCALES))
    a = g.conv_2d(x, w, g.bias(x, w, [3, -9, 0, 77]), scale=0.3, zero_point=9, activation="relu")
    k = g.constant(codes(rng, (1, 3, 3, 4), bits), weight, scale=list(SCALES), axis=3)
    b = g.depthwise_conv_2d(a, k, g.bias(a, k, [1, 2, 3, 4]), scale=0.5, zero_point=-3)
    c = g.add(a, b, scale=0.6, zero_point=1)
    d = g.pool_2d("MAX_POOL_2D", c, (2, 2), stride=(2, 2), padding="valid")
    e = g.reshape(d, (1, 4 * 3 * 4))
    v = g.constant(codes(rng, (5, 48), bits), weight, scale=0.02)
    f = g.fully_connected(e, v, g.bias(e, v, [0, 1, 2, 3, 4]), scale=0.9)
    return g.build([g.softmax(f)])


def one_dense(**changes: object) -> bytes:
    """Return a single FULLY_CONNECTED layer; `changes` go to its weights' tensor."""
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.1)
    w = g.constant(np.arange(12).reshape(2, 6) - 6, **{"scale": 0.05, **changes})  # type: ignore[arg-type]
    return g.build([g.fully_connected(x, w, scale=0.2)])


def numbers(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: "np.dtype[Any]", kind: int
) -> NDArray[Any]:
    """Return an input of any type: all smallest (`kind` 0), all largest (1), or random numbers."""
    if dtype == np.float32:
        low, high = -1000, 1000
    elif dtype == np.bool_:
        low, high = 0, 1
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = rng.integers(low, high, shape, endpoint=True)
    return (np.full_like(x, (low, high)[kind]) if kind < 2 else x).astype(dtype)


def mismatches(model: bytes, compiled: Compiled, inputs: int, seed: int) -> list[str]:
    """Return a line for every output that differs from TFLM's, on random and extreme inputs."""
    engine, golden = Engine(compiled.plan, sanitize=True), Golden(model)
    rng = np.random.default_rng(seed)
    found = []
    for n in range(inputs):
        x = [numbers(rng, i.shape, i.dtype, n) for i in golden.inputs]
        for k, (ours, theirs) in enumerate(zip(engine.invoke(x), golden.invoke(x), strict=True)):
            if ours.tobytes() != theirs.tobytes():
                found.append(f"input {n}, output {k}: {ours.ravel()} is not {theirs.ravel()}")
    return found
