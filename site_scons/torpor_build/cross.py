# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the SCons tools of all cross compilers have in common: GCC with picolibc, from Debian."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from torpor.errors import MissingToolError


def exists(env: Any, target: str) -> bool:
    """Say whether the compiler for `target` ("arm-none-eabi") is on the PATH of the build."""
    return shutil.which(f"{target}-gcc", path=env["ENV"]["PATH"]) is not None


def generate(env: Any, target: str) -> None:
    """Set up `env` for the compiler for `target`; raise MissingToolError if it is not there."""
    packages = f"sudo apt install gcc-{target} picolibc-{target}"
    if not exists(env, target):
        raise MissingToolError(f"{target}-gcc is not installed", packages)
    if not _has_picolibc(env, target):
        raise MissingToolError(f"picolibc for {target} is not installed", packages)
    for tool in ("gcc", "link", "ar"):
        env.Tool(tool)
    env.Replace(CC=f"{target}-gcc", LINK=f"{target}-gcc", AR=f"{target}-ar", PROGSUFFIX=".elf")
    env.Append(CCFLAGS=["--specs=picolibc.specs"])
    env.Append(LINKFLAGS=["--specs=picolibc.specs", "-nostartfiles"])
    env.Append(LINKFLAGS=["-Wl,--no-warn-rwx-segments"])  # code in RAM lies in .data
    env.Append(LINKFLAGS=["-Wl,--nmagic"])  # segments begin where their content does, not a page


def _has_picolibc(env: Any, target: str) -> bool:
    """Ask the compiler for the file; it answers with the bare name where there is none."""
    command = [f"{target}-gcc", "-print-file-name=picolibc.specs"]
    done = subprocess.run(command, env=env["ENV"], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()).is_absolute()
