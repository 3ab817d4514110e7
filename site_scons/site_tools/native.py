# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""SCons tool: the GCC of this computer, for the firmware as a process."""

import shutil
from typing import Any

from torpor.errors import MissingToolError


def exists(env: Any) -> bool:
    """Say whether the compiler can be found on the PATH of the build."""
    return shutil.which("gcc", path=env["ENV"]["PATH"]) is not None


def generate(env: Any) -> None:
    """Set up `env` for the compiler; raise MissingToolError if it is not there."""
    if not exists(env):
        raise MissingToolError("gcc is not installed", "sudo apt install gcc libc6-dev")
    for tool in ("gcc", "link", "ar"):
        env.Tool(tool)
    env.Replace(CC="gcc", LINK="gcc", PROGSUFFIX=".elf")
    env.Append(CPPDEFINES=["_GNU_SOURCE"])
