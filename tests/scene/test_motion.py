# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes of motion: held-out recordings between rest."""

import dataclasses

import numpy as np
import pytest

from torpor.errors import UsageError
from torpor.model import Model, load_model, timeseries
from torpor.model.package_data import data_files
from torpor.model.wake import Decision, Gate, Trigger, Wake
from torpor.scene import pack, parse, render
from torpor.scene.motion import Rest, counts_of, motion_scene
from torpor.scene.schedule import Made

COUNTS = (200.0, 200.0, 200.0, 500.0, 500.0, 500.0)
EVENTS = ("running", "walking", "badminton", "walking")
WAKE = Wake(
    sensor="motion",
    block=8,
    hop=1,
    tail=1,
    interval_s=60,
    trigger=Trigger(1, 1, 1, 1),
    gate=Gate(0, 0),
    decision=Decision("mean", 1, 0.5, 0, 0, "standing"),
    counts=COUNTS,
)
MODEL = load_model("motion")


def with_wake(wake: Wake | None) -> Model:
    return dataclasses.replace(MODEL, about=dataclasses.replace(MODEL.about, wake=wake))


def made(seed: int = 1, rest: Rest | None = None) -> Made:
    return motion_scene(with_wake(WAKE), 1200, seed, EVENTS, rest=rest)


def held_out() -> list[tuple[str, np.ndarray[tuple[int, int], np.dtype[np.int16]]]]:
    """Return (label, recording in counts) of all that the training has not seen."""
    data = MODEL.about.data
    (path,) = data_files(data.wheel, [data.test])
    found = timeseries.parse(path.read_bytes())
    counts = np.array(COUNTS)
    return [
        (MODEL.labels[data.classes.index(name)], np.rint(values.T * counts).clip(-32768, 32767))
        for values, name in zip(found.values, found.classes, strict=True)
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_each_event_is_a_held_out_recording_of_its_class_in_counts(seed: int) -> None:
    scene, truth = (m := made(seed, rest=Rest("standing", noise=0))).scene, m.truth
    assert sorted(t.label for t in truth) == sorted(EVENTS)
    seen = []
    for event in truth:
        start, end = round(event.start_s * 10), round(event.end_s * 10)
        shown = render(scene, start, end - start)
        same = [
            number
            for number, (label, recording) in enumerate(held_out())
            if label == event.label and np.abs(recording - shown).max() == 0
        ]
        assert len(same) == 1
        seen += same
    assert len(set(seen)) == len(EVENTS)


def test_rest_is_a_still_sensor_with_noise() -> None:
    found = made(rest=Rest("standing", noise=5))
    free = found.truth[0].end_s
    shown = render(found.scene, round(free * 10), 90)
    np.testing.assert_allclose(shown.std(axis=0), 5, rtol=0.4)
    np.testing.assert_allclose(shown.mean(axis=0), found.scene.base, atol=3)


def test_rest_may_be_a_recording_that_plays_there_and_back() -> None:
    found = made(rest=Rest("standing", moves=True, noise=0))
    scene = found.scene
    assert scene.background is not None
    clip = scene.clips[scene.background]
    assert len(clip) == 198  # 100 samples, and 98 back
    jumps = np.abs(np.diff(np.concatenate([clip, clip[:1]]).astype(int), axis=0)).max(axis=0)
    inside = np.abs(np.diff(clip[:100].astype(int), axis=0)).max(axis=0)
    np.testing.assert_array_equal(jumps, inside)  # no jump where it begins again
    assert clip.std() > 3


def test_a_scene_has_the_model_s_rate_and_length_and_few_events() -> None:
    found = made()
    assert (found.scene.rate_hz, found.scene.samples, found.scene.axes) == (10, 12000, 6)
    busy = sum(t.end_s - t.start_s for t in found.truth)
    assert busy == pytest.approx(10 * len(EVENTS))
    starts = [t.start_s for t in found.truth]
    assert starts == sorted(starts)
    assert starts[0] >= 10


def test_the_same_seed_makes_the_same_bytes() -> None:
    assert pack(made(3).scene) == pack(made(3).scene)
    assert pack(made(3).scene) != pack(made(4).scene)
    assert pack(parse(pack(made(3).scene))) == pack(made(3).scene)


def test_too_many_events_are_refused() -> None:
    with pytest.raises(UsageError, match="more than 5%"):
        motion_scene(with_wake(WAKE), 1200, 1, ["running"] * 7)
    assert motion_scene(with_wake(WAKE), 1200, 1, ["running"] * 6).scene


def test_more_events_than_recordings_use_some_again() -> None:
    found = motion_scene(with_wake(WAKE), 6000, 1, ["walking"] * 12)
    assert len({clip.tobytes() for clip in found.scene.clips}) == 10


def test_a_label_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown label of 'motion' 'run'") as error:
        motion_scene(with_wake(WAKE), 1200, 1, ["run"])
    assert "did you mean 'running'?" in error.value.hint


@pytest.mark.parametrize("wake", [None, dataclasses.replace(WAKE, counts=(1.0,))], ids=str)
def test_a_model_that_does_not_say_what_its_sensor_counts_is_refused(wake: Wake | None) -> None:
    with pytest.raises(UsageError, match="model 'motion' does not say what its sensor counts"):
        counts_of(with_wake(wake))
