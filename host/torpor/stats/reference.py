# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The reference of the training data that travels with a model: drift_reference_t of drift.h."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError
from torpor.stats.headers import constants, struct_of

_CONST = constants("drift.h")
CHANNELS = _CONST["DRIFT_CHANNELS"]
BINS = _CONST["DRIFT_BINS"]
VERSION = 1
SHARES = 255

_FFI, _POINTER = struct_of("drift.h", "drift_reference_t")
BYTES = int(_FFI.sizeof("drift_reference_t"))
_HIGHEST = 127


@dataclass(frozen=True)
class Reference:
    """Histograms of the training data.

    Attributes:
        edges: [channels][BINS - 1] codes, ascending; bin i holds those below edge i.
        shares: [channels][BINS], at least 1 each, together 255.
    """

    edges: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[int, ...], ...]

    @property
    def channels(self) -> int:
        """Of histograms."""
        return len(self.edges)

    def encode(self) -> bytes:
        """Return the bytes that go into the plan."""
        box = _FFI.new(_POINTER)
        box.version, box.channels = VERSION, self.channels
        for channel, (edges, shares) in enumerate(zip(self.edges, self.shares, strict=True)):
            box.edges[channel] = edges
            box.shares[channel] = shares
        return bytes(_FFI.buffer(box))

    @classmethod
    def decode(cls, data: bytes) -> "Reference":
        """Read one, by the rules of drift_open().

        Raises:
            ModelError: it is none, or malformed.
        """
        if len(data) < BYTES:
            raise ModelError(f"a reference has {BYTES} bytes, not {len(data)}")
        box = _FFI.new(_POINTER)
        _FFI.memmove(box, data, BYTES)
        channels = range(box.channels)
        if box.version != VERSION or not 0 < len(channels) <= CHANNELS:
            raise ModelError("no reference of training data, or one of another format")
        made = cls(_rows(box.edges, channels), _rows(box.shares, channels))
        if any(list(edges) != sorted(edges) for edges in made.edges):
            raise ModelError("reference: edges are not ascending")
        if any(0 in shares or sum(shares) != SHARES for shares in made.shares):
            raise ModelError(f"reference: the shares of a channel are not {SHARES} together")
        return made


@dataclass(frozen=True)
class Trained:
    """A reference, and the quantization of the input that its codes belong to.

    Attributes:
        reference: the histograms.
        scale: of the input: number = scale * (code - zero_point).
        zero_point: of the input.
    """

    reference: Reference
    scale: float
    zero_point: int

    def to_json(self) -> str:
        """Return the text of a reference.json."""
        rows = {"edges": self.reference.edges, "shares": self.reference.shares}
        parts = [f'"scale": {self.scale!r}', f'"zero_point": {self.zero_point}']
        for name, table in rows.items():
            lines = ",\n".join(f"    {list(row)}" for row in table)
            parts.append(f'"{name}": [\n{lines}\n  ]')
        return "{\n  " + ",\n  ".join(parts) + "\n}\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Trained":
        """Read the text of a reference.json; `where` names it in errors.

        Raises:
            ModelError: it is none, or malformed.
        """
        try:
            table = json.loads(text)
            edges, shares = (
                tuple(tuple(map(int, row)) for row in table[name]) for name in ("edges", "shares")
            )
            made = Reference.decode(Reference(edges, shares).encode())
            return cls(made, float(table["scale"]), int(table["zero_point"]))
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise ModelError(f"{where} is no reference of training data: {error}") from None

    def encode_for(self, scale: float, zero_point: int) -> bytes:
        """Return the bytes for a plan whose input is quantized so.

        Raises:
            ModelError: the reference belongs to another quantization.
        """
        if (scale, zero_point) != (self.scale, self.zero_point):
            raise ModelError(
                f"the reference is of an input with scale {self.scale} and zero point "
                f"{self.zero_point}, the model's has {scale} and {zero_point}",
                "write it anew with torpor reference",
            )
        return self.reference.encode()


def _rows(array: Any, channels: range) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(array[channel]) for channel in channels)


def groups(channels: int) -> int:
    """Return how many histograms `channels` input channels share, equally: at most CHANNELS."""
    return max(n for n in range(1, CHANNELS + 1) if channels % n == 0)


def make_reference(codes: NDArray[np.int8]) -> Reference:
    """Return the reference of training data.

    Args:
        codes: int8 [rows, channels]: what the model was fed.

    Raises:
        ModelError: there are no rows or no channels.
    """
    if codes.size == 0:
        raise ModelError("a reference needs training data")
    channels = codes.shape[1]
    count = groups(channels)
    shared = codes.reshape(len(codes), count, channels // count)
    columns = [shared[:, i].reshape(-1) for i in range(count)]
    edges = tuple(_edges(column) for column in columns)
    return Reference(edges, tuple(map(_shares, columns, edges)))


def _edges(column: NDArray[np.int8]) -> tuple[int, ...]:
    """Return edges at the octiles of the data, moved up where two would be the same.

    Those that would leave the range of codes are moved down again, so that all are distinct.
    """
    ranked = np.sort(column).astype(int)
    found = [int(ranked[len(ranked) * i // BINS]) for i in range(1, BINS)]
    for i in range(1, len(found)):
        found[i] = max(found[i], found[i - 1] + 1)
    for i in reversed(range(len(found))):
        found[i] = min(found[i], _HIGHEST - (len(found) - 1 - i))
    return tuple(found)


def _shares(column: NDArray[np.int8], edges: tuple[int, ...]) -> tuple[int, ...]:
    """Return the share of each bin in 255ths, at least 1: the largest remainders are rounded up."""
    counts = np.bincount(np.searchsorted(edges, column, side="right"), minlength=BINS)
    exact = 1 + counts * (SHARES - BINS) / len(column)
    shares = np.floor(exact).astype(int)
    for index in np.argsort(shares - exact, kind="stable")[: SHARES - shares.sum()]:
        shares[index] += 1
    return tuple(int(share) for share in shares)
