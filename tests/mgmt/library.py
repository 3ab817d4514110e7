# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/mgmt with all that is below it, on simulated flash, as a shared library for cffi."""

from pathlib import Path
from typing import Any

import cffi

from tests.support import faulty_engine, tflm_plans
from tests.support.shared import build_shared
from torpor.engine.library import declarations
from torpor.paths import FIRMWARE
from torpor.plan.layout import HEADER, parse_header
from torpor.powercut import library

HERE = Path(__file__).parent
CBOR = """
    typedef struct {
        const char *name; int kind; bool present; uint32_t number; const uint8_t *bytes;
        uint32_t length;
    } cbor_field_t;
    bool cbor_read(const uint8_t *bytes, size_t length, cbor_field_t *fields, uint32_t count);

    typedef struct { const uint8_t *bytes; uint32_t length; } models_plan_t;
    typedef struct {
        update_t *update; models_plan_t factory; void *arena; uint32_t arena_bytes;
        void (*on_failure)(infer_status_t status);
    } models_t;
    update_reason_t models_accept(const image_t *image, void *context);
    infer_status_t models_open(const models_t *models, update_end_t end, infer_t *model,
                               models_plan_t *plan);
    infer_status_t models_open_factory(const models_t *models, infer_t *model,
                                       models_plan_t *plan);
    infer_status_t models_test(infer_t *model);

    int posix_memalign(void **memory, size_t align, size_t size);
    void free(void *memory);

    int smp_fuzz_stream(const uint8_t *data, size_t size);
    int smp_fuzz_messages(const uint8_t *data, size_t size);
"""


def sources() -> list[Path]:
    """Return the C files of management and of what is below it, but for ports."""
    engine = [
        *(path for part in ("", "ops") for path in sorted((FIRMWARE / "infer" / part).glob("*.c"))),
        FIRMWARE / "infer" / "kernels" / "copy.c",
        HERE / "kernels.c",
    ]
    return [*_common(), *engine]


def tflm_sources(bits: int) -> list[Path]:
    """Return the same with what accepts plans for TensorFlow Lite Micro.

    What runs them is the stand-in of the power-cut proof.

    Args:
        bits: set of the registrations that the firmware has.
    """
    own = [path for path in tflm_plans.SOURCES if path.parent.name == "tflm"]
    engine = [*own, tflm_plans.with_registrations(bits), library.HERE / "tflm" / "engine.c"]
    return [*_common(), *engine]


def _common() -> list[Path]:
    folders = ("mgmt", "wire", "infer/plan")
    portable = [path for folder in folders for path in sorted((FIRMWARE / folder).glob("*.c"))]
    more = [FIRMWARE / "core" / "text.c", library.HERE / "flash.c", faulty_engine.SOURCE]
    return [*library.update_sources(), *portable, *more, HERE / "fuzz.c"]


def open_mgmt(
    folder: Path, sanitizer: str = "undefined", files: list[Path] | None = None
) -> tuple[Any, Any]:
    """Return (ffi, library).

    Args:
        folder: for what is compiled first.
        sanitizer: a key of torpor.engine.library.SANITIZERS.
        files: other C files than sources().
    """
    ffi = cffi.FFI()
    ffi.cdef(parse_header(HEADER.read_text(encoding="utf-8"))[0])
    ffi.cdef(declarations((FIRMWARE / "infer" / "infer.h").read_text(encoding="utf-8")))
    headers = [FIRMWARE / "update" / f"{name}.h" for name in library.HEADERS]
    headers += [FIRMWARE / "mgmt" / "smp.h", library.HERE / "flash.h"]
    text = library.cdef([FIRMWARE / "hal" / "flash.h", *headers])
    for name in ("update_layout", "update_key"):  # the build's
        text = text.replace(f"extern const {name}_t {name};", "")
    ffi.cdef(text + CBOR + faulty_engine.DECLARED)
    third, include = ("zcbor", *library.LIBRARIES), [library.HERE]
    wrapped = faulty_engine.WRAPPED
    made = build_shared(folder, files or sources(), third, sanitizer, include, wrapped=wrapped)
    return ffi, ffi.dlopen(str(made))
