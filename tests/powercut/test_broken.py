# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A proof that cannot fail proves nothing: it has to notice every mistake of broken.toml."""

from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.isolation import Report, isolated
from tests.support.broken_update import Broken, build, mistakes
from torpor.powercut.library import proof_library
from torpor.powercut.proof import FAILURES, Counts, Prepared, Proof, Range

MISTAKES = mistakes()
TIMEOUT = 60
LEAST = 20


def states_of(library: Path, prepared: Prepared) -> Counts:
    """Go through the states of a scenario, in a process of its own: mistakes may crash or hang."""

    def job(_number: int, _report: Report) -> Counts:
        with Proof(library, prepared) as proof:
            operations = proof.operations()
            if operations:
                gap = prepared.scenario.alone_gap
                proof.run(Range(1, operations + 1, alone_gap=gap))
            return proof.counts()

    results: list[tuple[int, Any]] = list(isolated(job, [0], processes=1, timeout=TIMEOUT))
    counts = results[0][1]
    assert isinstance(counts, Counts), f"the proof itself died: {counts}"
    return counts


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
def test_the_mistake_is_noticed(
    mistake: Broken, small: dict[str, Prepared], tmp_path: Path
) -> None:
    counts = states_of(build(mistake, tmp_path), small[mistake.scenario])
    assert counts.failed[mistake.kind] > 0, f"noticed instead: {counts}"


@pytest.mark.parametrize("scenario", sorted({mistake.scenario for mistake in MISTAKES}))
def test_without_a_mistake_there_is_nothing_to_notice(
    scenario: str, small: dict[str, Prepared]
) -> None:
    counts = states_of(proof_library(), small[scenario])
    assert counts.states > 0
    assert counts.failures == []


def test_the_list_is_long_and_each_kind_of_failure_is_in_it() -> None:
    assert len(MISTAKES) >= LEAST
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)
    assert {mistake.kind for mistake in MISTAKES} == set(FAILURES[1:])


def test_a_text_that_is_not_there_any_more_is_an_error(tmp_path: Path) -> None:
    stale = Broken("stale", "confirm", "lost", "journal.c", (("no such line", ""),))
    with pytest.raises(AssertionError, match="has changed"):
        build(stale, tmp_path)
