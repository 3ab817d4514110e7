# SPDX-License-Identifier: Apache-2.0
"""A case written as text is the same case again."""

import json

import numpy as np
import pytest

import tests.fuzz.operators  # noqa: F401 - registers the generators
from tests.fuzz.graphs import numbered_graph
from tests.fuzz.vectors import from_text, stored, to_text

MOST_BYTES = 60_000


@pytest.mark.parametrize("number", range(0, 40, 3))
def test_text_gives_the_same_bytes(number: int) -> None:
    case = numbered_graph(11, number)
    again = from_text(to_text(case, "what"))
    assert again.tflite == case.tflite
    assert again.keep_input == case.keep_input
    for one, two in zip(case.invocations, again.invocations, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b, strict=True)


def test_text_is_json_with_a_sentence_and_without_defaults() -> None:
    text = to_text(numbered_graph(11, 0), "it was wrong")
    tree = json.loads(text)
    assert tree["what"] == "it was wrong"
    assert tree["model"]["version"] == 3
    assert "null" not in text
    assert text.endswith("}\n")


def test_short_lists_stand_on_one_line() -> None:
    lines = to_text(numbered_graph(11, 1), "").splitlines()
    assert any(
        line.strip().startswith('"shape": [') and line.rstrip(",").endswith("]") for line in lines
    )


def test_stored_vectors_are_small_and_written_as_we_write_them() -> None:
    for path in stored():
        text = path.read_text(encoding="utf-8")
        assert len(text) < MOST_BYTES
        assert to_text(from_text(text), json.loads(text)["what"]) == text
