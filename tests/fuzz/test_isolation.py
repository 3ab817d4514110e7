# SPDX-License-Identifier: Apache-2.0
"""A crash, an exit and a hang cost one number; the others are done."""

import os
import signal
import time
from typing import Any

import pytest

from tests.fuzz.isolation import Died, Report, isolated


def job(number: int, report: Report) -> Any:
    report(f"step of {number}")
    if number == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 4:
        os._exit(3)
    if number == 5:
        time.sleep(60)
    return number * number


@pytest.mark.parametrize("processes", [1, 2])
def test_what_crashes_costs_only_its_number(processes: int) -> None:
    found = dict(isolated(job, [1, 2, 3, 4, 6], processes=processes))
    assert found == {
        1: 1,
        2: Died("step of 2", "signal 11"),
        3: 9,
        4: Died("step of 4", "exit 3"),
        6: 36,
    }


def test_what_does_not_end_is_given_up() -> None:
    found = dict(isolated(job, [5, 6], timeout=0.1))
    assert found == {5: Died("step of 5", "no end after 0.1 s"), 6: 36}


def test_one_process_does_its_numbers_in_order() -> None:
    assert [n for n, _ in isolated(job, [3, 1, 6])] == [3, 1, 6]


def test_no_numbers_need_no_process() -> None:
    assert list(isolated(job, [])) == []


def test_what_a_process_changes_stays_there() -> None:
    seen: list[int] = []

    def remember(number: int, _report: Report) -> list[int]:
        seen.append(number)
        return list(seen)

    assert dict(isolated(remember, [7, 8])) == {7: [7], 8: [7, 8]}
    assert seen == []
