# SPDX-License-Identifier: Apache-2.0
"""The compiler's formula of how close an output may trail its input is the C engine's."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from torpor.compile.lowering import Record
from torpor.compile.overlap import overlap_distance
from torpor.engine import overlap_distance as in_c
from torpor.plan.layout import CONST, OPCODES, TYPES
from torpor.plan.writer import pack_record

SMALL = st.integers(1, 9)
WINDOW: dict[str, st.SearchStrategy[Any]] = {
    "batches": st.integers(1, 3),
    **{f"{io}_{axis}": SMALL for io in ("in", "out") for axis in "hw"},
    **{f"{what}_{axis}": st.integers(1, 4) for what in ("kernel", "stride") for axis in "hw"},
    "pad_top": st.integers(0, 5),
    "pad_left": st.integers(0, 5),
}
CHANNELS = {"in_c": SMALL, "out_c": SMALL}
CONV = {**WINDOW, **CHANNELS, "dilation_h": st.just(1), "dilation_w": st.just(2)}
ROWS = {"batches": st.integers(1, 5), "in_n": SMALL, "out_n": SMALL}
LSTM = {"batches": st.integers(1, 3), "steps": st.integers(1, 5), "in_n": SMALL, "out_n": SMALL}
FOUR = st.lists(st.integers(1, 3), min_size=4, max_size=4)
STRIDES = st.one_of(
    st.just([27, 9, 3, 1]), st.lists(st.sampled_from([0, 1, 2, 3, 6]), min_size=4, max_size=4)
)
PAIR = {"dims": FOUR, "a_strides": STRIDES, "b_strides": STRIDES}
BINARY = [
    "PRELU_S8",
    *(
        f"{name}_{bits}"
        for name in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")
        for bits in ("S8", "S16")
    ),
]
INTEGER = st.sampled_from([TYPES[name] for name in ("int8", "uint8", "int16", "int32")])
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    **dict.fromkeys(BINARY, PAIR),
    "AVERAGE_POOL_2D_S16": {**WINDOW, "channels": SMALL},
    "ASSIGN": {"bytes": SMALL},
    "AVERAGE_POOL_2D_S8": {**WINDOW, "channels": SMALL},
    "CONV_2D_S16": {**CONV, "groups": st.just(1)},
    "CONV_2D_S4": {**CONV, "groups": st.just(1)},
    "CONV_2D_S8": {**CONV, "groups": st.just(1)},
    "CONCATENATION": {
        "n": st.just(3),
        "constants": st.integers(0, 6),
        "outer": SMALL,
        "inner": st.lists(SMALL, min_size=3, max_size=3),
    },
    "COPY": {"bytes": SMALL},
    "DEPTHWISE_CONV_2D_S16": {**CONV, "multiplier": SMALL},
    "DEPTHWISE_CONV_2D_S4": {**CONV, "multiplier": SMALL},
    "DEQUANTIZE": {"count": SMALL, "x_type": INTEGER},
    "LEAKY_RELU_S16": {"count": SMALL},
    "QUANTIZE_F32": {"count": SMALL, "y_type": INTEGER},
    "REQUANTIZE": {"count": SMALL, "x_type": INTEGER, "y_type": INTEGER},
    "DEPTHWISE_CONV_2D_S8": {**CONV, "multiplier": SMALL},
    "FULLY_CONNECTED_S16": ROWS,
    "FULLY_CONNECTED_S4": ROWS,
    "FULLY_CONNECTED_S8": ROWS,
    "LOGISTIC_S16": {"count": SMALL},
    "LSTM_S16": LSTM,
    "LSTM_S8": LSTM,
    "LUT_S8": {"count": SMALL},
    "MAX_POOL_2D_S16": {**WINDOW, "channels": SMALL},
    "MAX_POOL_2D_S8": {**WINDOW, "channels": SMALL},
    "MEAN_S16": {"outer": SMALL, "reduced": SMALL, "inner": SMALL},
    "MEAN_S8": {"outer": SMALL, "reduced": SMALL, "inner": SMALL},
    "PAD_S8": {"dims": st.just([1, 1, 2, 3, 4])},
    "RELU_S8": {"count": SMALL},
    "RESIZE_NEAREST_NEIGHBOR": {"pixel": SMALL},
    "STRIDED_COPY_S8": {
        "dims": st.lists(st.integers(1, 3), min_size=5, max_size=5),
        "strides": st.one_of(
            st.just([81, 27, 9, 3, 1]),
            st.lists(st.sampled_from([-1, 0, 1, 2, 3, 6, 18]), min_size=5, max_size=5),
        ),
    },
    "TRANSPOSE_CONV_S16": {**WINDOW, **CHANNELS},
    "TRANSPOSE_CONV_S8": {**WINDOW, **CHANNELS},
    "SOFTMAX_S16": {"rows": SMALL, "depth": SMALL},
    "SOFTMAX_S8": {"rows": SMALL, "depth": SMALL},
    "SVDF_S8": {"batches": SMALL, "in_n": SMALL, "units": SMALL},
    "SOFTMAX_S8_S16": {"rows": SMALL, "depth": SMALL},
    "TANH_S16": {"count": SMALL},
}

OPERANDS: list[tuple[dict[str, int | tuple[int, ...]], int]] = [
    ({"a": 0, "b": 0}, 0),
    ({"a": 0, "b": 1}, 0),
    ({"a": 0}, CONST["PLAN_OP_CONST_B"]),
    ({"b": 0}, CONST["PLAN_OP_CONST_A"]),
]


def test_every_operator_of_the_plan_is_compared() -> None:
    assert set(FIELDS) == set(OPCODES.values())


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_both_formulas_agree(data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(FIELDS)))
    fields = {name: data.draw(strategy) for name, strategy in FIELDS[code].items()}
    inputs: dict[str, int | tuple[int, ...]] = {"x": 0}
    flags = 0
    if code in BINARY:
        inputs, flags = data.draw(st.sampled_from(OPERANDS))
    if code == "CONCATENATION":
        count = 3 - fields["constants"].bit_count()
        inputs = {"x": tuple(data.draw(st.integers(0, 2)) for _ in range(count))}
    outputs = {} if code == "ASSIGN" else {"y": 2}
    record = Record(code, fields, {**inputs, **outputs}, flags=flags)
    raw = pack_record(code, flags, {**fields, **record.tensors})
    assert overlap_distance(record) == in_c(raw)
