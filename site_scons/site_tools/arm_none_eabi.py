# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""SCons tool: GCC for bare-metal Arm with picolibc."""

from typing import Any

from torpor_build import cross

TARGET = "arm-none-eabi"


def exists(env: Any) -> bool:
    """Say whether the compiler can be found on the PATH of the build."""
    return cross.exists(env, TARGET)


def generate(env: Any) -> None:
    """Set up `env` for the cross compiler; raise MissingToolError if it is not there."""
    cross.generate(env, TARGET)
