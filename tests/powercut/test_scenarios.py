# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The list of scenarios: all that is demanded is in it, and each is what its name says."""

import re
from dataclasses import replace

import pytest

from torpor.board import load_board
from torpor.image.reasons import NUMBERS
from torpor.paths import ENGINES, ROOT
from torpor.powercut.geometry import geometry
from torpor.powercut.proof import FAILURES, SHAPES
from torpor.powercut.scenarios import (
    IMAGES,
    KINDS,
    NATURES,
    RECORDS,
    Scenario,
    scenarios,
    spec_of,
)

PLACE = geometry(load_board("microbit"), 4096, 1024)
ALL = scenarios(PLACE)
NAMES = [scenario.name for scenario in ALL]
C = ROOT / "host" / "torpor" / "powercut"


def enumerators(header: str, prefix: str) -> list[str]:
    """Return the names of an enum in order, without prefix, small."""
    text = (C / header).read_text(encoding="utf-8")
    found = re.findall(rf"^    {prefix}(\w+) = (\d+)", text, flags=re.M)
    assert [int(number) for _, number in found] == list(range(len(found)))
    return [name.lower() for name, _ in found]


def test_numbers_of_both_languages_are_the_same() -> None:
    assert enumerators("scenario.h", "STEP_") == list(KINDS)
    assert enumerators("flash.h", "SHAPE_") == [*SHAPES, "count"]
    assert enumerators("judge.h", "FAIL_") == ["none", *FAILURES[1:], "kinds"]
    hang = {"hang": "watchdog"}
    assert enumerators("scenario.h", "ENGINE_") == [*ENGINES, "count"]
    natures = enumerators("scenario.h", "NATURE_")
    assert [hang.get(name, name) for name in natures] == list(NATURES)


@pytest.mark.parametrize(
    "name",
    ["first-install", "firmware-update", "confirm", "revert-self-test", "revert-watchdog",
     "revert-fault", "revert-power", "model-update", "model-switch", "upload-resume",
     "upload-resume-small", "revert-self-test-and-model", "lower-counter", "engine-change",
     "engine-and-back", "engine-revert-watchdog", "model-of-other-engine",
     *(f"journal-wrap-{free}" for free in range(RECORDS + 1))],
)  # fmt: skip
def test_what_has_to_be_proven_is_there(name: str) -> None:
    assert name in NAMES


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("scenario", ALL, ids=NAMES)
def test_a_scenario_speaks_of_what_it_has(scenario: Scenario) -> None:
    assert scenario.steps, "there is something to cut"
    images = set(scenario.images)
    assert images <= set(IMAGES)
    instead = {scenario.instead, scenario.instead_model}
    ends = ({scenario.firmware, scenario.model} | instead) - {""}
    assert ends | set(dict(scenario.natures)) | set(dict(scenario.refused)) <= images
    assert set(dict(scenario.natures).values()) <= set(NATURES)
    assert set(dict(scenario.refused).values()) <= set(NUMBERS)
    assert all(step.kind in KINDS for step in (*scenario.prepare, *scenario.steps))
    assert scenario.client_gap == 0 or scenario.alone_gap > 0, "proof.h: 0 if the other is"


@pytest.mark.parametrize("name", IMAGES)
def test_with_the_other_engine_at_first_each_image_has_the_other_one(name: str) -> None:
    ours, theirs = (spec_of(name, engine) for engine in ENGINES)
    assert ours == IMAGES[name]
    assert {ours.engine, theirs.engine} == set(ENGINES)
    assert replace(theirs, engine=ours.engine) == ours


def test_damaged_images_have_to_be_refused() -> None:
    refused = {name for scenario in ALL for name, _ in scenario.refused}
    assert {name for name, spec in IMAGES.items() if spec.damage} <= refused


def test_where_one_image_fits_both_slots_none_has_the_wrong_address() -> None:
    native = scenarios(geometry(load_board("native"), 4096, 1024))
    (refused,) = (scenario for scenario in native if scenario.name == "refused-images")
    assert "link" not in refused.images
    assert "board" in refused.images
