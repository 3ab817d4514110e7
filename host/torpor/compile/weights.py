# SPDX-License-Identifier: Apache-2.0
"""Packing of weights and channel blocks, as firmware/infer/plan.h describes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from torpor.compile.fixed_point import Rescale

MULTIPLIER_MAX_SHIFT = 30
MULTIPLIER_MAX_SHIFT_64 = 14


def pack_s8(codes: npt.NDArray[Any]) -> bytes:
    """Return codes one byte each."""
    return codes.astype(np.int8).tobytes()


def pack_s4(codes: npt.NDArray[Any]) -> bytes:
    """Return codes of [rows, n] two a byte, low nibble first, each row from a whole byte on."""
    rows, n = codes.shape
    padded = np.zeros((rows, n + n % 2), np.uint8)
    padded[:, :n] = codes.astype(np.int8).view(np.uint8) & 15
    joined: npt.NDArray[np.uint8] = padded[:, 0::2] | padded[:, 1::2] << 4
    return joined.tobytes()


def pack(dtype: str, codes: npt.NDArray[Any]) -> tuple[str, bytes]:
    """Return ("S8" or "S4", packed bytes) of codes [rows, n]."""
    return ("S4", pack_s4(codes)) if dtype == "int4" else ("S8", pack_s8(codes))


def channel_block_64(bias: npt.NDArray[Any], rescales: Sequence[Rescale]) -> bytes:
    """Return the channel block of 64-bit accumulators.

    Args:
        bias: integers that fit in int64 [channels].
        rescales: one a channel, or a single one for all, multipliers below 2^15.
    """
    parts = [
        bias.astype("<i8").tobytes(),
        np.array([r.multiplier for r in rescales], "<i2").tobytes(),
        np.array([r.shift for r in rescales], np.int8).tobytes(),
    ]
    block = b"".join(parts)
    return block + bytes(-len(block) % 4)


def channel_block(bias: npt.NDArray[Any], rescales: Sequence[Rescale]) -> bytes:
    """Return the channel block of len(bias) channels.

    Args:
        bias: int32 [channels].
        rescales: one a channel, or a single one for all.
    """
    parts = [
        bias.astype("<i4").tobytes(),
        np.array([r.multiplier for r in rescales], "<i4").tobytes(),
        np.array([r.shift for r in rescales], np.int8).tobytes(),
    ]
    block = b"".join(parts)
    return block + bytes(-len(block) % 4)
