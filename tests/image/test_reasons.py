# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reasons are those of reason.h, each with words of its own."""

import pytest

from torpor.image.reasons import HEADER, NUMBERS, REASONS, parse_reasons, reason

ENUM = "typedef enum {{\n{}\n}} update_reason_t;"


def test_every_enumerator_of_the_header_is_a_reason() -> None:
    text = HEADER.read_text(encoding="utf-8")
    assert len(REASONS) == text.count("UPDATE_E_") + 1
    assert len(NUMBERS) == len(REASONS)


def test_every_reason_but_ok_has_a_sentence_of_its_own() -> None:
    sentences = [r.sentence for r in REASONS.values() if r.number]
    assert len(set(sentences)) == len(sentences)
    assert all(" " in sentence for sentence in sentences)


def test_numbers_in_flash_do_not_change() -> None:
    assert (NUMBERS["ok"], NUMBERS["signature"], NUMBERS["watchdog"], NUMBERS["user"]) == (
        *(0, 5),
        *(18, 22),
    )


def test_a_sentence_is_the_comment_without_remarks_for_programmers() -> None:
    assert reason(NUMBERS["fault"]).sentence == "an exception"
    assert reason(NUMBERS["size"]).sentence == "larger than the slot"


def test_an_unknown_number_is_said_to_be_one() -> None:
    assert reason(250).sentence == "reason 250, which this torpor does not know"


def test_a_comment_over_two_lines_is_one_sentence() -> None:
    text = ENUM.format("    UPDATE_E_A = 1, /* one\n            two */")
    found = parse_reasons(text)
    assert found[1].sentence == "one two"


def test_a_comment_on_the_next_line_belongs_to_nobody() -> None:
    found = parse_reasons(ENUM.format("    UPDATE_E_A = 1,\n    /* About the next ones. */"))
    assert found[1].sentence == "a"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("int x;", "no enum"),
        (ENUM.format("UPDATE_E_A = 1, /* a b */\nUPDATE_E_B = 1, /* b c */"), "share a number"),
    ],
)
def test_a_header_that_is_not_understood_is_a_bug(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_reasons(text)
