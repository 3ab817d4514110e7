# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Statuses are those of infer.h, each with words of its own and something to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.engine.library import open_infer
from torpor.plan.status import HEADER, NUMBERS, STATUSES, hint, parse_statuses, status, words

ENUM = "typedef enum {{\n{}\n}} infer_status_t;"


def test_every_enumerator_of_the_header_is_a_status() -> None:
    assert sorted(STATUSES) == list(range(len(STATUSES)))
    assert f"INFER_STATUS_COUNT = {len(STATUSES)}" in HEADER.read_text(encoding="utf-8")
    assert len(NUMBERS) == len(STATUSES)


@pytest.mark.parametrize("number", STATUSES)
def test_the_firmware_calls_it_by_the_same_name(number: int) -> None:
    ffi, library = open_infer()
    assert ffi.string(library.infer_status_name(number)).decode() == STATUSES[number].name


def test_every_status_but_ok_has_a_sentence_of_its_own() -> None:
    sentences = [s.sentence for s in STATUSES.values() if s.number]
    assert len(set(sentences)) == len(sentences)
    assert all(" " in sentence and "infer_" not in sentence for sentence in sentences)


def test_there_is_always_something_to_do() -> None:
    assert all(hint(number) for number in (*STATUSES, 250))
    assert "arena=BYTES" in hint(NUMBERS["arena"])


def test_an_unknown_number_is_said_to_be_one() -> None:
    assert status(250).sentence == "status 250, which this torpor does not know"


def test_numbers_on_the_wire_do_not_change() -> None:
    assert (NUMBERS["ok"], NUMBERS["arena"], NUMBERS["engine"]) == (0, 6, 19)


def test_what_the_engine_says_goes_before_the_sentence() -> None:
    assert words(6, "tflm", "Requested: 9") == "arena (tflm: Requested: 9)"
    assert words(6, "tflm", "") == "arena (the arena given is too small)"
    assert words(6, "", "Requested: 9") == "arena (Requested: 9)"


@given(st.integers(0, 2**32 - 1), st.text(), st.text())
def test_anything_that_a_device_says_makes_words(number: int, engine: str, message: str) -> None:
    assert words(number, engine, message).startswith(status(number).name)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("int x;", "no enum"),
        (ENUM.format("INFER_E_A = 1, /* a b */\nINFER_E_B = 1, /* b c */"), "share a number"),
    ],
)
def test_a_header_that_is_not_understood_is_a_bug(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_statuses(text)


def test_a_comment_over_two_lines_is_one_sentence() -> None:
    found = parse_statuses(ENUM.format("    INFER_E_A = 1, /* one\n            two */"))
    assert (found[1].name, found[1].sentence) == ("a", "one two")
