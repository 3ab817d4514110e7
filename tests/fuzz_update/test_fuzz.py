# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Some inputs of each fuzz target in every test run; and deliberate mistakes, which are found."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

import tools.fuzz_update as tool
from tests.fuzz_update.build import Target, build, targets
from tests.fuzz_update.seeds import SEEDS
from torpor.engine.library import CACHE
from torpor.paths import FIRMWARE

pytestmark = pytest.mark.xdist_group("fuzz_update")

FOLDER = Path(__file__).parent / "finds"
INPUTS = {
    "image": 40_000,
    "journal": 8_000,
    "upload": 8_000,
    "plan": 40_000,
    "flatbuffer": 40_000,
    "smp": 4_000,
}
DEEP: dict[str, set[str]] = {
    "image": {"ok", "empty", "format", "size", "hash", "signature", "key", "link", "board",
              "counter", "kind"},
    "journal": {"ok", "busy", "nothing", "counter", "flash", "link", "journal", "no journal"},
    "upload": {"ok", "uploads", "hash", "flash", "order", "busy", "size", "link", "board"},
    "plan": {"ok", "magic", "version", "target", "length", "kernel", "header", "tensor", "io",
             "record", "shape", "range", "data", "alias", "string", "state"},
    "flatbuffer": {"ok", "magic", "version", "target", "length", "kernel", "header", "tensor", "io",
                   "string", "file", "model", "code", "buffer", "subgraph", "a tensor", "constant",
                   "quantization", "operator", "options", "call", "metadata"},
    "smp": {"ok", "answers", "rc", "dropped", "busy", "hash", "replaced", "kind", "link"},
}  # fmt: skip
"""What some of that many inputs reach."""


@pytest.mark.parametrize("name", INPUTS)
def test_no_input_does_what_must_not_happen(name: str) -> None:
    result = tool.run(targets()[name], INPUTS[name], seed=1)
    assert result.find is None, f"{result.wrong}: python -m tools.fuzz_update --target {name}"
    assert set(result.outcomes) >= DEEP[name]
    assert result.kept > len(SEEDS[name]())


def test_every_target_is_run() -> None:
    assert set(INPUTS) == set(targets()) == set(SEEDS) == set(DEEP)


def test_the_same_seed_makes_the_same_inputs() -> None:
    first, again = (tool.run(targets()["image"], 3000, seed=5) for _ in range(2))
    assert dataclasses.replace(first, seconds=0) == dataclasses.replace(again, seconds=0)
    other = tool.run(targets()["image"], 3000, seed=6)
    assert other.outcomes != first.outcomes


def with_mistake(target: Target, file: str, old: str, new: str) -> Target:
    """A target whose C is not that of the firmware in one place."""
    source = FIRMWARE / file
    text = source.read_text()
    assert text.count(old) == 1, f"{file} has changed: {old}"
    folder = CACHE / "fuzz" / hashlib.sha256(f"{old}\0{new}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / source.name
    path.write_text(text.replace(old, new))
    return dataclasses.replace(
        target, firmware=tuple(path if p == source else p for p in target.firmware)
    )


MISTAKES = {
    "a record's length is not bounded": (
        "image", "update/image.c",
        " || get16(area + at + 2) > bytes - at - AREA_BYTES", "",
        "a part of an accepted image lies outside of it"),
    "the hash is not compared": (
        "image", "update/image.c",
        "memcmp(image->hash, hash, sizeof hash) != 0", "hash[0] == hash[1] && hash[0] != hash[1]",
        "an image is accepted that was not signed"),
    "a component that the journal names is not bounded": (
        "journal", "update/update.c",
        "return record->attempt < UPDATE_COMPONENTS && (", "return (", "AddressSanitizer"),
    "a slot that the journal names is not bounded": (
        "journal", "update/update.c",
        "    default:\n        if (record->slot < UPDATE_SLOTS) {",
        "    default:\n        if (record->slot < UPDATE_NO_SLOT) {", "runtime error"),
    "the counter is what the image says": (
        "journal", "update/update.c",
        "record.detail[0] = image.counter;", "record.detail[0] = image.counter / 2;",
        "a security counter has fallen"),
    "what was armed is still written": (
        "upload", "update/upload.c",
        "if (update_is_protected(update, upload->slot)) { /*", "if (upload->slot == 99) { /*",
        "a slot that is running, confirmed or on trial is written"),
    "of several blocks in doubt one is erased": (
        "upload", "update/upload.c",
        "for (uint32_t i = block; i < end; i += size) {",
        "for (uint32_t i = block; i < block + size; i += size) {",
        "programming of a unit that is not erased"),
    "what was forgotten comes back": (
        "upload", "update/update.c",
        "    journal_record_t *record = &records[count++];\n    *record = (journal_record_t){\n"
        "        .kind = JOURNAL_TRANSFER,",
        "    if (update->transfer.slot == UPDATE_NO_SLOT) {\n        return count;\n    }\n"
        "    journal_record_t *record = &records[count++];\n    *record = (journal_record_t){\n"
        "        .kind = JOURNAL_TRANSFER,", "a restart would find another transfer"),
    "a tensor is not bounded": (
        "plan", "infer/plan/sections.c",
        "size_add(t->offset, t->bytes) > plan->arena_bytes ||", "", "AddressSanitizer"),
    "a vector of a flatbuffer is not bounded": (
        "flatbuffer", "infer/tflm/flatbuffer.c",
        "size_add(size_mul(size, element), end)", "size_add(size_mul(size, element / 8u), end)",
        "AddressSanitizer"),
    "a subgraph may call itself": (
        "flatbuffer", "infer/tflm/model.c",
        "called <= caller->number || ", "called < caller->number || ", "a call comes back"),
    "a message may be longer than the buffer": (
        "smp", "wire/smp_frame.c",
        " && decoder->expected <= decoder->size", "", "AddressSanitizer"),
    "a component that a client names is not bounded": (
        "smp", "mgmt/slots_group.c", "component >= UPDATE_COMPONENTS || ", "", "runtime error"),
}  # fmt: skip
"""Target, file, what is there, what should not be, and what the fuzzer says."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_deliberate_mistake_is_found(mistake: str) -> None:
    name, file, old, new, wrong = MISTAKES[mistake]
    target = with_mistake(targets()[name], file, old, new)
    result = tool.run(target, 20 * INPUTS[name], seed=1)
    assert result.find is not None
    assert wrong in result.wrong
    assert tool.replay(target, result.find)[0] == result.wrong
    assert tool.replay(targets()[name], result.find)[0] == ""


FINDS = {
    "armed-then-written": "what was armed is still written",
    "blocks-in-doubt": "of several blocks in doubt one is erased",
    "forgotten-transfer": "what was forgotten comes back",
}
"""Inputs that have found something once, in finds/, and what that was."""


@pytest.mark.parametrize("name", FINDS)
def test_what_was_found_once_stays_mended(name: str) -> None:
    target, find = tool.read_find(FOLDER / f"{name}.txt")
    assert tool.replay(target, find)[0] == ""
    _, file, old, new, wrong = MISTAKES[FINDS[name]]
    assert tool.replay(with_mistake(target, file, old, new), find)[0] == wrong


def test_every_find_is_listed() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(FINDS)


def test_every_target_has_a_mistake_that_it_finds() -> None:
    assert {mistake[0] for mistake in MISTAKES.values()} == set(targets())


def test_programs_are_built_once() -> None:
    program = build(targets()["image"])
    before = program.stat()
    assert build(targets()["image"]) == program
    assert program.stat().st_mtime_ns == before.st_mtime_ns
