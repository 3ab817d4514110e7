# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where a member of a variable lies in a device's memory, from what the compiler tells debuggers.

So a firmware can be measured that knows nothing of being measured (DWARF 5, sections 5.7 and 7.5).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from torpor.emulate.image import Image
from torpor.errors import UsageError

_ALIASES = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type")
_UNKNOWN = "a firmware with debugging information is needed: scons without release=1"


@dataclass(frozen=True)
class Field:
    """Some bytes in a device's memory: an integer without sign, little endian."""

    address: int
    size: int

    def value(self, content: bytes) -> int:
        """Return the number that `content` is."""
        return int.from_bytes(content[: self.size], "little")

    def content(self, value: int) -> bytes:
        """Return the bytes of a number."""
        return value.to_bytes(self.size, "little")


def find(elf: Path, source: str, *paths: str) -> list[Field]:
    """Return where members of variables lie.

    Args:
        elf: the firmware.
        source: the end of the name of a C file that knows the variables.
        paths: "variable.member.member" each.

    Raises:
        UsageError: `elf` is no ELF file, or says nothing about these.
    """
    image = Image.read(elf)
    with elf.open("rb") as file:
        whole = ELFFile(file)
        if whole.get_section_by_name(".debug_info") is None:
            raise UsageError(f"{elf} does not say where its variables lie", _UNKNOWN)
        unit = _unit(whole.get_dwarf_info(), source)
        if unit is None:
            raise UsageError(f"{elf} has nothing of {source}", _UNKNOWN)
        variables = {_name(die): die for die in unit if die.tag == "DW_TAG_variable"}
        return [_field(image, variables, path) for path in paths]


def _unit(dwarf: Any, source: str) -> list[Any] | None:
    """Return the top entries of the unit that was made from `source`."""
    for unit in dwarf.iter_CUs():
        top = unit.get_top_DIE()
        if _name(top).endswith(source):
            return list(top.iter_children())
    return None


def _field(image: Image, variables: dict[str, Any], path: str) -> Field:
    name, *members = path.split(".")
    if name not in variables:
        raise UsageError(f"{image.path} has no variable {name}", _UNKNOWN)
    address, die = image.place(name)[0], _type(variables[name])
    for member in members:
        found = {_name(child): child for child in _members(die)}.get(member)
        if found is None:
            raise UsageError(f"{image.path} has no {path}", _UNKNOWN)
        address += found.attributes["DW_AT_data_member_location"].value
        die = _type(found)
    return Field(address, _size(die))


def _size(die: Any) -> int:
    """Return the bytes of a type; an array's are those of its elements."""
    if die.tag != "DW_TAG_array_type":
        return int(die.attributes["DW_AT_byte_size"].value)
    ranges = [c for c in die.iter_children() if c.tag == "DW_TAG_subrange_type"]
    bounds = [int(r.attributes["DW_AT_upper_bound"].value) for r in ranges]
    return math.prod(bound + 1 for bound in bounds) * _size(_type(die))


def _members(die: Any) -> Iterator[Any]:
    return (child for child in die.iter_children() if child.tag == "DW_TAG_member")


def _type(die: Any) -> Any:
    """Return the type of an entry, behind all its other names."""
    kind = die.get_DIE_from_attribute("DW_AT_type")
    while kind.tag in _ALIASES:
        kind = kind.get_DIE_from_attribute("DW_AT_type")
    return kind


def _name(die: Any) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute else ""
