# SPDX-License-Identifier: Apache-2.0
"""Kernels on elements of several types, with plans that the compiler would not make."""

import itertools
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.plans import LEAKY_RELU, PAD, QUANTIZE, one_op
from torpor.compile.fixed_point import Rescale
from torpor.compile.kernel_math import clamp_code, requantize, wrap
from torpor.engine import Engine
from torpor.plan.layout import TYPES

INTEGERS = ("int8", "uint8", "int16", "int32")
COUNT = 8


def run(plan: Any, x: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Run a plan of one operator on the bytes of x; return its output as elements of `dtype`."""
    engine = Engine(plan.build(), sanitize=True)
    (y,) = engine.invoke([x.view(np.int8)])
    return y.view(dtype)


def ends(dtype: str) -> NDArray[Any]:
    """Return COUNT codes, the outermost among them."""
    limits = np.iinfo(dtype)
    least = int(limits.min)
    return np.array([least, least + 1, 0, 1, 3, 77, limits.max - 1, limits.max]).astype(dtype)


@pytest.mark.parametrize(("x_type", "y_type"), list(itertools.product(INTEGERS, INTEGERS)))
@pytest.mark.parametrize(
    ("x_point", "y_point", "rescale"),
    [
        (0, 0, Rescale(1 << 30, 1)),
        (-7, 100, Rescale(1518500250, -9)),
        ((1 << 31) - 1, -(1 << 31), Rescale(3 << 29, 12)),
    ],
)
def test_requantize_from_every_integer_type_to_every_one(
    x_type: str, y_type: str, x_point: int, y_point: int, rescale: Rescale
) -> None:
    fields = {
        "count": COUNT,
        "x_type": TYPES[x_type],
        "y_type": TYPES[y_type],
        "x_zero_point": x_point,
        "y_zero_point": y_point,
        "rescale": rescale._asdict(),
    }
    x = ends(x_type)
    sizes = [x.nbytes, COUNT * np.dtype(y_type).itemsize]
    expected = [
        clamp_code(wrap(requantize(wrap(int(v) - x_point), rescale) + y_point), y_type) for v in x
    ]
    assert run(one_op("REQUANTIZE", sizes, lambda _: fields), x, y_type).tolist() == expected


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_both_slopes_and_signs(signs: tuple[int, int]) -> None:
    before, after = signs
    fields = LEAKY_RELU | {"count": COUNT, "sign_before": before, "sign_after": after}
    x = ends("int16")
    above, below = (Rescale(**LEAKY_RELU[name]) for name in ("above", "below"))  # type: ignore[arg-type]
    expected = []
    for v in (int(code) - 300 for code in x):
        y = requantize(v, above) if v >= 0 else after * requantize(before * v, below)
        expected.append(min(max(y - 5, -32000), 32000))
    plan = one_op("LEAKY_RELU_S16", [16, 16], lambda _: fields)
    assert run(plan, x, "int16").tolist() == expected


SPECIAL = {
    float("nan"): 127,  # -2^31, and with the zero point -3 that wraps
    float("inf"): 127,
    float("-inf"): 127,
    2.0**31: 127,
    -(2.0**31) * 0.999: -128,
    12.5: 10,
    -12.5: -16,
    1e-45: -3,
}


def test_floats_that_are_no_codes_are_as_far_away_as_can_be() -> None:
    x = np.array(list(SPECIAL), np.float32)
    fields = QUANTIZE | {"count": COUNT, "scale": 1.0}
    found = run(one_op("QUANTIZE_F32", [32, COUNT], lambda _: fields), x, "int8").tolist()
    assert found == list(SPECIAL.values())


def test_ties_are_rounded_away_from_zero() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, -0.49999997], np.float32)
    fields = QUANTIZE | {"count": COUNT, "scale": 1.0, "y_zero_point": 0}
    found = run(one_op("QUANTIZE_F32", [32, COUNT], lambda _: fields), x, "int8").tolist()
    assert found == [1, 2, 3, -1, -2, -3, 0, 0]


@pytest.mark.parametrize("value", [0x01020304, 0x05060506, 0x07070707])
def test_padding_repeats_four_bytes_from_the_first_byte_on(value: int) -> None:
    x = np.arange(100, 112, dtype=np.uint8)
    y = run(one_op("PAD_S8", [12, 180], lambda _: PAD | {"value": value}), x, "uint8")
    pattern = np.frombuffer(struct.pack("<I", value), np.uint8)
    filled = np.resize(pattern, 180).reshape(2, 3, 1, 5, 6).copy()
    filled[0:1, 1:3, 0:1, 1:3, 2:5] = x.reshape(1, 2, 1, 2, 3)
    assert y.tobytes() == filled.tobytes()
