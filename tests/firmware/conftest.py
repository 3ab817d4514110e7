# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The portable C of the firmware as shared libraries, with UBSan, opened through cffi."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cffi
import pytest

from tests.support import faulty_engine
from tests.support.shared import build_shared
from tests.support.small_models import small_cnn
from torpor.compile import compile_model
from torpor.engine.library import declarations
from torpor.paths import FIRMWARE, ROOT
from torpor.plan.layout import OPCODES
from torpor.plan.reader import Plan
from torpor.plan.writer import c_array
from torpor.wire.schema import SCHEMA

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import config, records

DECLARATIONS = """
    uint16_t crc16_update(uint16_t crc, const void *bytes, size_t length);
    uint32_t crc32_update(uint32_t crc, const void *bytes, size_t length);

    typedef struct {
        uint8_t *bytes; uint32_t size; uint32_t put; uint32_t taken; uint32_t lost;
    } ring_t;
    void ring_put(ring_t *ring, uint8_t byte);
    bool ring_take(ring_t *ring, uint8_t *byte);
    uint32_t ring_lost(const ring_t *ring);

    typedef struct { uint32_t length; char bytes[96]; } text_t;
    void text_string(text_t *text, const char *string);
    void text_uint(text_t *text, uint32_t number);
    void text_hex(text_t *text, uint32_t number);
    void text_end(text_t *text);

    typedef struct { uint32_t group; uint8_t digits; uint8_t padding; } base64_t;
    bool base64_take(base64_t *decoder, uint8_t digit, uint8_t *bytes, uint32_t *count);
    void base64_put(const uint8_t *bytes, uint32_t count, uint8_t *digits);

    typedef struct {
        uint8_t payload[386]; uint16_t length; uint8_t state; base64_t base64;
    } frame_decoder_t;
    int frame_decode(frame_decoder_t *decoder, uint8_t byte);
    typedef struct {
        const uint8_t *payload; size_t length; size_t next; uint16_t crc;
    } frame_encoder_t;
    void frame_begin(frame_encoder_t *encoder, const uint8_t *payload, size_t length);
    size_t frame_encode(frame_encoder_t *encoder, uint8_t *piece);

    typedef struct {
        uint8_t *buffer; uint32_t size; uint32_t length; uint32_t expected; uint32_t received;
        bool open; uint8_t state; base64_t base64;
    } smp_frame_decoder_t;
    int smp_frame_decode(smp_frame_decoder_t *decoder, uint8_t byte);
    typedef struct {
        const uint8_t *message; uint32_t length; uint32_t next; uint16_t crc;
    } smp_frame_encoder_t;
    void smp_frame_begin(smp_frame_encoder_t *encoder, const uint8_t *message, uint32_t length);
    size_t smp_frame_encode(smp_frame_encoder_t *encoder, uint8_t *line);

    void console_put(uint8_t byte);
    void session_start(void);
    extern const uint8_t torpor_plan[];

    typedef struct { void *handlers[8]; bool pending[8]; } loop_t;
    void loop_post(loop_t *loop, uint32_t event);
    bool loop_pending(const loop_t *loop);
    void loop_dispatch(loop_t *loop);

    uint32_t shim_fits(uint32_t bytes);
    extern uint8_t shim_room[512];
    extern uint8_t shim_sent[65536];
    extern uint32_t shim_sent_length;
    extern uint32_t shim_ticks;
    extern uint32_t shim_handled[32];
    extern uint32_t shim_handled_count;
    extern loop_t shim_loop;
    void shim_start_loop(void);

    typedef struct {
        bool kept; uint32_t reason; uint32_t exception; uint32_t pc; uint32_t lr; uint32_t cfsr;
    } restart_t;
    extern restart_t shim_restart;
    extern uint8_t shim_arriving[1024];
    extern uint32_t shim_arriving_length;
    extern uint32_t shim_slept;
    void shim_boot(void);
"""
BENCH = """
    extern uint8_t model_arena[4096];
    extern uint32_t torpor_plan_length;
    void session_handle(const wire_request_t *request);
"""


class Library(NamedTuple):
    """An open library and the cffi object that knows its types."""

    ffi: Any
    c: Any


def generate(folder: Path, plan: bytes, kernels: Iterable[str], arena: int) -> list[Path]:
    """Write what the build would write to `folder`; return the C files."""
    texts = {
        "gen/wire_records.h": records.header(SCHEMA),
        "gen/wire_records.c": records.source(SCHEMA),
        "plan.c": c_array(plan, "torpor_plan"),
        "model.c": config.model_source(arena, 16, kernels),
    }
    (folder / "gen").mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts if name.endswith(".c")]


def declared_records() -> str:
    """Return what cffi can read of the wire records' header."""
    return declarations(records.header(SCHEMA)) + "void pump(void);"


def compile_library(folder: Path, sources: Sequence[Path], extra: str = "") -> Library:
    """Compile `sources` with zcbor to a shared library in `folder` and open it."""
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS + faulty_engine.DECLARED + extra)
    made = build_shared(folder, sources, wrapped=faulty_engine.WRAPPED)
    return Library(ffi, ffi.dlopen(str(made)))


def portable_sources(*kernels: str) -> list[Path]:
    """All C files of the firmware that are neither a port nor main().

    Args:
        kernels: names of files; all of them if there is none.
    """
    infer = ("infer", "infer/plan", "infer/ops", *(() if kernels else ("infer/kernels",)))
    folders = ("core", "wire", *infer)
    sources = [path for folder in folders for path in sorted((FIRMWARE / folder).glob("*.c"))]
    names = ("console.c", "report.c", "session.c", "start.c", "alone/updates.c")
    app = [FIRMWARE / "app" / name for name in names]
    here = [Path(__file__).with_name(name) for name in ("shim.c", "pump.c", "boot.c")]
    here.append(faulty_engine.SOURCE)
    chosen = [FIRMWARE / "infer" / "kernels" / name for name in kernels]
    return [*sources, *chosen, *app, *here]


@pytest.fixture(scope="session")
def plan() -> bytes:
    """The plan that the library has built in."""
    return compile_model(small_cnn(), name="small", labels=["a", "b", "c", "d", "e"]).plan


def build(folder: Path, plan: bytes) -> Library:
    """Build the firmware with `plan` in it."""
    compiled = compile_model(small_cnn(), name="small", labels=["a", "b", "c", "d", "e"])
    arena = Plan.parse(compiled.plan).header["arena_bytes"]
    made = generate(folder, plan, compiled.kernels, arena)
    declared = declared_records()
    declared += f"extern uint8_t model_arena[{arena}];"
    return compile_library(folder, [*portable_sources(), *made], declared)


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory, plan: bytes) -> Library:
    """The portable firmware with a small model in it. Its state lasts for the session."""
    return build(tmp_path_factory.mktemp("firmware"), plan)


@pytest.fixture(scope="session")
def refusing(tmp_path_factory: pytest.TempPathFactory, plan: bytes) -> Library:
    """The same with a plan that is damaged: its magic number is 0."""
    return build(tmp_path_factory.mktemp("refusing"), b"\0\0\0\0" + plan[4:])


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The firmware with every kernel, 4096 bytes of arena, and room for any plan."""
    folder = tmp_path_factory.mktemp("bench")
    made = [p for p in generate(folder, b"", OPCODES.values(), 4096) if p.name != "plan.c"]
    declared = declared_records() + BENCH
    sources = [*portable_sources(), *made, Path(__file__).with_name("bench.c")]
    return compile_library(folder, sources, declared)


@pytest.fixture(scope="session")
def slots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Bootloader and firmware in slots, with room for a factory plan: (ffi, library)."""
    from tests.firmware.slots import build_slots  # noqa: PLC0415 - it needs this module

    return build_slots(tmp_path_factory.mktemp("slots"))
