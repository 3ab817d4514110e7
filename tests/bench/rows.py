# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Measurements with fixed numbers, as both engines have them."""

from dataclasses import replace
from typing import Any

from torpor.bench import Measurement

OURS = Measurement(
    model="motion-int8",
    board="mps2_an386",
    engine="torpor",
    insn=1_593_741,
    insn_per_mac=10.367,
    macs=153_728,
    code_bytes=8_028,
    rodata_bytes=287,
    model_bytes=7_664,
    ram_bytes=1_116,
    stack_bytes=436,
    init_insn=38_134,
    byte_equal=True,
    inputs=5,
    loaded_bytes=1_259_416,
    stored_bytes=404_140,
    ops=(),
    difference="",
)
THEIRS = replace(
    OURS,
    engine="tflm",
    insn=3_187_482,
    insn_per_mac=20.735,
    code_bytes=40_140,
    rodata_bytes=1_435,
    model_bytes=8_000,
    ram_bytes=4_464,
    stack_bytes=1_744,
    init_insn=19_067,
    loaded_bytes=2_518_832,
    stored_bytes=101_035,
)


def both(**changes: Any) -> list[Measurement]:
    """Return the measurements of both engines, TensorFlow Lite Micro first."""
    return [replace(THEIRS, **changes), replace(OURS, **changes)]
