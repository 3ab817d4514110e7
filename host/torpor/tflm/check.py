# SPDX-License-Identifier: Apache-2.0
"""What a firmware of engine=tflm says of a plan: its own infer_check(), on this computer."""

import functools
import re
from collections.abc import Iterable
from typing import Any

import cffi

from torpor.engine import Verdict, verdict_of
from torpor.engine.library import INFER, SANITIZERS, build_library, generated, opened
from torpor.errors import ModelError
from torpor.plan.tflm import REGISTRATIONS
from torpor.tflm.resolver import words_of

SOURCES = ("check.c", "flatbuffer.c", "model.c")
"""The files of firmware/infer/tflm that need nothing of TensorFlow Lite Micro."""


_PART = re.compile(r"TFLM_PART_(\w+) = (\d+),")
_MODEL = "model"  # infer_status_name() of INFER_E_MODEL


def check(plan: bytes, *, sanitizer: str = "none") -> Verdict:
    """Return infer_check()'s verdict on any bytes, by a firmware with all registrations."""
    return verdict_of(plan, *open_check(sanitizer))


def refuse_unsound(plan: bytes) -> None:
    """Refuse a plan that no firmware accepts.

    Raises:
        ModelError: it says what is wrong, and where.
    """
    verdict = check(plan)
    if verdict.ok:
        return
    where = f"index {verdict.index}"
    if verdict.name == _MODEL:
        where = f"in its {parts().get(verdict.index, where)}"
    raise ModelError(
        f"firmware would refuse the model: {verdict.name}, {where}",
        "the .tflite is damaged or odd: convert the model again",
    )


def parts() -> dict[int, str]:
    """Return the parts of a flatbuffer as enum tflm_part of model.h names them."""
    text = (INFER / "tflm" / "model.h").read_text(encoding="utf-8")
    return {int(number): name.lower() for name, number in _PART.findall(text)}


@functools.cache
def open_check(sanitizer: str = "none") -> tuple[cffi.FFI, Any]:
    """Return (ffi, library) of the part of infer.h that checks.

    Args:
        sanitizer: a key of torpor.engine.library.SANITIZERS.
    """
    table = generated("registrations", registration_table(REGISTRATIONS))
    sources = [*sorted((INFER / "plan").glob("*.c")), *(INFER / "tflm" / n for n in SOURCES)]
    flags = SANITIZERS[sanitizer]
    return opened(build_library(f"tflm-check-{sanitizer}", [table, *sources], flags))


def registration_table(names: Iterable[str]) -> str:
    """Return the C source of tflm_registrations with the bits of `names`."""
    words = ", ".join(f"0x{word:08x}u" for word in words_of(names))
    return (
        f'#include "infer/tflm/resolver.h"\n\nconst uint32_t tflm_registrations[4] = {{{words}}};\n'
    )
