# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Looks at running processes, for tests that nothing is left behind; makes small ELF files."""

import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

TORPOR = str(Path(sys.executable).with_name("torpor"))  # the command, as a user starts it


def alive(pid: int) -> bool:
    """True while the process runs; a zombie has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has started and that still run."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in task.read_text().split()]
    return [child for child in found if alive(child)]


def eventually(condition: Callable[[], object], seconds: float = 20) -> bool:
    """Wait until `condition` holds; False if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def elf_with(folder: Path, *segments: tuple[int, bytes, int]) -> Path:
    """Write an ELF file of 32 bits that wants bytes loaded: (address, bytes, length in memory)."""
    head = struct.pack("<16s2H5I6H", b"\x7fELF\1\1\1", 2, 243, 1, 0, 52, 0, 0, 52, 32, 0, 0, 0, 0)
    head = head[:44] + struct.pack("<H", len(segments)) + head[46:]
    offset, table, content = 52 + 32 * len(segments), b"", b""
    for address, data, length in segments:
        place = offset + len(content)
        table += struct.pack("<8I", 1, place, 0, address, len(data), length, 7, 4)
        content += data
    path = folder / "f.elf"
    path.write_bytes(head + table + content)
    return path
