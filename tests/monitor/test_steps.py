# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The trace of a run that has ended, in words."""

import re
import struct

from hypothesis import given
from hypothesis import strategies as st

from torpor.monitor.steps import NAMES, steps
from torpor.paths import FIRMWARE


def entry(ticks: int, what: int, value: int) -> bytes:
    return struct.pack(">IHH", ticks, what, value)


def test_the_numbers_are_those_of_the_firmware() -> None:
    header = (FIRMWARE / "app" / "wake" / "steps.h").read_text()
    found = {int(n): name for name, n in re.findall(r"STEP_(\w+) = (\d+)", header)}
    assert found == NAMES


def test_a_run_is_told_in_order() -> None:
    trace = b"".join(
        [
            entry(1, 1, 18),
            entry(2, 3, 7),
            entry(3, 4, 300),
            entry(4, 5, 0),
            entry(5, 6, 2 | 1 << 8),
            entry(6, 7, 2),
            entry(7, 9, 1),
            entry(8, 99, 5),
        ]
    )
    words = [step["words"] for step in steps(trace)]
    assert words[0].startswith("started: ") and len(words[0]) > len("started: ")
    assert words[1:] == [
        "woke, number 7",
        "stage 1, score 300",
        "stage 2",
        "answered 2, from cache",
        "fell asleep: decided",
        "kept an input at random",
        "step 99, value 5",
    ]
    assert [step["ticks"] for step in steps(trace)] == list(range(1, 9))


@given(st.binary(max_size=64))
def test_any_bytes_are_told_as_whole_entries(trace: bytes) -> None:
    found = steps(trace)
    assert len(found) == len(trace) // 8
    assert all(step["words"] for step in found)
