# SPDX-License-Identifier: Apache-2.0
"""Records of convolutions, dense layers and pools, each member against what the hand computes.

Scales are powers of two, so that the exact rescale is known: x 1/2, weights 1/4, y 1/2 is 1/4.
"""

import struct
from typing import Any

import numpy as np
import pytest

from tests.support.sites import OneOp
from torpor.compile.fixed_point import halved_rescale, quantize_multiplier
from torpor.compile.lowering import Record
from torpor.errors import ModelError, UnsupportedError
from torpor.plan.layout import CONST

HALF = 1 << 30
PER_TENSOR = CONST["PLAN_OP_PER_TENSOR"]
ONES = np.ones((2, 3, 3, 4), np.int8)
TAPS = np.ones((1, 3, 2, 8), np.int8)
MATRIX = np.arange(12, dtype=np.int8).reshape(2, 6)


def conv(
    weights: dict[str, Any] | None = None, x: tuple[int, ...] = (1, 5, 5, 4), **o: Any
) -> OneOp:
    return OneOp("CONV_2D", **o).reads(x).constant(ONES, **(weights or {}))


def depthwise(
    weights: dict[str, Any] | None = None, x: tuple[int, ...] = (1, 5, 5, 4), **o: Any
) -> OneOp:
    options = {"depth_multiplier": 2, **o}
    return OneOp("DEPTHWISE_CONV_2D", **options).reads(x).constant(TAPS, **(weights or {}))


def dense(weights: dict[str, Any] | None = None, **o: Any) -> OneOp:
    return OneOp("FULLY_CONNECTED", **o).reads((3, 6)).constant(MATRIX, **(weights or {}))


def pool(x: tuple[int, ...] = (2, 6, 4, 3), **o: Any) -> OneOp:
    return OneOp("AVERAGE_POOL_2D", **o).reads(x)


def wide(name: str, x: tuple[int, ...], zero_points: tuple[int, ...] = (0,), **o: Any) -> OneOp:
    """An operator of an int16 activation."""
    return OneOp(name, **o).reads(x, dtype="int16", zero_points=zero_points)


# ---- convolution


def test_every_member_of_a_convolution() -> None:
    site = OneOp("CONV_2D", padding="SAME", stride_h=2, stride_w=3, dilation_h=2, activation="RELU")
    site.reads((2, 9, 7, 4), zero_points=(-3,)).constant(ONES)
    record = site.lower((2, 5, 3, 2), zero_points=(11,))
    assert record.code == "CONV_2D_S8"
    assert record.tensors == {"x": 0, "y": 2}
    assert record.fields == {
        "batches": 2,
        "groups": 1,
        "in_h": 9,
        "in_w": 7,
        "in_c": 4,
        "out_h": 5,
        "out_w": 3,
        "out_c": 2,
        "kernel_h": 3,
        "kernel_w": 3,
        "stride_h": 2,
        "stride_w": 3,
        "dilation_h": 2,
        "dilation_w": 1,
        "pad_top": 2,  # (5 - 1) * 2 + 5 - 9 = 4 are missing
        "pad_left": 1,  # (3 - 1) * 3 + 3 - 7 = 2 are missing
        "x_zero_point": -3,
        "y_zero_point": 11,
        "act_min": 11,
        "act_max": 127,
    }


def test_an_uneven_missing_row_is_added_below() -> None:
    site = OneOp("CONV_2D", padding="SAME", stride_h=2, stride_w=2)
    record = site.reads((1, 10, 8, 4)).constant(ONES).lower((1, 5, 4, 2))
    assert (record.fields["pad_top"], record.fields["pad_left"]) == (0, 0)


def test_a_valid_window_has_no_padding() -> None:
    record = conv(x=(1, 7, 5, 4), stride_h=2).lower((1, 3, 3, 2))
    assert (record.fields["out_h"], record.fields["out_w"]) == (3, 3)
    assert (record.fields["pad_top"], record.fields["pad_left"]) == (0, 0)


def test_a_fused_pad_is_counted_on_its_side_of_each_axis() -> None:
    record = conv(extra_padding_h=(3, 1), extra_padding_w=(0, 2)).lower((1, 7, 5, 2))
    assert (record.fields["in_h"], record.fields["in_w"]) == (5, 5), "the input itself is no larger"
    assert (record.fields["pad_top"], record.fields["pad_left"]) == (3, 0)


def test_a_fused_pad_adds_to_the_padding_of_same() -> None:
    record = conv(padding="SAME", extra_padding_h=(2, 0)).lower((1, 7, 5, 2))
    assert (record.fields["pad_top"], record.fields["pad_left"]) == (3, 1)


@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_a_single_weight_is_enough(name: str) -> None:
    record = OneOp(name).reads((1, 2, 2, 1)).constant([[[[-7]]]]).lower((1, 2, 2, 1))
    assert record.data["weights"] == b"\xf9"


def test_grouped_channels_are_counted_by_the_depth_of_the_weights() -> None:
    assert conv(x=(1, 5, 5, 8)).lower((1, 3, 3, 2)).fields["groups"] == 2


def block_of(record: Record, channels: int) -> tuple[list[int], list[int], list[int]]:
    """Return (bias, multipliers, shifts) of a record's channel block."""
    data = record.data["channels"]
    rescales = 1 if record.flags & PER_TENSOR else channels
    parts = struct.unpack_from(f"<{channels}i{rescales}i{rescales}b", data)
    assert len(data) == (4 * channels + 5 * rescales + 3) // 4 * 4
    assert data[4 * channels + 5 * rescales :].strip(b"\0") == b""
    return (
        list(parts[:channels]),
        list(parts[channels : channels + rescales]),
        list(parts[channels + rescales :]),
    )


def test_one_scale_is_one_rescale() -> None:
    site = conv().constant([7, -9], "int32")
    record = site.lower((1, 3, 3, 2))
    assert record.flags == PER_TENSOR
    assert block_of(record, 2) == ([7, -9], [HALF], [-1])


def test_different_scales_are_a_rescale_a_channel() -> None:
    site = conv({"scales": (0.25, 3.0), "zero_points": (0, 0)})
    record = site.lower((1, 3, 3, 2))
    assert record.flags == 0
    assert block_of(record, 2) == ([0, 0], [HALF, 3 << 29], [-1, 2])


def test_equal_scales_of_channels_are_one_rescale() -> None:
    record = conv({"scales": (2.0, 2.0), "zero_points": (0, 0)}).lower((1, 3, 3, 2), scale=0.25)
    assert record.flags == PER_TENSOR
    assert block_of(record, 2) == ([0, 0], [HALF], [3])


def test_the_bias_keeps_its_sign_and_all_its_bits() -> None:
    bias = [-(1 << 31), (1 << 31) - 1]
    record = conv().constant(bias, "int32").lower((1, 3, 3, 2))
    assert block_of(record, 2)[0] == bias


def test_int8_weights_are_stored_as_they_are() -> None:
    codes = (np.arange(72) - 36).astype(np.int8).reshape(2, 3, 3, 4)
    site = OneOp("CONV_2D").reads((1, 5, 5, 4)).constant(codes)
    assert site.lower((1, 3, 3, 2)).data["weights"] == codes.tobytes()


def test_int4_filters_of_odd_length_each_begin_at_a_whole_byte() -> None:
    codes = np.array([[1, -2, 3], [-8, 7, -1]], np.int8).reshape(2, 1, 3, 1)
    record = OneOp("CONV_2D").reads((1, 1, 5, 1)).constant(codes, "int4").lower((1, 1, 3, 2))
    assert record.code == "CONV_2D_S4"
    assert record.data["weights"] == bytes([0xE1, 0x03, 0x78, 0x0F])


def test_every_member_of_a_depthwise_convolution() -> None:
    site = OneOp(
        "DEPTHWISE_CONV_2D", depth_multiplier=2, padding="SAME", activation="RELU6", stride_w=2
    )
    site.reads((1, 5, 5, 4), zero_points=(-2,)).constant(TAPS)
    record = site.lower((1, 5, 3, 8), zero_points=(9,))
    assert record.code == "DEPTHWISE_CONV_2D_S8"
    fields = record.fields
    assert (fields["multiplier"], fields["in_c"], fields["out_c"]) == (2, 4, 8)
    assert (fields["kernel_h"], fields["kernel_w"]) == (3, 2)
    assert (fields["stride_h"], fields["stride_w"]) == (1, 2)
    assert (fields["pad_top"], fields["pad_left"]) == (1, 0)
    assert (fields["act_min"], fields["act_max"]) == (9, 21)
    assert (fields["x_zero_point"], fields["y_zero_point"]) == (-2, 9)
    assert (fields["batches"], fields["dilation_h"], fields["dilation_w"]) == (1, 1, 1)
    assert record.tensors == {"x": 0, "y": 2} and record.reads == (0,) and record.writes == (2,)


def test_int4_taps_of_a_depthwise_convolution_are_rows_of_channels() -> None:
    codes = np.array([[1, 2, 3], [4, 5, 6]], np.int8).reshape(1, 2, 1, 3)
    site = OneOp("DEPTHWISE_CONV_2D", depth_multiplier=1).reads((1, 4, 1, 3))
    record = site.constant(codes, "int4").lower((1, 3, 1, 3))
    assert record.code == "DEPTHWISE_CONV_2D_S4"
    assert record.data["weights"] == bytes([0x21, 0x03, 0x54, 0x06])


def test_scales_of_a_depthwise_convolution_lie_along_its_last_axis() -> None:
    scales = tuple(2.0**-n for n in range(8))
    weights = {"scales": scales, "zero_points": (0,) * 8, "quantized_dimension": 3}
    record = depthwise(weights).lower((1, 3, 4, 8))
    assert block_of(record, 8) == ([0] * 8, [HALF] * 8, [1, 0, -1, -2, -3, -4, -5, -6])


# ---- dense layer


def test_every_member_of_a_dense_layer() -> None:
    site = dense({"zero_points": (-6,)}, activation="RELU_N1_TO_1").constant([5, 6], "int32")
    record = site.lower((3, 2), zero_points=(1,))
    assert record.fields == {
        "batches": 3,
        "in_n": 6,
        "out_n": 2,
        "x_zero_point": 0,
        "y_zero_point": 1,
        "w_zero_point": -6,
        "act_min": -1,
        "act_max": 3,
    }
    assert record.code == "FULLY_CONNECTED_S8"
    assert record.data["weights"] == MATRIX.tobytes()
    assert block_of(record, 2) == ([5, 6], [HALF], [-1])


@pytest.mark.parametrize("point", [-128, 127])
def test_a_dense_layer_may_have_any_int8_zero_point(point: int) -> None:
    assert dense({"zero_points": (point,)}).lower((3, 2)).fields["w_zero_point"] == point


def test_a_dense_layer_may_have_a_single_weight() -> None:
    record = OneOp("FULLY_CONNECTED").reads((4, 1)).constant([[-3]]).lower((4, 1))
    assert record.data["weights"] == b"\xfd" and record.fields["batches"] == 4


def test_an_activation_may_leave_a_single_value() -> None:
    fields = conv(clamp=(5, 5)).lower((1, 3, 3, 2)).fields
    assert (fields["act_min"], fields["act_max"]) == (5, 5)


@pytest.mark.parametrize(
    ("activation", "bounds"),
    [("NONE", (-128, 127)), ("RELU", (2, 127)), ("RELU6", (2, 62)), ("RELU_N1_TO_1", (-8, 12))],
)
def test_fused_activations_are_codes_of_the_output(
    activation: str, bounds: tuple[int, int]
) -> None:
    fields = dense(activation=activation).lower((3, 2), 0.1, zero_points=(2,)).fields
    assert (fields["act_min"], fields["act_max"]) == bounds


def test_a_dense_layer_may_have_a_scale_an_output() -> None:
    record = dense({"scales": (0.5, 0.125), "zero_points": (0, 0)}).lower((3, 2))
    assert block_of(record, 2) == ([0, 0], [HALF, HALF], [0, -2])
    assert record.fields["w_zero_point"] == 0


def test_all_but_the_last_dimension_of_a_dense_layer_are_batches() -> None:
    site = OneOp("FULLY_CONNECTED").reads((2, 3, 6)).constant(MATRIX)
    assert site.lower((2, 3, 2)).fields["batches"] == 6


def test_int4_rows_of_a_dense_layer_begin_at_whole_bytes() -> None:
    site = OneOp("FULLY_CONNECTED").reads((1, 3)).constant([[1, 2, 3], [4, 5, -6]], "int4")
    record = site.lower((1, 2))
    assert record.code == "FULLY_CONNECTED_S4"
    assert record.data["weights"] == bytes([0x21, 0x03, 0x54, 0x0A])


# ---- pools


@pytest.mark.parametrize("name", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_every_member_of_a_pool(name: str) -> None:
    site = OneOp(name, stride_h=3, stride_w=1, filter_h=4, filter_w=2, activation="RELU6")
    record = site.reads((2, 7, 4, 3), zero_points=(-8,)).lower((2, 2, 3, 3), zero_points=(-8,))
    assert record.code == f"{name}_S8"
    assert record.tensors == {"x": 0, "y": 1}
    assert record.fields == {
        "batches": 2,
        "channels": 3,
        "in_h": 7,
        "in_w": 4,
        "out_h": 2,
        "out_w": 3,
        "kernel_h": 4,
        "kernel_w": 2,
        "stride_h": 3,
        "stride_w": 1,
        "pad_top": 0,
        "pad_left": 0,
        "act_min": -8,
        "act_max": 4,
    }


@pytest.mark.parametrize(("difference", "fits"), [(9e-7, True), (2e-6, False)])
def test_scales_of_a_pool_may_differ_by_a_millionth(difference: float, fits: bool) -> None:
    site = pool()
    if fits:
        assert site.lower((2, 5, 3, 3), scale=0.5 + difference).code == "AVERAGE_POOL_2D_S8"
    else:
        with pytest.raises(UnsupportedError, match="differs from the input's"):
            site.lower((2, 5, 3, 3), scale=0.5 + difference)


# ---- limits


@pytest.mark.parametrize(("stride", "fits"), [(1 << 17, True), ((1 << 17) + 1, False)])
def test_a_window_may_move_over_2_to_the_18_elements(stride: int, fits: bool) -> None:
    x = (1, 1, stride + 1, 3)
    site = pool(x, padding="SAME", stride_w=stride, filter_h=1, filter_w=1)
    if fits:
        assert site.lower((1, 1, 2, 3)).fields["stride_w"] == stride
    else:
        with pytest.raises(UnsupportedError, match="262144 elements"):
            site.lower((1, 1, 2, 3))


@pytest.mark.parametrize(("width", "fits"), [(2048, True), (2049, False)])
def test_a_pool_may_take_2_to_the_23_elements(width: int, fits: bool) -> None:
    site = pool((1, 4096, width, 1), filter_h=4096, filter_w=width)
    if fits:
        assert site.lower((1, 1, 1, 1)).fields["kernel_w"] == width
    else:
        with pytest.raises(UnsupportedError, match="windows of more than 8388608 elements"):
            site.lower((1, 1, 1, 1))


@pytest.mark.parametrize(("scale", "fits"), [(2.0**29, True), (2.0**30, False)])
def test_a_factor_may_be_below_2_to_the_30(scale: float, fits: bool) -> None:
    site = conv({"scales": (scale,)})
    if fits:
        assert block_of(site.lower((1, 3, 3, 2)), 2)[1:] == ([HALF], [30])
    else:
        with pytest.raises(UnsupportedError, match=r"factor of 1\.07374e\+09, more than 2\^30"):
            site.lower((1, 3, 3, 2))


# ---- refusals: (site, shape of y, words); all of one table so that a lost check shows its name

BROKEN: dict[str, tuple[OneOp, tuple[int, ...], str]] = {
    "conv: weights of 3": (
        OneOp("CONV_2D").reads((1, 5, 5, 4)).constant(ONES[0]),
        (1, 3, 3, 2),
        "tensor 1 .*must have 4 dimensions",
    ),
    "conv: no weights": (
        OneOp("CONV_2D").reads((1, 5, 5, 4)).constant(ONES[:0]),
        (1, 3, 3, 2),
        "tensor 1 .*must have 4 dimensions",
    ),
    "conv: x of 3": (conv(x=(5, 5, 4)), (1, 3, 3, 2), "tensor 0 .*must have 4 dimensions"),
    "conv: y of 3": (conv(), (3, 3, 2), "tensor 2 .*must have 4 dimensions"),
    "conv: rows": (conv(), (1, 4, 3, 2), "tensor 2 .*dimension 1 should be 3"),
    "conv: columns": (conv(), (1, 3, 4, 2), "tensor 2 .*dimension 2 should be 3"),
    "conv: batches": (conv(), (2, 3, 3, 2), "tensor 2 .*differ in batches"),
    "conv: channels": (conv(), (1, 3, 3, 1), "tensor 2 .*output channels differ"),
    "conv: depth": (conv(x=(1, 5, 5, 6)), (1, 3, 3, 2), "input channels are no multiple"),
    "conv: groups": (conv(x=(1, 5, 5, 12)), (1, 3, 3, 2), "no multiple of the groups"),
    "conv: no stride": (conv(stride_w=0), (1, 3, 3, 2), "must be at least 1"),
    "conv: negative stride": (conv(stride_h=-1), (1, 3, 3, 2), "must be at least 1"),
    "conv: no dilation": (conv(dilation_h=0), (1, 3, 3, 2), "must be at least 1"),
    "conv: scales": (
        conv({"scales": (1.0, 1.0, 1.0)}),
        (1, 3, 3, 2),
        "tensor 1 .*one scale, or one a channel",
    ),
    "conv: no scale": (conv({"scales": ()}), (1, 3, 3, 2), "one scale, or one a channel"),
    "conv: axis": (
        conv({"scales": (1.0, 1.0), "quantized_dimension": 3}),
        (1, 3, 3, 2),
        "quantized along axis 0",
    ),
    "conv: bias": (conv().constant([1, 2, 3], "int32"), (1, 3, 3, 2), "has not 2 elements"),
    "conv: too large a kernel": (conv(x=(1, 2, 5, 4)), (1, 1, 3, 2), "dimension 1 should be 0"),
    "depthwise: two filters": (
        OneOp("DEPTHWISE_CONV_2D").reads((1, 5, 5, 4)).constant(ONES),
        (1, 3, 3, 4),
        "the first dimension must be 1",
    ),
    "depthwise: weights of 3": (
        OneOp("DEPTHWISE_CONV_2D").reads((1, 5, 5, 8)).constant(TAPS[0]),
        (1, 3, 4, 8),
        "tensor 1 .*must have 4 dimensions",
    ),
    "depthwise: no weights": (
        OneOp("DEPTHWISE_CONV_2D").reads((1, 5, 5, 8)).constant(TAPS[:, :0]),
        (1, 3, 4, 8),
        "tensor 1 .*must have 4 dimensions",
    ),
    "depthwise: multiplier": (
        depthwise(depth_multiplier=3),
        (1, 3, 4, 8),
        "4 input channels times 3 are not 8 output channels",
    ),
    "depthwise: channels": (depthwise(), (1, 3, 4, 4), "are not 8 output channels"),
    "depthwise: axis": (
        depthwise({"scales": (1.0,) * 8, "quantized_dimension": 0}),
        (1, 3, 4, 8),
        "quantized along axis 3",
    ),
    "depthwise: bias": (depthwise().constant([1], "int32"), (1, 3, 4, 8), "has not 8 elements"),
    "dense: weights of 3": (
        OneOp("FULLY_CONNECTED").reads((3, 6)).constant(MATRIX[None]),
        (3, 2),
        "tensor 1 .*must have 2 dimensions",
    ),
    "dense: no weights": (
        OneOp("FULLY_CONNECTED").reads((3, 6)).constant(MATRIX[:, :0]),
        (3, 2),
        "tensor 1 .*must have 2 dimensions",
    ),
    "dense: low zero point": (dense({"zero_points": (-129,)}), (3, 2), "zero point outside int8"),
    "dense: outputs": (dense(), (3, 3), "last dimension is not the layer's"),
    "dense: scalar": (dense(), (), "last dimension is not the layer's"),
    "dense: batches": (dense(), (2, 2), "tensor 0 .*has not 2 x 6 elements"),
    "dense: scales": (dense({"scales": (1.0,) * 3}), (3, 2), "one scale, or one an output"),
    "dense: axis": (
        dense({"scales": (1.0, 2.0), "zero_points": (0, 0), "quantized_dimension": 1}),
        (3, 2),
        "quantized along axis 0",
    ),
    "dense: zero point": (dense({"zero_points": (128,)}), (3, 2), "zero point outside int8"),
    "dense: bias": (dense().constant([1], "int32"), (3, 2), "has not 2 elements"),
    "pool: channels": (pool(), (2, 5, 3, 2), "differ in channels"),
    "pool: no filter": (pool(filter_h=0), (2, 6, 3, 3), "a window without elements"),
    "pool: negative filter": (pool(filter_w=-1), (2, 6, 3, 3), "a window without elements"),
    "pool: rows": (pool(), (2, 6, 3, 3), "dimension 1 should be 5"),
    "pool: x of 5": (pool((1, 2, 6, 4, 3)), (2, 5, 3, 3), "tensor 0 .*must have 4 dimensions"),
    "clamp: empty": (conv(clamp=(5, 4)), (1, 3, 3, 2), "lets no value through"),
}
UNSUPPORTED: dict[str, tuple[OneOp, tuple[int | str, ...], str]] = {
    "conv: zero point": (conv({"zero_points": (1,)}), (1, 3, 3, 2), "zero point other than 0"),
    "conv: int16 weights": (
        OneOp("CONV_2D").reads((1, 5, 5, 4)).constant(ONES, "int16"),
        (1, 3, 3, 2),
        "tensor 1 .*must be int8 or int4",
    ),
    "conv: int64 bias": (
        conv().constant([1, 2], "int64"),
        (1, 3, 3, 2),
        "tensor 2 .*must be int32",
    ),
    "conv: bias that is computed": (conv().reads((2,)), (1, 3, 3, 2), "must be a constant"),
    "conv: activation": (conv(activation="SIGN_BIT"), (1, 3, 3, 2), "activation SIGN_BIT"),
    "conv: x is constant": (
        OneOp("CONV_2D").constant(ONES).constant(ONES),
        (2, 1, 1, 2),
        "tensor 0 .*a constant where an activation",
    ),
    "conv: zero point of a channel": (
        conv({"scales": (1.0, 2.0), "zero_points": (0, 3)}),
        (1, 3, 3, 2),
        "zero point other than 0",
    ),
    "dense: int4 a channel": (
        OneOp("FULLY_CONNECTED")
        .reads((3, 6))
        .constant(MATRIX % 7, "int4", scales=(1.0, 2.0), zero_points=(0, 0)),
        (3, 2),
        "tensor 1 .*int4 weights per channel",
    ),
    "dense: shuffled": (dense(weights_format=1), (3, 2), "shuffled weights"),
    "dense: zero points": (
        dense({"scales": (1.0, 2.0), "zero_points": (0, 4)}),
        (3, 2),
        "per-channel weights with a zero point",
    ),
    "pool: zero point": (
        OneOp("MAX_POOL_2D").reads((1, 2, 2, 1), zero_points=(1,)),
        (1, 1, 1, 1),
        "differs from the input's",
    ),
    "conv: int16 with a zero point": (
        wide("CONV_2D", (1, 5, 5, 4), zero_points=(1,)).constant(ONES),
        (1, 3, 3, 2),
        "tensor 0 .*need the zero point 0",
    ),
    "conv: int4 beside int16": (
        wide("CONV_2D", (1, 5, 5, 4)).constant(ONES, "int4"),
        (1, 3, 3, 2),
        "tensor 1 .*must be int8",
    ),
    "conv: int16 bias": (
        wide("CONV_2D", (1, 5, 5, 4)).constant(ONES).constant([1, 2], "int16"),
        (1, 3, 3, 2),
        "tensor 2 .*must be int64",
    ),
    "conv: int16 to int8": (
        wide("CONV_2D", (1, 5, 5, 4)).constant(ONES),
        (1, 3, 3, 2, "int8"),
        "tensor 2 .*int8 activations are not supported",
    ),
    "conv: a factor of 2^15": (
        wide("CONV_2D", (1, 5, 5, 4)).constant(ONES, scales=(2.0**14,)),
        (1, 3, 3, 2),
        "more than 2\\^14",
    ),
    "depthwise: int32 bias beside int16": (
        wide("DEPTHWISE_CONV_2D", (1, 5, 5, 1)).constant(ONES[:1, :, :, :1]).constant([1], "int32"),
        (1, 3, 3, 1),
        "tensor 2 .*must be int64",
    ),
    "transposed: int32 bias beside int16": (
        OneOp("TRANSPOSE_CONV", padding="SAME", stride_h=1, stride_w=1, activation="NONE")
        .constant([1, 5, 5, 2], "int32")
        .constant(ONES)
        .reads((1, 5, 5, 4), dtype="int16")
        .constant([1, 2], "int32"),
        (1, 5, 5, 2, "int16"),
        "tensor 3 .*must be int64 or int16",
    ),
    "dense: zero point beside int16": (
        wide("FULLY_CONNECTED", (3, 6)).constant(MATRIX, zero_points=(4,)),
        (3, 2),
        "tensor 1 .*zero point beside int16",
    ),
    "pool: int16 with a zero point": (
        wide("MAX_POOL_2D", (1, 2, 2, 1), zero_points=(1,)),
        (1, 1, 1, 1),
        "need the zero point 0",
    ),
    "pool: 2^15 elements of int16": (
        wide("MAX_POOL_2D", (1, 256, 129, 1), filter_h=256, filter_w=129),
        (1, 1, 1, 1),
        "windows of more than 32768 elements",
    ),
    "conv: dilation": (
        conv(x=(1, 5, 5, 4), dilation_w=87_382),
        (1, 3, 3, 2),
        "more than 262144 elements",
    ),
}


# ---- int16 activations


def layer_of(dtype: str | None, scales: tuple[float, ...] = (0.25, 0.5), **o: Any) -> Record:
    """A dense layer of three int16 codes to two; the bias has this dtype."""
    site = wide("FULLY_CONNECTED", (1, 3), **o)
    site.constant(np.ones((2, 3)), scales=scales, zero_points=(0,) * len(scales))
    if dtype is not None:
        site.constant([5, -7 << (32 if dtype == "int64" else 8)], dtype)
    return site.lower((1, 2), dtype="int16")


def test_a_64_bit_bias_makes_a_block_of_64_bits() -> None:
    record = layer_of("int64")
    assert (record.code, record.flags) == ("FULLY_CONNECTED_S16", 0)
    assert record.data["channels"] == struct.pack("<2q2h2bxx", 5, -7 << 32, 1 << 14, 1 << 14, -1, 0)
    assert record.data["weights"] == bytes([1] * 6)
    assert (record.fields["act_min"], record.fields["act_max"]) == (-(1 << 15), (1 << 15) - 1)


def test_equal_scales_make_one_multiplier_of_16_bits() -> None:
    record = layer_of("int64", (0.25,))
    assert record.flags == CONST["PLAN_OP_PER_TENSOR"]
    assert record.data["channels"] == struct.pack("<2qhbx", 5, -7 << 32, 1 << 14, -1)


def test_scales_that_differ_below_16_bits_are_one_multiplier() -> None:
    assert layer_of("int64", (0.25, 0.25 + 2.0**-20)).flags == CONST["PLAN_OP_PER_TENSOR"]


@pytest.mark.parametrize(
    ("real", "multiplier"), [(1 - 2.0**-30, (1 << 15) - 1), (0.5 + 2.0**-16, (1 << 14) + 1)]
)
def test_the_multiplier_of_16_bits_is_rounded_and_stays_below_one(
    real: float, multiplier: int
) -> None:
    assert halved_rescale(quantize_multiplier(real)) == (multiplier, 0)


@pytest.mark.parametrize(
    ("dtype", "bias_type", "narrow"),
    [
        ("int32", "float32", True),
        ("int32", "int64", True),
        ("int64", "int32", False),
        (None, "int32", True),
        (None, "int64", False),
        (None, "float32", False),
    ],
)
def test_the_type_of_the_bias_is_that_of_the_accumulator(
    dtype: str | None, bias_type: str, narrow: bool
) -> None:
    record = layer_of(dtype, bias_type=bias_type)
    assert bool(record.flags & CONST["PLAN_OP_ACC_32"]) == narrow
    assert len(record.data["channels"]) == (20 if narrow else 24)


@pytest.mark.parametrize("name", BROKEN)
def test_a_layer_that_makes_no_sense_is_refused_in_words(name: str) -> None:
    site, shape, words = BROKEN[name]
    with pytest.raises(ModelError, match=words) as caught:
        site.lower(shape)
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.message.startswith(f"operator 7 ({site.name})")
    assert caught.value.hint == "convert the model again"


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_layer_that_is_not_supported_says_what_is(name: str) -> None:
    site, shape, words = UNSUPPORTED[name]
    sizes = [n for n in shape if isinstance(n, int)]
    dtype = shape[-1] if len(sizes) < len(shape) else site.tensors[0].dtype
    with pytest.raises(UnsupportedError, match=words) as caught:
        site.lower(sizes, dtype=dtype)
    assert caught.value.message.startswith(f"operator 7 ({site.name})")
    assert caught.value.hint.startswith(f"{site.name} is supported with ")
