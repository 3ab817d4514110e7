# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sleeping device on every lane: told the same samples, it finds the same, at the same time."""

import pytest

from tests.emulated.sleeper import LATE_MS, decided
from tests.lanes import kit
from tests.lanes.fingerprint import Observations
from tests.lanes.stand import Stand
from torpor.model import load_model
from torpor.scene.feed import Feeder
from torpor.scene.motion import motion_scene
from torpor.scene.recording import of_scene

SECONDS, SEED, SHARE = 40, 11, 0.3  # as long as it takes where time is that of the wall


@pytest.mark.slow
def test_it_finds_what_happens_in_a_scene_and_when(fast_bench: Stand, seen: Observations) -> None:
    model = load_model(kit.MODEL)
    made = motion_scene(model, SECONDS, SEED, ["running"], share=SHARE)
    fast_bench.install("wake")
    feeder = Feeder(fast_bench.transport, of_scene(made.scene), first_seq=1)
    found = decided(feeder.run())
    fast_bench.install("old")
    (truth,) = made.truth
    for time, best, _ in found:
        assert model.labels[best] == truth.label
        assert truth.start_s * 1000 < time <= truth.end_s * 1000 + LATE_MS
    assert found
    seen.see("decisions", found, everywhere=True)
