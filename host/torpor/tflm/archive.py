# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A user's libtensorflow-microlite.a: what it was built for and with, as its symbols say."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torpor.errors import ImageError, UsageError
from torpor.tflm.ar import members
from torpor.tflm.cpu import Cpu, cpu_of, most
from torpor.tflm.objects import ARM, Object, read_object

LARGEST = 1 << 30
"""Bytes of an archive that is read: a hundred times of what TFLM takes with debug information."""

_MANGLED = "_ZN6tflite"
_INTERPRETER = f"{_MANGLED}16MicroInterpreter15AllocateTensorsEv"
_REGISTER = re.compile(rf"{_MANGLED}\d+(Register_\w+?)Ev")
_INT8 = "Register_CONV_2D_INT8"  # of CMSIS-NN's kernels only
_PRINT = "_Z11MicroPrintfPKcz"
_NOT_STATIC = "TfLiteIntArrayCreate"  # only where TF_LITE_STATIC_MEMORY was not defined
_COMPRESSION = f"{_MANGLED}23MicroInterpreterContext24GetTensorCompressionDataE"
_ASSERTS = {"__assert_func", "__assert_no_args", "__assert_fail", "__aeabi_assert"}

# What code that was compiled with the headers of a C library refers to, and no other library has.
_OF_LIBRARY = {
    "newlib": {
        *("__errno", "_impure_ptr", "_global_impure_ptr", "__getreent", "__locale_ctype_ptr"),
        *("__srget_r", "__swbuf_r"),
    },
    "picolibc": {"errno", "__assert_no_args"},
    "glibc": {"__errno_location", "__assert_fail", "__ctype_b_loc"},
    "Arm's": {"__aeabi_assert", "__aeabi_errno_addr", "__stdout", "__stderr"},
}
_HEAP = {
    "malloc",
    "calloc",
    "realloc",
    "free",
    "_Znwj",
    "_Znwm",
    "_Znaj",
    "_Znam",
    "_ZdlPv",
    "_ZdlPvm",
}
_EXCEPTIONS = {"__cxa_throw", "__cxa_begin_catch", "_Unwind_Resume", "__gxx_personality_v0"}
_RTTI = "_ZTVN10__cxxabiv1"


OURS = frozenset(
    {
        *("DebugLog", "DebugVsnprintf"),
        *("abort", "__assert_func", "__cxa_pure_virtual", "__aeabi_atexit", "__dso_handle"),
        *("__errno", "_ZdlPv", "_ZdlPvj"),
    }
)
"""What a firmware has itself (infer/tflm/message.c, runtime.cc): it is not taken from elsewhere."""


@dataclass(frozen=True)
class Archive:
    """One archive.

    Attributes:
        path: where it lies.
        objects: its members.
    """

    path: Path
    objects: tuple[Object, ...] = field(repr=False)

    @cached_property
    def cpus(self) -> dict[Cpu, str]:
        """What its members were compiled for, each with the name of one of them.

        A member without build attributes (data that an assembler made) goes with all.
        """
        found: dict[Cpu, str] = {}
        for one in self.objects:
            if one.machine != ARM or one.attributes:
                found.setdefault(cpu_of(one), one.name)
        return found or {cpu_of(self.objects[0]): self.objects[0].name}

    @cached_property
    def cpu(self) -> Cpu:
        """What it needs of a processor, all members together."""
        return most(list(self.cpus))

    @cached_property
    def defined(self) -> frozenset[str]:
        """Global symbols that it has."""
        return frozenset[str]().union(*(one.defined for one in self.objects))

    @cached_property
    def undefined(self) -> frozenset[str]:
        """Global symbols that it needs from elsewhere."""
        return frozenset[str]().union(*(one.undefined for one in self.objects)) - self.defined

    @property
    def has_interpreter(self) -> bool:
        """Whether it is TensorFlow Lite Micro at all."""
        return _INTERPRETER in self.defined

    @property
    def compiler(self) -> str:
        """What made its code: "GCC: (15:12.2.rel1-1) 12.2.1 20221205"; "" if it does not say."""
        return next((one.compiler for one in self.objects if one.compiler), "")

    @cached_property
    def registers(self) -> frozenset[str]:
        """Functions that register an operator: "Register_CONV_2D", "Register_CONV_2D_INT8"."""
        found = (_REGISTER.fullmatch(symbol) for symbol in self.defined)
        return frozenset(match[1] for match in found if match)

    @property
    def kernels(self) -> str:
        """Whose kernels it has: "cmsis_nn", or "reference": TFLM's own."""
        return "cmsis_nn" if _INT8 in self.registers else "reference"

    @property
    def strips(self) -> bool:
        """Whether it has no messages (TF_LITE_STRIP_ERROR_STRINGS)."""
        return self.has_interpreter and _PRINT not in self.defined

    @property
    def static_memory(self) -> bool:
        """Whether it was compiled with TF_LITE_STATIC_MEMORY, as all of TFLM is but one build."""
        return _NOT_STATIC not in self.defined

    @property
    def compression(self) -> bool:
        """Whether it was compiled with USE_TFLM_COMPRESSION."""
        return any(symbol.startswith(_COMPRESSION) for symbol in self.defined)

    @property
    def build_type(self) -> str:
        """Which BUILD_TYPE of TFLM's Makefile it looks like."""
        if not self.static_memory:
            return "no_tf_lite_static_memory"
        if self.strips:
            return "release"
        if not self.undefined & _ASSERTS:
            return "release_with_logs"
        debug = any(".debug_info" in one.sections for one in self.objects)
        return "debug" if debug else "default"

    @property
    def c_library(self) -> str:
        """Whose headers it was compiled with: "newlib", "picolibc", "glibc", "Arm's"; or "unknown".

        Most of C's functions look the same in all of them. musl looks like glibc.
        """
        found = [name for name, own in _OF_LIBRARY.items() if own & self.undefined]
        return found[0] if len(found) == 1 else "unknown"

    @cached_property
    def needed(self) -> frozenset[str]:
        """Symbols that every firmware needs from elsewhere: of the interpreter and its parts.

        What only some operator needs is not among them; a linker names it.
        """
        home: dict[str, Object] = {}
        for one in self.objects:
            for symbol in one.defined - OURS:
                home.setdefault(symbol, one)
        taken: set[int] = set()
        needed: set[str] = set()
        wanted = [_INTERPRETER]
        while wanted:
            symbol = wanted.pop()
            if symbol not in home:
                needed.add(symbol)
            elif id(home[symbol]) not in taken:
                taken.add(id(home[symbol]))
                wanted += home[symbol].undefined
        return frozenset(needed - OURS)

    def foreign(self, library: str) -> dict[str, str]:
        """Return what every firmware needs and `library` lacks: who has it, by symbol."""
        others = {name: own for name, own in _OF_LIBRARY.items() if name != library}
        return {symbol: name for name, own in others.items() for symbol in own & self.needed}

    @property
    def heap(self) -> list[str]:
        """Functions of a heap that every firmware needs."""
        return sorted(_HEAP & self.needed)

    @property
    def exceptions(self) -> list[str]:
        """What every firmware needs of exceptions and run-time types."""
        types = {symbol for symbol in self.needed if symbol.startswith(_RTTI)}
        return sorted((_EXCEPTIONS & self.needed) | types)

    def __str__(self) -> str:
        return f"{self.cpu}; kernels {self.kernels}, BUILD_TYPE={self.build_type}"


def read_archive(path: Path) -> Archive:
    """Read an archive.

    Raises:
        UsageError: there is no such file.
        ImageError: it is damaged, or not an archive of ELF object files.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if size > LARGEST:
        raise ImageError(f"{path}: {size} bytes is more than any archive of TFLM has")
    try:
        objects = tuple(read_object(*member) for member in members(data))
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", error.hint) from error
    if not objects:
        raise ImageError(f"{path}: an archive without object files")
    if any(name.startswith(".gnu.lto_") for one in objects for name in one.sections):
        raise ImageError(f"{path}: compiled with -flto, which cannot be read", "compile it without")
    return Archive(path, objects)
