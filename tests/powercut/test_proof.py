# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The proof itself: a few thousand states of every scenario, and that it does what it says."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.powercut.conftest import SMALL
from torpor.board import load_board
from torpor.errors import UsageError
from torpor.powercut.geometry import geometry
from torpor.powercut.library import proof_library
from torpor.powercut.proof import SHAPES, Counts, Cut, Prepared, Proof, Range
from torpor.powercut.run import Campaign, Settings, prepare, replay, wanted_scenarios
from torpor.powercut.scenarios import scenarios

NAMES = [one.name for one in scenarios(geometry(SMALL.board, SMALL.size, SMALL.model_size))]


def states(prepared: Prepared, wanted: Range, library: Path | None = None) -> Counts:
    with Proof(library or proof_library(), prepared) as proof:
        proof.run(wanted)
        return proof.counts()


def operations(prepared: Prepared) -> int:
    with Proof(proof_library(), prepared) as proof:
        return proof.operations()


def all_of(prepared: Prepared, every: int = 1, alone_gap: int = 0, client_gap: int = 0) -> Range:
    return Range(1, operations(prepared) + 1, every, alone_gap, client_gap)


# ---- the states


@pytest.mark.parametrize("name", NAMES)
def test_no_state_fails(name: str, small: dict[str, Prepared]) -> None:
    wanted = all_of(small[name], every=5, alone_gap=7, client_gap=500)
    counts = states(small[name], wanted)
    assert counts.states > 0
    assert counts.failures == []


@pytest.mark.parametrize("name", NAMES)
def test_no_state_fails_with_tensorflow_lite_micro(
    name: str, small_tflm: dict[str, Prepared]
) -> None:
    wanted = all_of(small_tflm[name], every=23, alone_gap=23)
    counts = states(small_tflm[name], wanted)
    assert counts.states > 0
    assert counts.failures == []


@pytest.mark.parametrize("name", ["engine-change", "engine-and-back", "engine-revert-power"])
def test_the_engine_changes_both_ways_in_the_same_states(
    name: str, small: dict[str, Prepared], small_tflm: dict[str, Prepared]
) -> None:
    one, other = small[name], small_tflm[name]
    assert states(one, all_of(one, every=7)) == states(other, all_of(other, every=7))


def test_each_world_has_its_own_engine_when_the_walk_goes_back_to_it(
    small: dict[str, Prepared],
) -> None:
    prepared = small["engine-change-and-trial"]
    count = operations(prepared)
    last = Range(count, count + 1, alone_gap=1)  # far behind the change
    first = Range(1, 2, alone_gap=1)
    with Proof(proof_library(), prepared) as proof:
        proof.run(last)
        proof.run(first)
        both = proof.counts()
    assert both.failures == []
    assert both.states == states(prepared, last).states + states(prepared, first).states


@pytest.mark.parametrize(
    ("board", "write", "erase", "size"),
    [
        ("microbit", 1, None, 2048),
        ("microbit", 8, None, 2048),
        ("microbit", 16, None, 2048),
        ("microbit", 32, 512, 2048),
        ("microbit", 4, 16384, 20000),
        ("mps2_an386", 32, None, 2048),
        ("riscv_virt", 4, None, 2048),
        ("native", 4, None, 2048),
    ],
)
def test_no_state_fails_on_other_flash(
    board: str, write: int, erase: int | None, size: int
) -> None:
    settings = Settings(
        load_board(board), size, SMALL.model_size, write, erase, every=max(3, 100 // write)
    )
    campaign = Campaign(settings)
    campaign.run(1)
    assert sum(result.counts.states for result in campaign.results) > 500
    assert [result.counts.failures for result in campaign.results if result.counts.failures] == []


def test_the_code_of_the_proof_has_no_undefined_behaviour(small: dict[str, Prepared]) -> None:
    library = proof_library("undefined")
    names = ("first-install", "careless-client", "revert-fault-and-model", "journal-wrap-2")
    for name in (*names, "engine-change"):
        wanted = all_of(small[name], every=31, alone_gap=31, client_gap=400)
        counts = states(small[name], wanted, library)
        assert counts.states > 0
        assert counts.failures == []


def test_remembered_hashes_and_signatures_change_nothing(small: dict[str, Prepared]) -> None:
    def counted(name: str, *, remembered: bool) -> Counts:
        wanted = all_of(small[name], every=211)
        with Proof(proof_library(), small[name]) as proof:
            proof.remember(remembered)
            proof.run(wanted)
            proof.remember(True)
            return proof.counts()

    for name in ("firmware-update", "refused-images", "lower-counter"):
        assert counted(name, remembered=False) == counted(name, remembered=True)


# ---- what is counted


def test_each_operation_is_cut_in_each_shape(small: dict[str, Prepared]) -> None:
    confirm = small["confirm"]
    count = operations(confirm)
    counts = states(confirm, Range(1, count + 1))
    assert counts.states == len(SHAPES) * count
    assert counts.torn == 2 * count, "complete is not torn"
    assert counts.double == 0


def test_an_update_has_an_operation_for_each_unit_and_each_block(
    small: dict[str, Prepared],
) -> None:
    prepared = small["firmware-update"]
    place = prepared.geometry
    units = -(-SMALL.size // place.write)
    blocks = place.firmware // place.erase  # of the slot's old image
    records = 4 * 32 // place.write  # upload, armed, attempt, confirmed
    assert units + records < operations(prepared) <= units + blocks + records


def test_second_cuts_come_on_top(small: dict[str, Prepared]) -> None:
    confirm = small["confirm"]
    one = states(confirm, all_of(confirm))
    two = states(confirm, all_of(confirm, alone_gap=1))
    assert two.states - two.double == one.states
    assert two.double > one.states, "an attempt and a confirmation after each first cut"
    some = states(confirm, all_of(confirm, alone_gap=4))
    assert one.states < some.states < two.states


def test_what_the_client_asks_for_is_cut_only_if_that_is_wanted(
    small: dict[str, Prepared],
) -> None:
    upload = small["upload-resume-small"]
    early = Range(40, 41, alone_gap=1)  # the device has nothing to do by itself then
    assert states(upload, early).double == 0
    assert states(upload, replace(early, client_gap=1)).double > 1000
    assert 0 < states(upload, replace(early, client_gap=100)).double < 200


def test_pieces_make_the_whole(small: dict[str, Prepared]) -> None:
    confirm = small["confirm"]
    whole = all_of(confirm, alone_gap=2)
    middle = (whole.first + whole.end) // 2
    counts = states(confirm, replace(whole, end=middle))
    counts.add(states(confirm, replace(whole, first=middle)))
    assert counts == states(confirm, whole)


def test_every_nth_operation_is_cut_if_that_is_wanted(small: dict[str, Prepared]) -> None:
    confirm = small["confirm"]
    count = operations(confirm)
    assert states(confirm, all_of(confirm, every=3)).states == len(SHAPES) * -(-count // 3)


def test_a_seed_decides_what_is_random(small: dict[str, Prepared]) -> None:
    upload = small["upload-resume-small"]
    wanted = Range(100, 110, alone_gap=1, client_gap=300)
    same = [states(upload, wanted).states for _ in range(2)]
    assert same[0] == same[1]
    others = {states(upload, replace(wanted, seed=seed)).states for seed in range(2, 6)}
    assert len(others | {same[0]}) > 1


# ---- one state


def test_a_state_is_told_from_the_cut_to_the_end(small: dict[str, Prepared]) -> None:
    settings = replace(SMALL, names=("confirm",))
    lines, failure = replay(settings, (Cut(3, "random"), Cut(9, "prefix")))
    assert failure is None
    told = "\n".join(lines)
    assert told.count("power fails in operation") == 2
    assert "power fails in operation 3, a programming of the journal" in told
    assert "starts slot B on trial, after reason 16" in told
    assert lines[-1] == "judge: all is well"


def test_the_factory_s_model_runs_where_the_engine_has_changed() -> None:
    settings = replace(SMALL, names=("engine-and-back",))
    lines, failure = replay(settings, (Cut(3, "random"),))
    assert failure is None
    starts = [line.partition(",")[0] for line in lines if line.startswith("starts")]
    assert starts == ["starts slot B", "starts slot A on trial"]


def test_a_state_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UsageError, match="no state of confirm has the cuts 99:random"):
        replay(replace(SMALL, names=("confirm",)), (Cut(99, "random"),))


def test_an_unknown_scenario_is_an_error() -> None:
    with pytest.raises(UsageError, match="unknown scenario 'konfirm'"):
        wanted_scenarios(replace(SMALL, names=("konfirm",)))


# ---- all of them


def test_several_processes_count_what_one_counts() -> None:
    settings = replace(SMALL, names=("confirm", "first-install"), every=2)
    shown: list[int] = []
    one, two = Campaign(settings), Campaign(settings)
    one.run(1)
    two.run(2, shown.append)
    for ours, theirs in zip(one.results, two.results, strict=True):
        assert ours.counts == theirs.counts
    assert shown == sorted(shown)
    assert shown[-1] == one.total == two.total


def test_only_the_scenarios_of_that_name_are_prepared() -> None:
    settings = Settings(load_board("microbit"), 2048, 700, names=("take-back", "confirm"))
    assert [one.scenario.name for one in prepare(settings)] == ["take-back", "confirm"]


def test_where_all_pairs_are_tried_images_are_small() -> None:
    settings = replace(SMALL, size=16384, names=("upload-resume-small", "upload-resume"))
    sizes = [max(len(image.data) for image in one.images) for one in prepare(settings)]
    assert sizes == [4096, 16384]
