# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenarios with images of a few kilobytes, on the small blocks of the micro:bit."""

from dataclasses import replace

import pytest

from torpor.board import load_board
from torpor.paths import TFLM
from torpor.powercut.proof import Prepared
from torpor.powercut.run import Settings, prepare

SMALL = Settings(load_board("microbit"), size=4096, model_size=1024)


@pytest.fixture(scope="session")
def small() -> dict[str, Prepared]:
    """Return all scenarios by name."""
    return {one.scenario.name: one for one in prepare(SMALL)}


@pytest.fixture(scope="session")
def small_tflm() -> dict[str, Prepared]:
    """Return all scenarios by name, for firmware with TensorFlow Lite Micro."""
    return {one.scenario.name: one for one in prepare(replace(SMALL, engine=TFLM))}
