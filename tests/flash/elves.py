# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""ELF files with segments and symbols, as a linker would leave them; what is in them is chosen."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path


def elf_file(
    path: Path,
    segments: Sequence[tuple[int, bytes]],
    symbols: Mapping[str, tuple[int, int]] | None = None,
    seen: Mapping[int, int] | None = None,
) -> Path:
    """Write a 32-bit ELF file; return its path.

    Args:
        path: of the file.
        segments: address and bytes of each.
        symbols: address and size by name.
        seen: addresses that the program sees segments at, by where they lie, if elsewhere.
    """
    names, table = b"\0", struct.pack("<IIIBBH", 0, 0, 0, 0, 0, 0)
    for name, (address, size) in (symbols or {}).items():
        table += struct.pack("<IIIBBH", len(names), address, size, 0x11, 0, 1)
        names += name.encode() + b"\0"
    titles = b"\0.symtab\0.strtab\0.shstrtab\0"
    start = 52 + 32 * len(segments)
    heads, content = b"", b""
    for address, data in segments:
        sizes = len(data), len(data)
        virtual = (seen or {}).get(address, address)
        heads += struct.pack("<8I", 1, start + len(content), virtual, address, *sizes, 5, 4)
        content += data
    at_table = start + len(content)
    at_names = at_table + len(table)
    at_titles = at_names + len(names)
    sections = bytes(40)
    sections += struct.pack("<10I", 1, 2, 0, 0, at_table, len(table), 2, 1, 4, 16)
    sections += struct.pack("<10I", 9, 3, 0, 0, at_names, len(names), 0, 0, 1, 0)
    sections += struct.pack("<10I", 17, 3, 0, 0, at_titles, len(titles), 0, 0, 1, 0)
    at_sections = at_titles + len(titles)
    entry = segments[0][0] if segments else 0
    counts = 52, 32, len(segments), 40, 4, 3
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    head = struct.pack("<16sHHIIIIIHHHHHH", ident, 2, 40, 1, entry, 52, at_sections, 0, *counts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + heads + content + table + names + titles + sections)
    return path


def program(
    path: Path,
    board: str,
    address: int,
    size: int = 600,
    key: bytes | None = None,
    *,
    boot: bool = False,
) -> Path:
    """Write the ELF of a firmware: it names its board, and has a key if it can be updated.

    Args:
        path: of the file.
        board: that it is for.
        address: of its first byte.
        size: of its code, without the constants.
        key: public, of what can be updated.
        boot: it is a bootloader.
    """
    code = bytes(at * 7 & 0xFF for at in range(size))
    name = board.encode() + b"\0"
    constants = struct.pack("<III", address + size + 12, 16_000_000, 1000) + name
    constants += bytes(-len(constants) % 4)
    symbols = {"board": (address + size, 12)}
    if key is not None:
        symbols["update_key"] = (address + size + len(constants), 32)
        constants += key
    if boot:
        symbols["tell_nothing_to_run"] = (address, 4)
    return elf_file(path, [(address, code + constants)], symbols)
