# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Emulated devices as fixtures."""

import shutil

import pytest

from torpor.board import load_board


@pytest.fixture
def qemu_program() -> str:
    facts = load_board("mps2_an386").emulator
    assert facts
    if not shutil.which(facts.program):
        pytest.skip(f"{facts.program} is not installed (apt-get install {facts.package})")
    return facts.program
