# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a reset keeps: RAM that may hold anything after power-on, shared by old and new programs."""

import re
from pathlib import Path
from typing import Any

import cffi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shared import build_shared
from torpor.engine.library import declarations
from torpor.image.reasons import NUMBERS
from torpor.paths import FIRMWARE

MEMORY_H = FIRMWARE / "port" / "common" / "restart.h"
RESTART_H = FIRMWARE / "hal" / "restart.h"
WORDS = ("reason", "exception", "pc", "lr")
PLACES = {  # offsets that no later firmware may change
    "vectors": 0,
    "magic": 4,
    "reason": 12,
    "exception": 16,
    "pc": 20,
    "lr": 24,
    "check": 28,
    "given": 32,
    "given_slot": 36,
    "given_reason": 40,
    "given_exception": 44,
    "given_pc": 48,
    "given_lr": 52,
    "reserved": 56,
}
word = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return (ffi, library) of port/common/restart.c."""
    sources = [MEMORY_H.with_suffix(".c"), Path(__file__).with_name("memory.c")]
    made = build_shared(tmp_path_factory.mktemp("restart"), sources, ())
    ffi = cffi.FFI()
    memory = re.sub(r"_Static_assert\(.*?\);", "", declarations(MEMORY_H.read_text()))
    ffi.cdef(memory + declarations(RESTART_H.read_text()) + "extern restart_memory_t kept;")
    return ffi, ffi.dlopen(str(made))


def taken(c: Any) -> tuple[bool, int, int, int, int]:
    found = c.restart_take()
    return (found.kept, *(getattr(found, name) for name in WORDS))


def fill(library: Any, content: bytes) -> Any:
    ffi, c = library
    ffi.buffer(ffi.addressof(c, "kept"))[:] = content
    return c


def test_the_places_of_what_is_kept_stay_what_they_are(library: Any) -> None:
    ffi, _ = library
    assert ffi.sizeof("restart_memory_t") == 64
    fields = dict(ffi.typeof("restart_memory_t").fields)
    assert {name: field.offset for name, field in fields.items()} == PLACES


@given(content=st.binary(min_size=64, max_size=64))
def test_after_power_on_nothing_is_believed_whatever_the_ram_holds(
    library: Any, content: bytes
) -> None:
    c = fill(library, content)
    assert taken(c) == (False, 0, 0, 0, 0)
    assert not c.handoff_take(library[0].new("handoff_t *"))
    assert taken(c) == (True, 0, 0, 0, 0), "from now on a reset is known as one"


@given(words=st.lists(word, min_size=4, max_size=4))
def test_what_is_noted_is_taken_once(library: Any, words: list[int]) -> None:
    c = fill(library, bytes(64))
    c.restart_note(*words)
    assert taken(c) == (True, *words)
    assert taken(c) == (True, 0, 0, 0, 0)


@given(words=st.lists(word, min_size=4, max_size=4), at=st.integers(12, 31), bit=st.integers(0, 7))
def test_a_note_that_was_damaged_is_a_reset_that_nobody_explains(
    library: Any, words: list[int], at: int, bit: int
) -> None:
    ffi, _ = library
    c = fill(library, bytes(64))
    c.restart_note(*words)
    ffi.buffer(ffi.addressof(c, "kept"))[at : at + 1] = bytes(
        [ffi.buffer(ffi.addressof(c, "kept"))[at][0] ^ 1 << bit]
    )
    assert taken(c) == (True, 0, 0, 0, 0)


@given(
    slot=st.integers(0, 255),
    trial=st.booleans(),
    kept=st.booleans(),
    words=st.lists(word, min_size=4, max_size=4),
)
def test_what_is_handed_over_arrives_once_and_disturbs_no_note(
    library: Any, slot: int, trial: bool, kept: bool, words: list[int]
) -> None:
    ffi, _ = library
    c = fill(library, bytes(64))
    c.restart_note(1, 2, 3, 4)
    given_ = ffi.new("handoff_t *", ((kept, *words), slot, trial))
    c.handoff_give(given_)
    found = ffi.new("handoff_t *")
    assert c.handoff_take(found)
    restart = found.restart
    assert (found.slot, found.trial, restart.kept) == (slot, trial, kept)
    assert [getattr(restart, name) for name in WORDS] == words
    assert not c.handoff_take(found)
    assert taken(c) == (True, 1, 2, 3, 4)


def test_the_table_of_vectors_is_left_alone(library: Any) -> None:
    c = fill(library, bytes(64))
    c.kept.vectors = 0x12345678
    c.restart_note(1, 2, 3, 4)
    taken(c)
    c.handoff_give(library[0].new("handoff_t *"))
    assert c.kept.vectors == 0x12345678


def test_reasons_of_ports_are_those_of_updates() -> None:
    text = RESTART_H.read_text()
    for name in ("WATCHDOG", "FAULT"):
        (number,) = re.findall(rf"#define RESTART_{name} +(\d+)u", text)
        assert int(number) == NUMBERS[name.lower()]


@pytest.mark.parametrize(
    ("kept", "reason", "expected"),
    [
        (False, 0, ("power", 0, 0)),
        (False, 19, ("power", 0, 0)),
        (True, 0, ("reset", 0, 0)),
        (True, 19, ("fault", 7, 8)),
        (True, 23, ("restart", 7, 8)),
    ],
)
def test_how_a_run_ended_follows_from_what_was_kept(
    kept: bool, reason: int, expected: tuple[str, int, int], tmp_path: Path
) -> None:
    source = tmp_path / "end.c"
    source.write_text(
        '#include "update/end.h"\n\n'
        "void end_of(bool kept, uint32_t reason, uint32_t *out);\n"
        "void end_of(bool kept, uint32_t reason, uint32_t *out)\n{\n"
        "    update_end_t end = update_end(kept, reason, 7, 8);\n"
        "    out[0] = end.reason;\n    out[1] = end.pc;\n    out[2] = end.lr;\n}\n"
    )
    ffi = cffi.FFI()
    ffi.cdef("void end_of(bool kept, uint32_t reason, uint32_t *out);")
    out = ffi.new("uint32_t[3]")
    ffi.dlopen(str(build_shared(tmp_path, [source], ()))).end_of(kept, reason, out)
    assert list(out) == [NUMBERS[expected[0]], *expected[1:]]
