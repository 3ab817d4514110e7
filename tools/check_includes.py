# SPDX-License-Identifier: Apache-2.0
"""Checks the layers of the C and C++ code: who may include whom, from one table.

Every `#include "folder/..."` in firmware/ must be allowed by ALLOWED; standard headers (<...>)
are free, except that the pure layers may use freestanding headers and <string.h> only. C++ is for
firmware/infer/tflm, which alone may include TensorFlow Lite Micro. Registers live in firmware/port/
alone: a volatile pointer cast from a number is refused elsewhere.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# folder below firmware/ -> folders or single headers that it may include besides its own
ALLOWED: dict[str, set[str]] = {
    "app": {
        *("mgmt", "update", "infer", "duty", "stats", "drivers"),
        *("core", "wire", "hal", "gen"),
    },
    "boot": {"update", "core", "hal"},
    "mgmt": {"update", "infer", "core", "wire", "hal"},
    "update": {"core", "hal/flash.h", "monocypher.h", "bearssl_hash.h"},
    "drivers": {"core", "hal", "tensorflow", "kissfft", "gen"},
    "duty": {"core"},
    "stats": {"core", "hal/flash.h"},
    "infer": set(),
    "core": set(),
    "hal": set(),
    "wire": {"zcbor_common.h", "zcbor_encode.h", "zcbor_decode.h", "gen"},
    "port": {"hal", "gen"},
}
PURE = {"infer", "core", "hal", "wire", "update", "duty", "stats"}
PURE_SYSTEM = {
    *("stdbool.h", "stddef.h", "stdint.h", "stdarg.h", "limits.h", "string.h", "stdalign.h"),
}
CPLUSPLUS = "firmware/infer/tflm/"
CPLUSPLUS_SYSTEM = {"csetjmp", "cstddef", "cstdint", "cstring", "new", "utility"}
SUFFIXES = (".c", ".h", ".cc", ".hh")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
REGISTER = re.compile(r"\(\s*volatile\s+\w+\s*\*\s*\)\s*\(?\s*0x")


def check_text(folder: str, name: str, text: str) -> list[str]:
    """Return what is wrong with one file, as lines ready to print.

    Args:
        folder: first folder below firmware/, a key of ALLOWED.
        name: how to call the file in messages.
        text: its contents.
    """
    problems = []
    is_cplusplus = name.endswith((".cc", ".hh"))
    if is_cplusplus and not name.startswith(CPLUSPLUS):
        problems.append(f"{name}: C++ outside {CPLUSPLUS}")
    system = PURE_SYSTEM | (CPLUSPLUS_SYSTEM if is_cplusplus else set())
    further = {"tensorflow"} if is_cplusplus else set()
    for kind, target in INCLUDE.findall(text):
        if kind == "<":
            if folder in PURE and target not in system:
                problems.append(f"{name}: {folder} is pure and may not include <{target}>")
            continue
        top = target.split("/")[0]
        allowed = ALLOWED[folder] | {folder} | further
        if top not in allowed and target not in allowed:
            problems.append(f"{name}: {folder} may not include {target}")
    if folder != "port" and REGISTER.search(text):
        problems.append(f"{name}: register access outside firmware/port")
    return problems


def main() -> int:
    """Check all C and C++ files below firmware/; return the number of problems, at most 1."""
    problems = []
    files = sorted(p for p in (ROOT / "firmware").rglob("*") if p.suffix in SUFFIXES)
    for path in files:
        relative = path.relative_to(ROOT / "firmware")
        folder = relative.parts[0]
        if folder not in ALLOWED:
            problems.append(f"firmware/{relative}: folder '{folder}' is in no layer")
            continue
        problems += check_text(folder, f"firmware/{relative}", path.read_text())
    print("\n".join(problems) or f"{len(files)} files keep the layers")
    return min(len(problems), 1)


if __name__ == "__main__":
    sys.exit(main())
