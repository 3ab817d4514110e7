# SPDX-License-Identifier: Apache-2.0
"""Bounds-checked reading of FlatBuffers.

Generated accessors trust every offset; this layer trusts none. Each access is checked against
the buffer, and the sum of all bytes read is limited, so that a small hostile file in which many
tables share one large vector costs neither memory nor time.
"""

import struct
from collections.abc import Iterator

from torpor.errors import ModelError

_BUDGET_FACTOR = 16
_BUDGET_BASE = 1 << 16
_SCALARS = {c: struct.Struct("<" + c) for c in "bBhHiIqQf?"}


class Buffer:
    """The bytes of a file, and how many may still be read from it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._left = _BUDGET_FACTOR * len(data) + _BUDGET_BASE

    def spend(self, offset: int, length: int) -> None:
        """Check that `length` bytes at `offset` lie inside, and count them as read.

        Raises:
            ModelError: they do not, or far more was read than the file holds.
        """
        if offset < 0 or offset + length > len(self.data):
            raise ModelError(
                "the model file is damaged: an offset points outside of it",
                "is it a whole .tflite file? fetch or convert it again",
            )
        self._left -= length
        if self._left < 0:
            raise ModelError("the model file is damaged: its parts refer to each other too often")

    def scalar(self, offset: int, kind: str) -> int | float | bool:
        """Return the little-endian scalar of struct format `kind` at `offset`."""
        code = _SCALARS[kind]
        self.spend(offset, code.size)
        value: int | float | bool = code.unpack_from(self.data, offset)[0]
        return value

    def uint(self, offset: int, kind: str = "I") -> int:
        """Return the unsigned integer of struct format `kind` at `offset`."""
        return int(self.scalar(offset, kind))

    def root(self) -> "Table":
        """Return the root table."""
        return Table(self, self.uint(0))


class Table:
    """A table: fields by slot number, each with a default where it is absent."""

    def __init__(self, buffer: Buffer, position: int) -> None:
        self._buffer = buffer
        self._position = position
        vtable = position - int(buffer.scalar(position, "i"))
        length = buffer.uint(vtable, "H")
        buffer.spend(vtable, length)
        self._vtable = vtable
        self._slots = max(0, length - 4) // 2

    def _field(self, slot: int) -> int:
        if slot >= self._slots:
            return 0
        offset = self._buffer.uint(self._vtable + 4 + 2 * slot, "H")
        return self._position + offset if offset else 0

    def scalar(self, slot: int, kind: str, default: int | float | bool) -> int | float | bool:
        """Return the scalar of struct format `kind` in `slot`."""
        at = self._field(slot)
        return self._buffer.scalar(at, kind) if at else default

    def integer(self, slot: int, kind: str, default: int = 0) -> int:
        """Return the integer of struct format `kind` in `slot`."""
        return int(self.scalar(slot, kind, default))

    def _target(self, slot: int) -> int:
        at = self._field(slot)
        return at + self._buffer.uint(at) if at else 0

    def table(self, slot: int) -> "Table | None":
        """Return the table that `slot` refers to."""
        at = self._target(slot)
        return Table(self._buffer, at) if at else None

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        at = self._target(slot)
        if not at:
            return 0, 0
        count = self._buffer.uint(at)
        self._buffer.spend(at + 4, count * size)
        return at + 4, count

    def has(self, slot: int) -> bool:
        """Tell whether the file has a value in `slot`."""
        return self._field(slot) != 0

    def tables(self, slot: int) -> "Iterator[Table]":
        """Return the tables of the vector in `slot`."""
        start, count = self._vector(slot, 4)
        for at in range(start, start + 4 * count, 4):
            yield Table(self._buffer, at + self._buffer.uint(at))

    def vector(self, slot: int, kind: str) -> tuple[int | float, ...]:
        """Return the scalars (struct format `kind`) of the vector in `slot`, () if absent."""
        start, count = self._vector(slot, _SCALARS[kind].size)
        return struct.unpack_from(f"<{count}{kind}", self._buffer.data, start)

    def integers(self, slot: int, kind: str) -> tuple[int, ...]:
        """Return the integers (struct format `kind`) of the vector in `slot`."""
        return tuple(int(v) for v in self.vector(slot, kind))

    def bytes(self, slot: int) -> bytes | None:
        """Return the byte vector in `slot`, None where absent."""
        if not self.has(slot):
            return None
        start, count = self._vector(slot, 1)
        return self._buffer.data[start : start + count]

    def string(self, slot: int) -> str:
        """Return the string in `slot`, "" where absent; odd bytes are replaced."""
        return (self.bytes(slot) or b"").decode("utf-8", "replace")
