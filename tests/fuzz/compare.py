# SPDX-License-Identifier: Apache-2.0
"""One model on the same inputs, several times in a row: our C against TensorFlow Lite Micro."""

import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor.compile import compile_model
from torpor.engine import Engine
from torpor.errors import ModelError, TorporError
from torpor.golden import Golden
from torpor.verify import compare

Array = NDArray[Any]


_NAMES = (
    (r"tensor \d+ '[^']*' \(\w+ \[[^]]*\]\)", "a tensor"),
    (r"operator \d+ ", ""),
    (r"\S*/(\S+\.(?:cc|h)):\d+", r"\1"),
    (r"(?<![\w.])-?\d+\.?\d*(?:e[-+]\d+)?", "#"),
)


@dataclass(frozen=True)
class Case:
    """A model, and the inputs of each invocation.

    Attributes:
        tflite: the file.
        invocations: one list of arrays an invocation.
        keep_input: compile it so that no operator overwrites the model's inputs.
    """

    tflite: bytes
    invocations: Sequence[Sequence[Array]]
    keep_input: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        word: a key of MEANINGS.
        detail: the reason of a refusal, the first difference, the last lines of a traceback.
        varied: some output had more than two different values.
    """

    word: str
    detail: str = ""
    varied: bool = False

    @property
    def failed(self) -> bool:
        """The case shows a bug of torpor's."""
        return self.word in ("differs", "bug")


MEANINGS = {
    "equal": "every byte as in TFLM",
    "we refuse": "TFLM runs it, we refuse it",
    "both refuse": "TFLM refuses it or crashes, and so do we",
    "only TFLM refuses": "TFLM refuses it or crashes, we run it",
    "differs": "another byte than TFLM",
    "bug": "our compiler, checker or C fails",
}
"""What can become of a case, in words."""


def examine(case: Case, report: Callable[[str], None] = lambda _: None) -> Outcome:
    """Compile and run a case; `report` hears "TFLM" or "TFLM, we refuse: why", then "our C"."""
    try:
        plan, why = _compiled(case)
        report(f"TFLM, we refuse: {why}" if why else "TFLM")
        theirs, refusal = _golden(case)
        if why or refusal:
            return _refused(why, refusal)
        report("our C")
        engine = Engine(plan, sanitize=True)
        ours = [engine.invoke(list(x)) for x in case.invocations]
    except Exception as error:
        return Outcome("bug", _last_lines(error))
    return _compared(theirs, ours)


def crashed(phase: str, how: str) -> Outcome:
    """Return the outcome of a case whose process ended in `phase`."""
    if not phase.startswith("TFLM"):
        return Outcome("bug", f"{phase or 'generator'}: {how}")
    _, _, why = phase.partition(": ")
    return _refused(why, f"crash, {how}")


def _compiled(case: Case) -> tuple[bytes, str]:
    try:
        return compile_model(case.tflite, keep_input=case.keep_input).plan, ""
    except ModelError as error:
        return b"", _without_names(error.message)


def _golden(case: Case) -> tuple[list[list[Array]], str]:
    try:
        golden = Golden(case.tflite)
        return [golden.invoke(x) for x in case.invocations], ""
    except ModelError as error:
        return [], _without_names(error.message)


def _refused(why: str, refusal: str) -> Outcome:
    if not why:
        return Outcome("only TFLM refuses", refusal)
    return Outcome("both refuse" if refusal else "we refuse", why)


def _compared(theirs: Sequence[Sequence[Array]], ours: Sequence[Sequence[Array]]) -> Outcome:
    for number, (expected, found) in enumerate(zip(theirs, ours, strict=True)):
        difference = compare(expected, found)
        if difference:
            return Outcome("differs", f"invocation {number}, {difference}")
    varied = any(len(np.unique(y)) > 2 for outputs in theirs for y in outputs)
    return Outcome("equal", varied=varied)


def _without_names(message: str) -> str:
    """Return a message without numbers, names and shapes, so that equal reasons are equal."""
    for pattern, instead in _NAMES:
        message = re.sub(pattern, instead, message)
    return message[:160]


def _last_lines(error: Exception) -> str:
    if isinstance(error, TorporError):
        return f"{type(error).__name__}: {error.message}"
    return " | ".join(traceback.format_exception(error)[-2:]).replace("\n", " ")[-400:]
