# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""ELF files with chosen segments, for tests that look at nothing else of them."""

import struct
from collections.abc import Sequence
from pathlib import Path


def elf_file(path: Path, segments: Sequence[tuple[int, bytes]]) -> Path:
    """Write a 32-bit Arm ELF file with loadable segments (address, bytes); return its path."""
    start = 52 + 32 * len(segments)
    head = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01",
        2,
        40,
        1,
        0,
        52,
        0,
        0,
        52,
        32,
        len(segments),
        40,
        0,
        0,
    )
    table, content = b"", b""
    for address, data in segments:
        sizes = len(data), len(data)
        table += struct.pack("<8I", 1, start + len(content), address, address, *sizes, 5, 4)
        content += data
    path.write_bytes(head + table + content)
    return path
