# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Inputs that are kept, in a ring of flash blocks: firmware/stats/store.c once more, in memory."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torpor.stats.headers import constants
from torpor.stats.sampler import Why

WEAR = constants("store.h")["STORE_WEAR"]
_HEAD = struct.Struct("<4I")
_RECORD = struct.Struct("<3IH4B2x2I")
_HEAD_MAGIC, _RECORD_MAGIC = 0x42535054, 0x52535054
_ERASED = 0xFF


@dataclass(frozen=True)
class Layout:
    """Where it lies; bytes, multiples of the erase size, write_size a power of two, 4 .. 256."""

    size: int
    erase_size: int
    write_size: int = 4
    offset: int = 0

    @property
    def blocks(self) -> int:
        """How many blocks."""
        return self.size // self.erase_size if self.size else 0

    def padded(self, count: int) -> int:
        """Return `count` bytes rounded up to whole write units."""
        return -(-count // self.write_size) * self.write_size


@dataclass(frozen=True)
class Entry:
    """An input that is kept: store_entry_t and its bytes."""

    data: bytes
    number: int = 0
    time: int = 0
    plan: int = 0
    why: int = 0
    best: int = 0
    score: int = 0
    kind: int = 0


@dataclass(frozen=True)
class _Record:
    entry: Entry
    torn: bool
    end: int
    """Where the next one begins, in the block."""


@dataclass(frozen=True)
class _Head:
    sequence: int = 0
    number: int = 0
    erased: int = 0


class Store:
    """The ring, on flash that is plain memory.

    Args:
        flash: all of the flash; changed in place.
        layout: where the ring lies in it.
    """

    def __init__(self, flash: bytearray, layout: Layout) -> None:
        self._flash = flash
        self._layout = layout
        self._block, self._used, self._next_number = 0, layout.erase_size, 0
        newest = self._newest()
        if newest is None:
            return
        self._block, head = newest
        self._next_number, end = head.number, layout.padded(_HEAD.size)
        for record in self._records(self._block):
            self._next_number, end = record.entry.number + 1, record.end
        rest = self._read(self._block)[end:]
        self._used = end if all(byte == _ERASED for byte in rest) else layout.erase_size

    def put(self, entry: Entry) -> Entry | None:
        """Keep an input; return it with its number, or None if it cannot be."""
        layout = self._layout
        size = layout.padded(_RECORD.size + len(entry.data))
        if layout.blocks < 2 or size > layout.erase_size - layout.padded(_HEAD.size):
            return None
        if size > layout.erase_size - self._used:
            self._begin(self._victim())
        entry = replace(entry, number=self._next_number)
        self._next_number += 1
        fields = (entry.why, entry.best, entry.score, entry.kind, zlib.crc32(entry.data))
        record = _RECORD.pack(
            entry.number, entry.time, entry.plan, len(entry.data), *fields, 0
        )  # fmt: skip
        self._write(self._used, _with_crc(record, _RECORD_MAGIC) + entry.data)
        self._used += size
        return entry

    def entries(self) -> list[Entry]:
        """Return all that are there, by number."""
        blocks = [block for block in range(self._layout.blocks) if self._head(block)]
        records = [record for block in blocks for record in self._records(block)]
        found = [record.entry for record in records if not record.torn]
        return sorted(found, key=lambda entry: entry.number)

    def clear(self) -> None:
        """Forget everything."""
        if self._layout.blocks < 2:
            return
        self._begin(self._following(1))
        for step in range(1, self._layout.blocks):
            self._erase(self._following(step))

    # ---- which block

    def _victim(self) -> int:
        others = [self._following(step) for step in range(1, self._layout.blocks)]
        heads = {block: self._head(block) for block in others}
        for block, head in heads.items():
            if head is None:
                return block
        known = {block: head for block, head in heads.items() if head}
        most = self._most_erased()
        unworn = min(known, key=lambda block: known[block].erased)
        if most - known[unworn].erased >= WEAR:
            return unworn
        old = [block for block in known if self._is_old(known[block].sequence)]
        return min(old, key=lambda block: (self._low(block), known[block].sequence))

    def _following(self, step: int) -> int:
        return (self._block + step) % self._layout.blocks

    def _newest(self) -> tuple[int, _Head] | None:
        heads = [(block, self._head(block)) for block in range(self._layout.blocks)]
        known = [(block, head) for block, head in heads if head]
        return max(known, key=lambda item: item[1].sequence, default=None)

    def _most_erased(self) -> int:
        heads = map(self._head, range(self._layout.blocks))
        return max((head.erased for head in heads if head), default=0)

    def _is_old(self, sequence: int) -> bool:
        heads = map(self._head, range(self._layout.blocks))
        older = sum(head.sequence < sequence for head in heads if head)
        return older < self._layout.blocks // 2

    def _low(self, block: int) -> int:
        return sum(record.entry.why == Why.LOW for record in self._records(block))

    # ---- bytes

    def _begin(self, block: int) -> None:
        known, newest = self._head(block), self._newest()
        erased = known.erased + 1 if known else max(self._most_erased(), 1)
        sequence = newest[1].sequence + 1 if newest else 1
        self._erase(block)
        self._block = block
        head = _HEAD.pack(sequence, self._next_number, erased, 0)
        self._write(0, _with_crc(head, _HEAD_MAGIC))
        self._used = self._layout.padded(_HEAD.size)

    def _at(self, block: int) -> int:
        return self._layout.offset + block * self._layout.erase_size

    def _read(self, block: int) -> bytes:
        return bytes(self._flash[self._at(block) : self._at(block) + self._layout.erase_size])

    def _erase(self, block: int) -> None:
        size = self._layout.erase_size
        self._flash[self._at(block) : self._at(block) + size] = bytes([_ERASED]) * size

    def _write(self, offset: int, data: bytes) -> None:
        data = data.ljust(self._layout.padded(len(data)), bytes([_ERASED]))
        start = self._at(self._block) + offset
        self._flash[start : start + len(data)] = data

    def _head(self, block: int) -> _Head | None:
        raw = self._read(block)[: _HEAD.size]
        good = raw == _with_crc(raw, _HEAD_MAGIC)
        return _Head(*_HEAD.unpack(raw)[:3]) if good else None

    def _records(self, block: int) -> Iterator[_Record]:
        """Yield what is in a block, what is torn too."""
        content = self._read(block)
        at = self._layout.padded(_HEAD.size)
        while at + _RECORD.size <= len(content):
            raw = content[at : at + _RECORD.size]
            number, time, plan, length, why, best, score, kind, data_crc, _ = _RECORD.unpack(raw)
            start = at + _RECORD.size
            if raw != _with_crc(raw, _RECORD_MAGIC) or length > len(content) - start:
                return
            data = content[start : start + length]
            at += self._layout.padded(_RECORD.size + length)
            entry = Entry(data, number, time, plan, why, best, score, kind)
            yield _Record(entry, zlib.crc32(data) != data_crc, at)


def _with_crc(raw: bytes, magic: int) -> bytes:
    """Return a head or record with its last four bytes made right."""
    return raw[:-4] + struct.pack("<I", zlib.crc32(raw[:-4], magic))
