# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""C++ in the build: the adapter to TensorFlow Lite Micro, and nothing else."""

import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from torpor.board import Board
from torpor.errors import MissingToolError

_LANGUAGE = ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
# Nothing unwinds: without tables nobody asks for the unwinder of libgcc.
_TABLES = ["-fno-unwind-tables", "-fno-asynchronous-unwind-tables"]
_WARNINGS = ["-Wall", "-Wextra", "-Werror"]
_PACKAGES = {
    "native": "g++",
    "arm-none-eabi": "gcc-arm-none-eabi libstdc++-arm-none-eabi-dev",
}


def environment(env: Any, board: Board, headers: Iterable[str], defines: Iterable[str]) -> Any:
    """Return a copy of `env` that compiles C++.

    What SCons takes for its C compiler is g++ here: the builders of the two languages are shared
    between all environments, and that of third-party C has the suffix .cc (third_party.py).

    Args:
        env: of the build.
        board: whose compiler it is.
        headers: folders, of a library: no warnings about them.
        defines: macros of that library.

    Raises:
        MissingToolError: the compiler or its headers are not installed.
    """
    compiler = "g++" if board.core.toolchain == "native" else f"{board.core.toolchain}-g++"
    _check(env, compiler, _PACKAGES[board.core.toolchain])
    env = env.Clone(
        CC=compiler, CFLAGS=[*_LANGUAGE, *_TABLES], CXXCOM="$CCCOM", CCCOMSTR="  c++     $SOURCE"
    )
    env.Append(CCFLAGS=[*_WARNINGS, "-Os"])
    for folder in headers:
        env.Append(CCFLAGS=["-isystem", folder.replace("$", "$$")])
        env.Append(CCFLAGS=[f"-ffile-prefix-map={folder.replace('$', '$$')}=."])
    env.Append(CPPDEFINES=["NDEBUG", *defines])  # what flatbuffers asserts, infer_check() has shown
    return env


def _check(env: Any, compiler: str, packages: str) -> None:
    """Raise MissingToolError unless there is a compiler that finds headers of C++."""
    hint = f"sudo apt install {packages}"
    if not shutil.which(compiler, path=env["ENV"]["PATH"]):
        raise MissingToolError(f"{compiler} is not installed", hint)
    specs = [flag for flag in env["CCFLAGS"] if str(flag).startswith("--specs=")]
    done = subprocess.run(
        [compiler, *specs, "-E", "-x", "c++", "-"],
        env=env["ENV"],
        input=b"#include <new>\n#include <type_traits>\n",
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise MissingToolError(f"the C++ headers of {compiler} are not installed", hint)
