# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""ELF object files: for what they were compiled, and which symbols they define and need.

Only what is looked at is read, all of it with bounds: an archive has hundreds of objects with
thousands of sections, and a build looks at it each time (docs/DESIGN.md).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torpor.errors import ImageError

ARM, RISCV = 40, 243
_SYMTAB = 2
_ATTRIBUTES = 0x70000003  # of Arm and of RISC-V
_GLOBAL, _WEAK = 1, 2
_ARM_STRINGS = (4, 5, 65, 67)
_COMPATIBILITY = 32
_LONGEST = 1 << 16  # name that is read


@dataclass(frozen=True)
class Object:
    """One ELF object file.

    Attributes:
        name: of the file in its archive.
        machine: e_machine.
        bits: 32 or 64.
        little: whether it is little-endian.
        flags: e_flags.
        attributes: build attributes of the whole file by tag; empty where the machine has none.
        compiler: what .comment says, or "".
        defined: global symbols that it has.
        undefined: global symbols that it needs.
        sections: names of its sections.
    """

    name: str
    machine: int
    bits: int
    little: bool
    flags: int
    attributes: Mapping[int, int | str] = field(default_factory=dict)
    compiler: str = ""
    defined: frozenset[str] = frozenset()
    undefined: frozenset[str] = frozenset()
    sections: frozenset[str] = frozenset()

    def number(self, tag: int) -> int:
        """Return the value of an attribute that is a number; 0 where it is not there."""
        value = self.attributes.get(tag, 0)
        return value if isinstance(value, int) else 0


class _Layout(NamedTuple):
    """How one class of ELF files writes its tables."""

    header: str  # from e_type on
    section: str
    symbol: str


_LAYOUTS = {
    1: _Layout("HHIIIIIHHHHHH", "IIIIIIIIII", "IIIBBH"),
    2: _Layout("HHIQQQIHHHHHH", "IIQQQQIIQQ", "IBBHQQ"),
}


class _Section(NamedTuple):
    name: int
    kind: int
    offset: int
    size: int
    link: int


def read_object(name: str, data: bytes) -> Object:
    """Read an ELF object file.

    Raises:
        ImageError: it is none, or a damaged one; without the archive's name.
    """
    try:
        return _Reader(name, data).read()
    except (struct.error, IndexError, ValueError) as error:
        raise ImageError(f"{name} in it is damaged: {error}") from error


class _Reader:
    """Reads one file; a table that lies outside raises."""

    def __init__(self, name: str, data: bytes) -> None:
        layout = _LAYOUTS.get(data[4]) if data[:4] == b"\x7fELF" and len(data) > 16 else None
        if layout is None:
            raise ImageError(f"{name} in it is not an ELF object file")
        self.name, self.data, self.layout = name, data, layout
        self.bits = 32 * data[4]
        self.order = "<" if data[5] == 1 else ">"
        head = struct.unpack_from(self.order + layout.header, data, 16)
        self.machine, self.flags = head[1], head[6]
        self.sections = self._sections(start=head[5], count=head[11])
        self.names = self._content(self.sections[head[12]]) if self.sections else b""

    def read(self) -> Object:
        """Return what is to be known of the file."""
        defined, undefined = self._symbols()
        return Object(
            self.name,
            self.machine,
            self.bits,
            self.order == "<",
            self.flags,
            self._attributes(),
            self._compiler(),
            defined,
            undefined,
            frozenset(_text(self.names, section.name) for section in self.sections),
        )

    def _sections(self, start: int, count: int) -> list[_Section]:
        entry = struct.Struct(self.order + self.layout.section)
        found = []
        for row in entry.iter_unpack(self._cut(start, count * entry.size)):
            found.append(_Section(row[0], row[1], row[4], row[5], row[6]))
        return found

    def _cut(self, start: int, size: int) -> bytes:
        if start + size > len(self.data):
            end = start + size
            raise ImageError(f"{self.name} in it is cut off: {end} of {len(self.data)} bytes")
        return self.data[start : start + size]

    def _content(self, section: _Section) -> bytes:
        return self._cut(section.offset, section.size)

    def _of_kind(self, kind: int) -> Iterator[_Section]:
        return (section for section in self.sections if section.kind == kind)

    def _symbols(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the global symbols that are defined and those that are needed."""
        defined, undefined = set(), set()
        wide = self.bits == 64
        entry = struct.Struct(self.order + self.layout.symbol)
        for section in self._of_kind(_SYMTAB):
            names = self._content(self.sections[section.link])
            for row in entry.iter_unpack(self._content(section)):
                info, place = (row[1], row[3]) if wide else (row[3], row[5])
                if place and info >> 4 in (_GLOBAL, _WEAK):
                    defined.add(_text(names, row[0]))
                elif info >> 4 == _GLOBAL:
                    undefined.add(_text(names, row[0]))
        return frozenset(defined), frozenset(undefined)

    def _compiler(self) -> str:
        for section in self.sections:
            if _text(self.names, section.name) == ".comment":
                first = self._content(section).strip(b"\0").partition(b"\0")[0]
                return first.decode(errors="replace")
        return ""

    def _attributes(self) -> dict[int, int | str]:
        found: dict[int, int | str] = {}
        for section in self._of_kind(_ATTRIBUTES):
            found |= build_attributes(self._content(section), self.order, self.machine)
        return found


def _text(table: bytes, start: int) -> str:
    end = table.find(b"\0", start, start + _LONGEST)
    if end < 0:
        raise IndexError(f"no name at {start} of {len(table)} bytes")
    return table[start:end].decode(errors="replace")


def build_attributes(data: bytes, order: str, machine: int) -> dict[int, int | str]:
    """Return the attributes for the whole file in a section of build attributes (Arm IHI 0045).

    It is a letter, then for each vendor: size, name, and parts of tag, size and attributes. Raises
    struct.error, IndexError or ValueError where it is damaged.
    """
    found: dict[int, int | str] = {}
    at = 1
    while at < len(data):
        (size,) = struct.unpack_from(order + "I", data, at)
        end = at + size
        at = data.index(0, at + 4) + 1
        if not at <= end <= len(data):
            raise IndexError(f"build attributes end at {end} of {len(data)} bytes")
        while at < end:
            tag, size = struct.unpack_from(order + "BI", data, at)
            if tag == 1:  # the whole file
                found |= _pairs(data[at + 5 : at + size], machine)
            at += max(size, 5)
        at = end
    return found


def _pairs(data: bytes, machine: int) -> dict[int, int | str]:
    found: dict[int, int | str] = {}
    at = 0
    while at < len(data):
        tag, at = _uleb(data, at)
        text = tag in _ARM_STRINGS if machine == ARM else tag % 2 == 1
        if text:
            found[tag], at = _text(data, at), data.index(0, at) + 1
        else:
            found[tag], at = _uleb(data, at)
            if tag == _COMPATIBILITY and machine == ARM:  # a number and a text
                at = data.index(0, at) + 1
    return found


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at`, in groups of 7 bits, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        value |= (data[at + shift // 7] & 0x7F) << shift
        if data[at + shift // 7] < 0x80:
            return value, at + shift // 7 + 1
    raise IndexError(f"a number of more than 64 bits in build attributes at {at}")
