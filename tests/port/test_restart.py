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
from torpor.monitor import describe
from torpor.paths import FIRMWARE, ROOT

MEMORY_H = FIRMWARE / "port" / "common" / "restart.h"
RESTART_H = FIRMWARE / "hal" / "restart.h"
HEADERS = (FIRMWARE / "hal" / "trace.h", MEMORY_H, RESTART_H)
WORDS = ("reason", "exception", "pc", "lr")
BYTES = 152
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
    "cfsr": 56,
    "cfsr_check": 60,
}
TRACE_PLACES = {"magic": 0, "counts": 4, "check": 10, "noted": 12, "entries": 16, "reserved": 80}
word = st.integers(0, 2**32 - 1)
faults = st.tuples(st.integers(1, 2**32 - 1), word, word, word)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return (ffi, library) of port/common/restart.c."""
    sources = [MEMORY_H.with_suffix(".c"), MEMORY_H.with_name("trace.c")]
    sources += [Path(__file__).with_name("memory.c")]
    made = build_shared(tmp_path_factory.mktemp("restart"), sources, ())
    ffi = cffi.FFI()
    text = "".join(declarations(path.read_text()) for path in HEADERS)
    text = re.sub(r"_Static_assert\(.*?\);", "", text).replace("TRACE_ENTRIES", "8")
    ffi.cdef(
        f"{text} extern kept_memory_t kept; extern kept_memory_t at_clock; extern uint32_t ticks;"
        "extern uint32_t cause;"
    )
    return ffi, ffi.dlopen(str(made))


def taken(c: Any) -> tuple[bool, int, int, int, int]:
    found = c.restart_take()
    assert found.cfsr == 0, "which nobody has left in the tests that ask for this only"
    return (found.kept, *(getattr(found, name) for name in WORDS))


def fill(library: Any, content: bytes, cause: int = 0) -> Any:
    ffi, c = library
    c.cause = cause
    ffi.buffer(ffi.addressof(c, "kept"))[:] = content
    return c


def test_the_places_of_what_is_kept_stay_what_they_are(library: Any) -> None:
    ffi, _ = library
    for name, size, places in (("restart", 64, PLACES), ("trace", 88, TRACE_PLACES)):
        assert ffi.sizeof(f"{name}_memory_t") == size
        fields = dict(ffi.typeof(f"{name}_memory_t").fields)
        assert {name: field.offset for name, field in fields.items()} == places
    assert ffi.offsetof("kept_memory_t", "trace") == 64


def test_the_specification_has_each_place() -> None:
    text = (ROOT / "docs" / "SPEC.md").read_text()
    _, text = text.split("Memory that a reset keeps\n")
    rows = re.findall(r"^\| (\d+) \| (\d+) \| `([\w.]+)` \|", text, re.M)
    places = PLACES | {f"trace.{name}": 64 + place for name, place in TRACE_PLACES.items()}
    assert {name: int(offset) for offset, _, name in rows} == places
    ends = [int(offset) + int(size) for offset, size, _ in rows]
    assert ends == [*(int(offset) for offset, _, _ in rows[1:]), BYTES]


@given(content=st.binary(min_size=BYTES, max_size=BYTES))
def test_after_power_on_nothing_is_believed_whatever_the_ram_holds(
    library: Any, content: bytes
) -> None:
    c = fill(library, content)
    assert taken(c) == (False, 0, 0, 0, 0)
    assert not c.handoff_take(library[0].new("handoff_t *"))
    assert taken(c) == (True, 0, 0, 0, 0), "from now on a reset is known as one"


@given(words=st.lists(word, min_size=4, max_size=4))
def test_what_is_noted_is_taken_once(library: Any, words: list[int]) -> None:
    c = fill(library, bytes(BYTES))
    c.restart_note(*words)
    assert taken(c) == (True, *words)
    assert taken(c) == (True, 0, 0, 0, 0)


@given(words=st.lists(word, min_size=4, max_size=4), at=st.integers(12, 31), bit=st.integers(0, 7))
def test_a_note_that_was_damaged_is_a_reset_that_nobody_explains(
    library: Any, words: list[int], at: int, bit: int
) -> None:
    ffi, _ = library
    c = fill(library, bytes(BYTES))
    c.restart_note(*words)
    ffi.buffer(ffi.addressof(c, "kept"))[at : at + 1] = bytes(
        [ffi.buffer(ffi.addressof(c, "kept"))[at][0] ^ 1 << bit]
    )
    assert taken(c) == (True, 0, 0, 0, 0)


@given(
    slot=st.integers(0, 255),
    cause=st.integers(0, 7),
    flags=st.tuples(st.booleans(), st.booleans()),
    words=st.lists(word, min_size=4, max_size=4),
)
def test_what_is_handed_over_arrives_once_and_disturbs_no_note(
    library: Any, slot: int, cause: int, flags: tuple[bool, bool], words: list[int]
) -> None:
    trial, kept = flags
    ffi, _ = library
    c = fill(library, bytes(BYTES))
    c.restart_note(1, 2, 3, 4)
    given_ = ffi.new("handoff_t *", ((kept, *words, 0, cause), slot, trial))
    c.handoff_give(given_)
    found = ffi.new("handoff_t *")
    assert c.handoff_take(found)
    restart = found.restart
    assert (found.slot, found.trial, restart.kept) == (slot, trial, kept)
    assert [getattr(restart, name) for name in WORDS] == words
    assert restart.cause == cause
    assert not c.handoff_take(found)
    assert taken(c) == (True, 1, 2, 3, 4)


def test_the_table_of_vectors_is_left_alone(library: Any) -> None:
    c = fill(library, bytes(BYTES))
    c.kept.restart.vectors = 0x12345678
    c.restart_note(1, 2, 3, 4)
    taken(c)
    c.handoff_give(library[0].new("handoff_t *"))
    assert c.kept.restart.vectors == 0x12345678


# ---- what the chip says

UNKNOWN, POWER, BROWN_OUT, PIN, SOFTWARE, WATCHDOG, LOCKUP, WAKE = range(8)
CAUSES = (UNKNOWN, POWER, BROWN_OUT, PIN, SOFTWARE, WATCHDOG, LOCKUP, WAKE)


@pytest.mark.parametrize("cause", [POWER, BROWN_OUT])
@given(words=faults, cfsr=word)
def test_ram_that_looks_whole_is_not_believed_when_power_has_failed(
    library: Any, cause: int, words: tuple[int, ...], cfsr: int
) -> None:
    c = fill(library, bytes(BYTES), cause)
    c.restart_note(*words)
    c.restart_note_status(cfsr)
    found = c.restart_take()
    assert (found.kept, found.cause, found.cfsr) == (False, cause, 0)
    assert [getattr(found, name) for name in WORDS] == [0, 0, 0, 0]
    assert taken(c) == (True, 0, 0, 0, 0), "the next reset is told alone"


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(WATCHDOG, NUMBERS["watchdog"]), (LOCKUP, NUMBERS["fault"])]
    + [(cause, 0) for cause in (UNKNOWN, PIN, SOFTWARE, WAKE)],
)
def test_the_chip_explains_a_reset_that_left_no_word(library: Any, cause: int, reason: int) -> None:
    c = fill(library, bytes(BYTES))
    c.restart_take()
    c.cause = cause
    found = c.restart_take()
    assert (found.kept, found.reason, found.cause) == (True, reason, cause)


@pytest.mark.parametrize("cause", [PIN, SOFTWARE, WATCHDOG, LOCKUP, WAKE])
@given(words=faults)
def test_word_that_was_left_is_better_than_what_the_chip_says(
    library: Any, cause: int, words: tuple[int, ...]
) -> None:
    c = fill(library, bytes(BYTES), cause)
    c.restart_note(*words)
    found = c.restart_take()
    assert tuple(getattr(found, name) for name in WORDS) == words
    assert found.cause == cause


def test_the_record_names_each_cause_as_the_header_does() -> None:
    header = RESTART_H.read_text()
    numbers = dict(re.findall(r"RESTART_CAUSE_(\w+) = (\d)", header))
    names = {name.lower().replace("_", "-"): int(number) for name, number in numbers.items()}
    assert names == {name: number for number, name in enumerate(describe.CAUSES)}


# ---- the CPU's word about a fault


@given(words=faults, cfsr=word)
def test_a_status_is_taken_with_its_note_once(
    library: Any, words: tuple[int, ...], cfsr: int
) -> None:
    c = fill(library, bytes(BYTES))
    c.restart_note(*words)
    c.restart_note_status(cfsr)
    found = c.restart_take()
    assert tuple(getattr(found, name) for name in WORDS) == words
    assert found.cfsr == cfsr
    assert taken(c) == (True, 0, 0, 0, 0)


@given(words=faults, cfsr=word, slot=st.integers(0, 1))
def test_a_bootloader_that_knows_of_no_status_brings_it_to_the_application(
    library: Any, words: tuple[int, ...], cfsr: int, slot: int
) -> None:
    ffi, _ = library
    c = fill(library, bytes(BYTES))
    c.restart_note(*words)
    c.restart_note_status(cfsr)
    found = c.restart_take()
    found.cfsr = 0  # as an old bootloader has it
    c.handoff_give(ffi.new("handoff_t *", (found, slot, False)))
    handed = ffi.new("handoff_t *")
    assert c.handoff_take(handed)
    assert handed.restart.cfsr == cfsr
    c.handoff_give(ffi.new("handoff_t *", (c.restart_take(), slot, False)))
    assert c.handoff_take(handed)
    assert handed.restart.cfsr == 0, "it belongs to the note that was taken before"


@given(old=faults, new=faults)
def test_a_program_that_leaves_no_status_does_not_get_that_of_another_fault(
    library: Any, old: tuple[int, ...], new: tuple[int, ...]
) -> None:
    c = fill(library, bytes(BYTES))
    c.restart_note(*old)
    c.restart_note_status(0xDEADBEEF)
    c.restart_note(*new)
    is_same = c.kept.restart.check == old[0] ^ old[1] ^ old[2] ^ old[3] ^ 0x5EC0DE5F
    assert c.restart_take().cfsr == (0xDEADBEEF if is_same else 0)


@given(
    words=faults,
    cfsr=word,
    at=st.integers(12, 31) | st.integers(56, 63),
    bit=st.integers(0, 7),
)
def test_a_status_that_was_damaged_is_none(
    library: Any, words: tuple[int, ...], cfsr: int, at: int, bit: int
) -> None:
    ffi, _ = library
    c = fill(library, bytes(BYTES))
    c.restart_note(*words)
    c.restart_note_status(cfsr)
    ram = ffi.buffer(ffi.addressof(c, "kept"))
    ram[at : at + 1] = bytes([ram[at][0] ^ 1 << bit])
    assert c.restart_take().cfsr == 0


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
