# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Archives with the symbols of TensorFlow Lite Micro and none of its code, and trees with them."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

ARM, RISCV, NATIVE = "arm-none-eabi", "riscv64-unknown-elf", ""

INTERPRETER = "_ZN6tflite16MicroInterpreter15AllocateTensorsEv"
CORE = {
    "micro_interpreter_context.c": f"""
        void DebugLog(const char *, ...);
        void __assert_func(const char *, int, const char *, const char *);
        int _Z11MicroPrintfPKcz(const char *format, ...)
        {{
            if (!format) {{ __assert_func("", 0, "", ""); }}
            DebugLog(format);
            return 1;
        }}
        int {INTERPRETER}(void) {{ return _Z11MicroPrintfPKcz("no arena"); }}
        int _ZN6tflite16Register_CONV_2DEv(void) {{ return 1; }}
        float half(float x) {{ return x / 2; }}
        """,
}
"""What each archive of TFLM has, as C with the names that C++ makes."""

INT8 = {"conv_int8.c": "int _ZN6tflite21Register_CONV_2D_INT8Ev(void) { return 1; }"}
M4_HARD = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")


@cache
def tool(target: str, name: str) -> str:
    """Return a program of GCC for a target; skip the test where it is not installed."""
    program = f"{target}-{name}" if target else name
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (apt install gcc-{target or 'for this machine'})")
    return program


def compiled(
    folder: Path, sources: Mapping[str, str], target: str = ARM, flags: Sequence[str] = M4_HARD
) -> list[Path]:
    """Compile texts by the name of their file; return the objects. The suffix says the language."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sources.items():
        (folder / name).write_text(text)
    compiler = "g++" if any(name.endswith(".cc") for name in sources) else "gcc"
    command = [tool(target, compiler), *flags, "-Os", "-c", *sources]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [folder / f"{Path(name).stem}.o" for name in sources]


def archive(
    path: Path, sources: Mapping[str, str], target: str = ARM, flags: Sequence[str] = M4_HARD
) -> Path:
    """Make an archive of texts; see `compiled`."""
    return packed(path, compiled(path.parent / f"{path.stem}-objects", sources, target, flags))


def packed(path: Path, objects: Sequence[Path]) -> Path:
    """Make an archive of objects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ar", "rcs", str(path), *map(str, objects)], check=True)
    return path


def headers(root: Path, third_party: str = "third_party") -> Path:
    """Make a tree with those headers that show that it is TFLM's; return `root`."""
    texts = {
        "tensorflow/lite/micro/micro_interpreter.h": '#include "flatbuffers/flatbuffers.h"\n',
        "tensorflow/lite/kernels/internal/common.h": '#include "fixedpoint/fixedpoint.h"\n',
        "tensorflow/lite/schema/schema_generated.h": "// generated\n",
        f"{third_party}/flatbuffers/include/flatbuffers/flatbuffers.h": "",
        f"{third_party}/gemmlowp/fixedpoint/fixedpoint.h": "",
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
