# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""SCons tool: GCC for bare-metal Arm with picolibc."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from torpor.errors import MissingToolError

PREFIX = "arm-none-eabi-"
PACKAGES = "sudo apt install gcc-arm-none-eabi picolibc-arm-none-eabi"


def exists(env: Any) -> bool:
    """Say whether the compiler can be found on the PATH of the build."""
    return shutil.which(f"{PREFIX}gcc", path=env["ENV"]["PATH"]) is not None


def generate(env: Any) -> None:
    """Set up `env` for the cross compiler; raise MissingToolError if it is not there."""
    if not exists(env):
        raise MissingToolError(f"{PREFIX}gcc is not installed", PACKAGES)
    if not _has_picolibc(env):
        raise MissingToolError("picolibc for arm-none-eabi is not installed", PACKAGES)
    for tool in ("gcc", "link", "ar"):
        env.Tool(tool)
    env.Replace(CC=f"{PREFIX}gcc", LINK=f"{PREFIX}gcc", AR=f"{PREFIX}ar", PROGSUFFIX=".elf")
    env.Append(CCFLAGS=["--specs=picolibc.specs"])
    env.Append(LINKFLAGS=["--specs=picolibc.specs", "-nostartfiles"])


def _has_picolibc(env: Any) -> bool:
    """Ask the compiler for the file; it answers with the bare name where there is none."""
    command = [f"{PREFIX}gcc", "-print-file-name=picolibc.specs"]
    done = subprocess.run(command, env=env["ENV"], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()).is_absolute()
