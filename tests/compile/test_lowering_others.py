# SPDX-License-Identifier: Apache-2.0
"""Records of ADD, MEAN, PAD, RELU, RESHAPE and SOFTMAX, against what the hand computes."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sites import OneOp
from torpor.compile.lowering import OPERATORS
from torpor.errors import ModelError, UnsupportedError
from torpor.plan.layout import CONST

HALF = 1 << 30
CLAMP_ONLY = {"multiplier": 0, "shift": 0}


def add(a: tuple[int, ...], b: tuple[int, ...], **o: Any) -> OneOp:
    return OneOp("ADD", **o).reads(a).reads(b)


def mean(x: tuple[int, ...], axes: list[int], scale: float = 0.5) -> OneOp:
    return OneOp("MEAN").reads(x, scale).constant(axes, "int32")


def pad(x: tuple[int, ...], pairs: list[tuple[int, int]], name: str = "PAD", **c: Any) -> OneOp:
    return OneOp(name).reads(x, **c).constant(pairs, "int32")


def unary(name: str, x: tuple[int, ...] = (2, 3), scale: float = 0.5, point: int = 0) -> OneOp:
    return OneOp(name).reads(x, scale, zero_points=(point,))


def softmax(x: tuple[int, ...] = (2, 5), scale: float = 0.5, **o: Any) -> OneOp:
    return OneOp("SOFTMAX", **o).reads(x, scale)


PROBABILITY: dict[str, Any] = {"scale": 1 / 256, "zero_points": (-128,)}


# ---- ADD


@pytest.mark.parametrize(("first", "flag"), [(True, "A"), (False, "B")])
def test_an_operand_that_is_constant_lies_in_the_data_section(first: bool, flag: str) -> None:
    site = OneOp("ADD")
    site = site.constant([1, -2]).reads((2,)) if first else site.reads((2,)).constant([1, -2])
    record = site.lower((2,))
    assert record.data == {"constant": b"\x01\xfe"}
    assert record.flags == CONST[f"PLAN_OP_CONST_{flag}"]
    assert set(record.tensors) == {"b" if first else "a", "y"}


def test_every_member_of_an_addition() -> None:
    site = OneOp("ADD", activation="RELU").reads((2, 3), 0.5, zero_points=(4,))
    site.reads((2, 3), 2.0, zero_points=(-5,))
    record = site.lower((2, 3), scale=1.0, zero_points=(-6,))
    assert record.code == "ADD_S8"
    assert record.tensors == {"a": 0, "b": 1, "y": 2} and record.reads == (0, 1)
    assert record.fields == {
        "left_shift": 20,
        "dims": [1, 1, 1, 6],
        "a_strides": [0, 0, 0, 1],
        "b_strides": [0, 0, 0, 1],
        "a_zero_point": 4,
        "b_zero_point": -5,
        "y_zero_point": -6,
        "a_rescale": {"multiplier": HALF, "shift": -2},  # 0.5 / (2 * 2) = 2^-3
        "b_rescale": {"multiplier": HALF, "shift": 0},  # 2 / (2 * 2) = 2^-1
        "y_rescale": {"multiplier": HALF, "shift": -17},  # 2 * 2 / 2^20 / 1 = 2^-18
        "act_min": -6,
        "act_max": 127,
    }


@pytest.mark.parametrize(
    ("a", "b", "dims", "a_strides", "b_strides"),
    [
        ((4, 5), (4, 5), [1, 1, 1, 20], [0, 0, 0, 1], [0, 0, 0, 1]),
        ((4, 5), (5,), [1, 1, 4, 5], [0, 0, 5, 1], [0, 0, 0, 1]),
        ((5,), (4, 5), [1, 1, 4, 5], [0, 0, 0, 1], [0, 0, 5, 1]),
        ((4, 1), (1, 5), [1, 1, 4, 5], [0, 0, 1, 0], [0, 0, 0, 1]),
        ((2, 3, 4), (1, 3, 1), [1, 2, 3, 4], [0, 12, 4, 1], [0, 0, 1, 0]),
        ((2, 3, 4), (1, 1, 4), [1, 1, 6, 4], [0, 0, 4, 1], [0, 0, 0, 1]),
        ((2, 3, 4), (2, 1, 4), [1, 2, 3, 4], [0, 12, 4, 1], [0, 4, 0, 1]),
        ((2, 1, 4), (2, 1, 4), [1, 1, 1, 8], [0, 0, 0, 1], [0, 0, 0, 1]),
        ((2, 1, 4, 1, 3), (1,), [1, 1, 1, 24], [0, 0, 0, 1], [0, 0, 0, 0]),
        ((2, 3, 2, 3), (2, 1, 2, 1), [2, 3, 2, 3], [18, 6, 3, 1], [2, 0, 1, 0]),
        ((), (), [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]),
        ((7,), (), [1, 1, 1, 7], [0, 0, 0, 1], [0, 0, 0, 0]),
    ],
)
def test_neighbours_that_repeat_alike_are_one_dimension(
    a: tuple[int, ...],
    b: tuple[int, ...],
    dims: list[int],
    a_strides: list[int],
    b_strides: list[int],
) -> None:
    rank = max(len(a), len(b))
    wide = [(1,) * (rank - len(s)) + s for s in (a, b)]
    y = tuple(max(p) for p in zip(*wide, strict=True))
    fields = add(a, b).lower(y).fields
    assert (fields["dims"], fields["a_strides"], fields["b_strides"]) == (
        dims,
        a_strides,
        b_strides,
    )


SHAPES = st.lists(st.tuples(st.sampled_from("=ab1"), st.integers(2, 3)), max_size=5)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SHAPES)
def test_strides_visit_what_broadcasting_repeats(parts: list[tuple[str, int]]) -> None:
    a = tuple(1 if kind in "a1" else n for kind, n in parts)
    b = tuple(1 if kind in "b1" else n for kind, n in parts)
    y = tuple(1 if kind == "1" else n for kind, n in parts)
    try:
        fields = add(a, b).lower(y).fields
    except UnsupportedError as error:
        assert "more than 4 groups" in error.message
        return
    for shape, strides in ((a, fields["a_strides"]), (b, fields["b_strides"])):
        assert places(fields["dims"], strides) == broadcast_places(shape, y)


def places(dims: list[int], strides: list[int]) -> list[int]:
    """Return the offsets that a loop over `dims` with `strides` visits."""
    found = [0]
    for size, stride in zip(dims, strides, strict=True):
        found = [base + i * stride for base in found for i in range(size)]
    return found


def broadcast_places(shape: tuple[int, ...], y: tuple[int, ...]) -> list[int]:
    """Return, for each element of y, the offset of the element of `shape` that it takes."""
    found, step = [0], math.prod(shape)
    for size, out in zip(shape, y, strict=True):
        step //= size
        found = [base + (i if size > 1 else 0) * step for base in found for i in range(out)]
    return found


def test_five_groups_of_dimensions_are_too_many() -> None:
    with pytest.raises(UnsupportedError, match="more than 4 groups"):
        add((2, 1, 2, 1, 2), (1, 2, 1, 2, 1)).lower((2, 2, 2, 2, 2))


@pytest.mark.parametrize(("scale", "fits"), [(2.0**-20, False), (2.0**-19, True)])
def test_the_factor_of_a_sum_must_be_below_one(scale: float, fits: bool) -> None:
    if fits:  # 2 * 0.5 / 2^20 / 2^-19 = 2^-1
        assert add((2,), (2,)).lower((2,), scale).fields["y_rescale"]["shift"] == 0
    else:
        with pytest.raises(UnsupportedError, match="output scale is too small"):
            add((2,), (2,)).lower((2,), scale)


# ---- MEAN


@pytest.mark.parametrize(
    ("x", "axes", "y", "folded"),
    [
        ((2, 3, 4, 5), [1, 2], (2, 5), (2, 12, 5)),
        ((2, 3, 4, 5), [2, 1], (2, 5), (2, 12, 5)),
        ((2, 3, 4, 5), [-2, -3, 1], (2, 1, 1, 5), (2, 12, 5)),
        ((2, 3, 4, 5), [3], (2, 3, 4), (24, 5, 1)),
        ((2, 3, 4, 5), [0], (3, 4, 5), (1, 2, 60)),
        ((2, 3, 4, 5), [0, 1, 2, 3], (), (1, 120, 1)),
        ((2, 3), [-2], (3,), (1, 2, 3)),
        ((2, 1, 4, 5), [0, 2], (1, 5), (1, 8, 5)),
        ((2, 1, 4, 5), [1], (2, 4, 5), (40, 1, 1)),
        ((2, 3), [], (2, 3), (6, 1, 1)),
        ((1, 1, 6), [0, 2], (1,), (1, 6, 1)),
    ],
)
def test_a_mean_is_folded_into_three_dimensions(
    x: tuple[int, ...], axes: list[int], y: tuple[int, ...], folded: tuple[int, int, int]
) -> None:
    record = mean(x, axes).lower(y)
    assert record.code == "MEAN_S8" and record.tensors == {"x": 0, "y": 2}
    assert tuple(record.fields[k] for k in ("outer", "reduced", "inner")) == folded


def test_a_mean_divides_in_its_multiplier() -> None:
    site = OneOp("MEAN").reads((1, 12), 0.5, zero_points=(-9,)).constant([1], "int32")
    fields = site.lower((1, 1), scale=0.25, zero_points=(3,)).fields
    # 2 is 2^30 * 2^-29; 8 <= 12 < 16, so 3 bits are won: trunc(2^30 * 8 / 12) * 2^(2 - 3 - 31)
    assert fields["rescale"] == {"multiplier": (HALF << 3) // 12, "shift": -1}
    assert (fields["x_zero_point"], fields["y_zero_point"]) == (-9, 3)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 5000), st.integers(-6, 6))
def test_a_mean_is_never_too_large_and_off_by_less_than_a_unit(count: int, power: int) -> None:
    rescale = mean((1, count), [1], 2.0**power).lower((1, 1), scale=1.0).fields["rescale"]
    made = rescale["multiplier"] * Fraction(2) ** (rescale["shift"] - 31)
    exact = Fraction(2) ** power / count
    assert 0 <= exact - made < Fraction(2) ** (rescale["shift"] - 31)
    assert rescale["multiplier"] >= 1 << 29


@pytest.mark.parametrize(("count", "fits"), [(1 << 23, True), ((1 << 23) + 1, False)])
def test_a_mean_may_be_over_2_to_the_23_elements(count: int, fits: bool) -> None:
    site = mean((1, count), [1])
    if fits:
        assert site.lower((1, 1)).fields["reduced"] == count
    else:
        with pytest.raises(UnsupportedError, match="a mean over 8388609 elements overflows"):
            site.lower((1, 1))


# ---- PAD


def test_every_member_of_a_padding() -> None:
    record = pad((2, 3), [(1, 0), (2, 4)]).lower((3, 9), zero_points=(-7,))
    assert record.code == "PAD_S8" and record.tensors == {"x": 0, "y": 2}
    assert record.fields == {
        "dims": [1, 1, 1, 2, 3],
        "before": [0, 0, 0, 1, 2],
        "after": [0, 0, 0, 0, 4],
        "value": int.from_bytes(b"\xf9\xf9\xf9\xf9", "little", signed=True),
    }


def test_a_padding_may_bring_its_own_value() -> None:
    site = pad((2,), [(1, 1)], "PADV2").constant([-100], scales=(0.5,))
    value = site.lower((4,)).fields["value"]
    assert value.to_bytes(4, "little", signed=True) == bytes([256 - 100] * 4)


# ---- RELU and RELU6


def test_a_relu_of_equal_quantization_only_clamps() -> None:
    fields = unary("RELU", point=-5).lower((2, 3), zero_points=(-5,)).fields
    assert fields == {
        "count": 6,
        "x_zero_point": -5,
        "y_zero_point": -5,
        "act_min": -5,
        "act_max": 127,
        "rescale": CLAMP_ONLY,
    }


@pytest.mark.parametrize(("scale", "point"), [(0.5, 1), (0.25, 0)])
def test_a_relu_of_another_zero_point_or_scale_rescales(scale: float, point: int) -> None:
    fields = unary("RELU").lower((6,), scale, zero_points=(point,)).fields
    shift = {0.5: 1, 0.25: 2}[scale]
    assert fields["rescale"] == {"multiplier": HALF, "shift": shift}
    assert (fields["act_min"], fields["act_max"]) == (point, 127)


@pytest.mark.parametrize(
    ("scale", "point", "six"),
    [(0.1, 0, 60), (0.5, 0, 12), (0.5, -128, -116), (0.01, 0, 127), (4.0, 3, 5)],
)
def test_a_relu6_clamps_codes_of_its_input(scale: float, point: int, six: int) -> None:
    fields = unary("RELU6", scale=scale, point=point).lower((2, 3), 0.125).fields
    assert (fields["act_min"], fields["act_max"]) == (point, six)
    assert fields["rescale"] == CLAMP_ONLY and fields["y_zero_point"] == 0


# ---- RESHAPE and SOFTMAX


def test_a_reshape_copies_bytes() -> None:
    record = OneOp("RESHAPE").reads((2, 6)).lower((3, 4))
    assert (record.code, record.fields) == ("COPY", {"bytes": 12})
    assert "copied" in record.note


@pytest.mark.parametrize(
    ("scale", "beta", "shift", "diff_min"),
    [
        (1.0, 1.0, 27, -15.5),  # 2^26 = 2^30 * 2^(27 - 31); 31 * 2^26 / 2^27 = 15.5
        (0.5, 1.0, 26, -31),
        (0.5, 4.0, 28, -7.75),
        (0.125, 1.0, 24, -124),
        (0.125, 0.25, 22, -496),
    ],
)
def test_every_member_of_a_softmax(scale: float, beta: float, shift: int, diff_min: float) -> None:
    record = softmax((2, 3, 5), scale, beta=beta).lower((2, 3, 5), **PROBABILITY)
    assert record.code == "SOFTMAX_S8" and record.tensors == {"x": 0, "y": 1}
    assert record.fields == {
        "rows": 6,
        "depth": 5,
        "rescale": {"multiplier": HALF, "shift": shift},
        "diff_min": math.ceil(diff_min),
    }


def test_a_steep_softmax_is_cut_off_below_2_to_the_31() -> None:
    fields = softmax(scale=1.0, beta=1e6).lower((2, 5), **PROBABILITY).fields
    assert fields["rescale"] == {"multiplier": (1 << 31) - 1, "shift": 31}
    assert fields["diff_min"] == 0


@pytest.mark.parametrize(("beta", "fits"), [(2.0**-26, False), (2.0**-25, True)])
def test_a_softmax_must_scale_by_more_than_one(beta: float, fits: bool) -> None:
    site = softmax(scale=1.0, beta=beta)
    if fits:
        assert site.lower((2, 5), **PROBABILITY).fields["rescale"]["shift"] == 2
    else:
        with pytest.raises(UnsupportedError, match="times the input's scale is too small"):
            site.lower((2, 5), **PROBABILITY)


@pytest.mark.parametrize(("depth", "fits"), [(4095, True), (4096, False)])
def test_a_softmax_has_at_most_4095_classes(depth: int, fits: bool) -> None:
    site = softmax((1, depth))
    if fits:
        assert site.lower((1, depth), **PROBABILITY).fields["depth"] == depth
    else:
        with pytest.raises(UnsupportedError, match="more than 4095 classes"):
            site.lower((1, depth), **PROBABILITY)


# ---- refusals

BROKEN: dict[str, tuple[OneOp, tuple[int, ...], str]] = {
    "add: shapes": (add((2, 3), (2, 4)), (2, 4), r"shapes \[2, 3\] and \[2, 4\] do not fit"),
    "add: size": (add((2, 3), (3,)), (3, 3), r"should have the shape \[2, 3\]"),
    "add: one input": (OneOp("ADD").reads((2,)), (2,), "input 1 is missing"),
    "mean: axis": (mean((2, 3), [2]), (2, 3), "reduces an axis that is not there"),
    "mean: negative axis": (mean((2, 3), [-3]), (2, 3), "reduces an axis that is not there"),
    "mean: size": (mean((2, 3), [1]), (3,), "has not 2 elements"),
    "mean: no axes": (OneOp("MEAN").reads((2,)), (2,), "input 1 is missing"),
    "pad: size": (pad((2, 3), [(1, 0), (0, 0)]), (2, 4), r"should have the shape \[3, 3\]"),
    "pad: pairs": (pad((2, 3), [(1, 0)]), (3, 3), "needs two numbers a dimension"),
    "pad: negative": (pad((2, 3), [(-1, 0), (0, 0)]), (1, 3), "negative padding"),
    "pad: negative after": (pad((2, 3), [(0, -1), (0, 0)]), (1, 3), "negative padding"),
    "pad: values": (
        pad((2,), [(1, 1)], "PADV2").constant([1, 2], scales=(0.5,)),
        (4,),
        "must be one number",
    ),
    "relu: size": (unary("RELU"), (7,), "differ in size"),
    "relu6: size": (unary("RELU6"), (5,), "differ in size"),
    "mean: neighbours": (mean((2, 3, 4), [0, 2]), (3,), "the axes are no neighbours"),
    "mean: neighbours but for two": (mean((2, 2, 4), [0, 2]), (2,), "axes are no neighbours"),
    "reshape: size": (OneOp("RESHAPE").reads((2, 3)), (5,), "do not fit"),
}
UNSUPPORTED: dict[str, tuple[OneOp, tuple[int, ...], str]] = {
    "add: constants": (OneOp("ADD").constant([1]).constant([2]), (1,), "both operands are const"),
    "add: activation": (add((2,), (2,), activation="TANH"), (2,), "activation TANH"),
    "mean: axes of 64 bits": (
        OneOp("MEAN").reads((2, 3)).constant([1], "int64"),
        (2,),
        "tensor 1 .*must be int32",
    ),
    "mean: axes that are computed": (OneOp("MEAN").reads((2,)).reads((1,)), (), "be a constant"),
    "mean: tiny factor": (mean((1, 4), [1], 2.0**-33), (1,), "output scale is too large"),
    "mean: factor": (mean((1, 4), [1], 2.0**31), (1,), r"more than 2\^30"),
    "pad: dimensions": (
        pad((1, 1, 1, 1, 1, 2), [(0, 0)] * 6),
        (1, 1, 1, 1, 1, 2),
        "more than 5 dimensions",
    ),
    "pad: value of another scale": (
        pad((2,), [(1, 1)], "PADV2").constant([1]),
        (4,),
        "quantization differs from the output's",
    ),
    "pad: value of another point": (
        pad((2,), [(1, 1)], "PADV2").constant([1], scales=(0.5,), zero_points=(1,)),
        (4,),
        "quantization differs from the output's",
    ),
    "pad: 64 bits": (OneOp("PAD").reads((2,)).constant([[1, 1]], "int64"), (4,), "must be int32"),
    "relu: factor": (unary("RELU", scale=2.0**31), (2, 3), r"more than 2\^30"),
    "relu: tiny factor": (unary("RELU", scale=2.0**-34), (2, 3), "output scale is too large"),
    "relu_n1_to_1": (unary("RELU_N1_TO_1"), (2, 3), "fuse it into the layer before"),
    "softmax: scale": (softmax(), (2, 5), "must have scale 1/256 and zero point -128"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_operator_that_makes_no_sense_is_refused_in_words(name: str) -> None:
    site, shape, words = BROKEN[name]
    with pytest.raises(ModelError, match=words) as caught:
        site.lower(shape)
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.message.startswith(f"operator 7 ({site.name})")


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_an_operator_that_is_not_supported_says_what_is(name: str) -> None:
    site, shape, words = UNSUPPORTED[name]
    with pytest.raises(UnsupportedError, match=words) as caught:
        site.lower(shape)
    assert caught.value.hint == f"{site.name} is supported with {OPERATORS[site.name].supports}"


def test_a_softmax_of_another_shape_or_zero_point_is_refused() -> None:
    with pytest.raises(ModelError, match="differ in shape"):
        softmax().lower((5, 2), **PROBABILITY)
    with pytest.raises(ModelError, match="differ in shape"):
        softmax(()).lower((), **PROBABILITY)
    with pytest.raises(UnsupportedError, match="zero point -128"):
        softmax().lower((2, 5), scale=1 / 256, zero_points=(-127,))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dtype": "int32"}, "int32 activations are not supported"),
        ({"is_variable": True}, "a variable where an activation is expected"),
        ({"scales": ()}, "one scale above 0 and one zero point"),
        ({"scales": (0.5, 0.5)}, "one scale above 0 and one zero point"),
        ({"scales": (0.0,)}, "one scale above 0 and one zero point"),
        ({"zero_points": (1, 1)}, "one scale above 0 and one zero point"),
        ({"zero_points": (128,)}, "zero point outside int8"),
        ({"zero_points": (-129,)}, "zero point outside int8"),
        ({"shape": (0, 3)}, "an empty tensor"),
    ],
)
@pytest.mark.parametrize("side", ["x", "y"])
def test_no_activation_of_an_odd_kind_is_taken(
    side: str, changes: dict[str, Any], words: str
) -> None:
    site = OneOp("RELU6")
    with pytest.raises(ModelError, match=words) as caught:
        if side == "x":
            site.reads(**{"shape": (2, 3), **changes}).lower((2, 3))
        else:
            shape = changes.get("shape", (2, 3))
            rest = {k: v for k, v in changes.items() if k != "shape"}
            site.reads((2, 3)).lower(shape, **rest)
    assert f"tensor {'xy'.index(side)} '{side}'" in caught.value.message
