# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sleeping device on a clock that is a number: what wakes it, what it says, what it does when
something is wrong."""

from tests.wake.conftest import BLOCK, LEFT, RATE, REST, RIGHT, Maker, of, scene
from torpor.wire import records

S = 1_000_000  # ticks


def test_first(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (20, 0, 4)))
    print(made.start())
    print(made.run(61))
    assert 0
