# SPDX-License-Identifier: Apache-2.0
"""Bisects a model's tensor arena, in a process of its own: `python -m torpor.tflm.probe MODEL`.

A starved interpreter can crash instead of reporting an error, and could overwrite what is not its
own. So each arena is tried in a fork of this process, which prints one JSON object at the end.
"""

import faulthandler
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tflite_micro import runtime

from torpor.errors import ModelError
from torpor.golden import Golden, TensorInfo, captured_output
from torpor.tflm.arena import STEP

_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
_SECONDS = 120.0

ENOUGH, TOO_SMALL, CRASH = "enough", "too small", "crash"


def bisect(below: int, probe: Callable[[int], bool]) -> int:
    """Return the smallest multiple of STEP for which `probe` holds.

    Args:
        below: a size that is likely a little too small.
        probe: tells whether a size is enough; if one is, all larger ones are.
    """
    low, high, reach = max(0, below // STEP), 0, 1
    while low > 0 and probe(low * STEP):
        low, high = max(0, low - reach), low
        reach *= 2
    while not high:
        if probe((low + reach) * STEP):
            high = low + reach
        else:
            low, reach = low + reach, 2 * reach
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if probe(middle * STEP) else (middle, high)
    return high * STEP


def allocates(tflite: bytes, size: int) -> None:
    """Open the model in an arena of `size` bytes; raise if that fails."""
    _open(tflite, size)


def runs(tflite: bytes, size: int, inputs: list[Any], wanted: list[bytes]) -> None:
    """Run the model once in an arena of `size` bytes; raise if the outputs are not `wanted`."""
    run = _open(tflite, size)
    for index, value in enumerate(inputs):
        run.set_input(value, index)
    run.invoke()
    if [run.get_output(i).tobytes() for i in range(len(wanted))] != wanted:
        raise RuntimeError("other outputs")


def attempt(work: Callable[[], None]) -> str:
    """Do `work` in a fork of this process, silently; return how that ended."""
    child = os.fork()
    if child == 0:
        _work_and_exit(work)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return CRASH
    return ENOUGH if status == 0 else TOO_SMALL


def measure(tflite: bytes) -> dict[str, Any]:
    """Return the smallest arena in which a model runs, what was tried, and the lower bound.

    Raises:
        ModelError: the interpreter refuses the model, however large its arena is.
    """
    golden = Golden(tflite)
    inputs = [sample(info) for info in golden.inputs]
    wanted = [value.tobytes() for value in golden.invoke(inputs)]
    below = _allocated(tflite, golden.arena_bytes)
    probes: list[tuple[int, str]] = []

    def enough(size: int, work: Callable[[int], None]) -> bool:
        probes.append((size, attempt(lambda: work(size))))
        return probes[-1][1] == ENOUGH

    size = bisect(below - STEP, lambda size: enough(size, lambda size: allocates(tflite, size)))
    while not enough(size, lambda size: runs(tflite, size, inputs, wanted)):
        size += STEP
        if size > golden.arena_bytes:
            raise ModelError("TensorFlow Lite Micro does not give the same outputs twice")
    return {"bytes": size, "lower_bound": below, "probes": probes}


def sample(info: TensorInfo) -> Any:
    """Return an input: the same random codes each time, zeros where numbers could be indices."""
    if info.dtype in (np.int8, np.uint8, np.int16):
        codes = np.iinfo(info.dtype)
        rng = np.random.default_rng(0)
        return rng.integers(codes.min, codes.max, info.shape, info.dtype, endpoint=True)
    return np.zeros(info.shape, info.dtype)


def _open(tflite: bytes, size: int) -> Any:
    return runtime.Interpreter.from_bytes(tflite, arena_size=size)


def _allocated(tflite: bytes, size: int) -> int:
    """Return what the interpreter says it has taken of its arena: the smallest one is larger."""
    with captured_output() as printed:
        _open(tflite, size).print_allocations()
    found = _TOTAL.search(printed.text)
    return int(found[1]) if found else 0


def _work_and_exit(work: Callable[[], None]) -> None:
    """Never returns: what is above on the stack belongs to the parent."""
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def main() -> int:
    """Measure the model that the only argument names."""
    try:
        found = measure(Path(sys.argv[1]).read_bytes())
    except ModelError as error:
        found = {"error": error.message, "hint": error.hint}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
