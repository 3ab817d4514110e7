# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The CPU: unicorn's translator, with a count of instructions that ends a slice exactly.

What is done for every slice goes to unicorn's C functions directly: its Python is slow. No callback
that is called from there may raise, therefore.
"""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import unicorn
from unicorn.unicorn_py3.unicorn import uclib

FOREVER = (1 << 64) - 1
NOWHERE = 0xFFFFFFFF  # no instruction is there, so that no slice ends by its address


class Slice(ctypes.Structure):
    """slice_t of hook.c."""

    count: int
    limit: int
    address: int
    stop: int
    watch: int
    mask: int
    wanted: int
    id: int
    stopped: int
    stop_engine: int
    read_register: int
    _fields_ = [
        ("count", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("stop", ctypes.c_uint32),
        ("watch", ctypes.c_uint32),
        ("mask", ctypes.c_uint32),
        ("wanted", ctypes.c_uint32),
        ("id", ctypes.c_int32),
        ("stopped", ctypes.c_uint32),
        ("stop_engine", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
    ]


@functools.cache
def _hook() -> int:
    """Compile hook.c; return the address of its function."""
    folder = Path(tempfile.mkdtemp(prefix="torpor-chips-"))
    library, source = folder / "hook.so", Path(__file__).with_name("hook.c")
    flags = ["-std=c11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(library)], check=True)
    function = ctypes.CDLL(str(library)).count_instruction
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _address(function: object) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]


class Engine:
    """One CPU. What it executes is counted in `slice.count`."""

    def __init__(self, architecture: int, mode: int, model: int) -> None:
        untyped: Any = unicorn
        self.uc: Any = untyped.Uc(architecture, mode)
        self.uc.ctl_set_cpu_model(model)
        self.slice = Slice()
        self.slice.stop_engine = _address(uclib.uc_emu_stop)
        self.slice.read_register = _address(uclib.uc_reg_read)
        self._handle = ctypes.c_size_t()
        self._value = ctypes.c_uint64()
        self._place = ctypes.cast(ctypes.byref(self._value), ctypes.c_void_p)
        uclib.uc_hook_add(
            self.uc._uch,
            ctypes.byref(self._handle),
            unicorn.UC_HOOK_CODE,
            ctypes.c_void_p(_hook()),
            ctypes.cast(ctypes.byref(self.slice), ctypes.c_void_p),
            ctypes.c_ulong(1),
            ctypes.c_ulong(0),
        )

    def get(self, register: int) -> int:
        """Read a register."""
        self._value.value = 0
        uclib.uc_reg_read(self.uc._uch, register, self._place)
        return int(self._value.value) & 0xFFFFFFFF

    def set(self, register: int, value: int) -> None:
        """Write a register."""
        self._value.value = value & 0xFFFFFFFF
        uclib.uc_reg_write(self.uc._uch, register, self._place)

    def stop(self) -> None:
        """End the slice behind the instruction that is being executed."""
        self.slice.stop = 1

    def watch(self, register: int, mask: int, wanted: int) -> None:
        """End slices where a register, masked, has this value; watches one at a time."""
        part = self.slice
        part.watch, part.id, part.mask, part.wanted = 1, register, mask, wanted

    def run(self, pc: int, limit: int) -> int:
        """Execute from `pc` on until `limit` instructions have been counted, or less.

        `slice.stopped` is 0 where the last instruction itself has ended it: it waits, or is at
        fault. Returns what the translator says of it, one of UC_ERR_*.
        """
        part = self.slice
        part.limit, part.stop, part.stopped = min(limit, FOREVER), 0, 0
        error = int(uclib.uc_emu_start(self.uc._uch, pc, NOWHERE, 0, 0))
        part.watch = 0
        return error
