# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Feeding a device over a wire: whole, in order, whatever the wire does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.scene.conftest import Library
from tests.scene.fake import ReplayDevice, Wire, measured, verdicts
from torpor.errors import DeviceError, UsageError
from torpor.link.faults import Damage, FaultyTransport, random_faults
from torpor.scene import Scene
from torpor.scene.feed import MOST, PATIENCE_S, Feeder
from torpor.scene.recording import of_samples, of_scene
from torpor.wire import records

MOTION = (10, 6, 8)
SCENE = Scene(10, 1000, (1, 2, 3, 4, 5, 6), noise=500, seed=3)


def sound(samples: int = 8000) -> Scene:
    return Scene(16000, samples, (0,), noise=1000, seed=4)


def decided(told: list[Any]) -> list[int]:
    """Return the CRCs of the blocks that a device has measured."""
    return [record.latency for record in told if isinstance(record, records.Decision)]


def fed(wire: Any, scene: Scene, **options: Any) -> tuple[Feeder, list[Any]]:
    feeder = Feeder(wire, of_scene(scene), first_seq=1, **options)
    return feeder, list(feeder.run())


@pytest.mark.parametrize("real", [False, True], ids=["fast", "real"])
@pytest.mark.parametrize(
    ("scene", "block"), [(SCENE, 8), (sound(), 160), (sound(8001), 320)], ids=str
)
def test_a_device_measures_what_it_is_fed(
    library: Library, scene: Scene, block: int, real: bool
) -> None:
    wire = Wire(ReplayDevice(library, scene.rate_hz, scene.axes, block))
    feeder, told = fed(wire, scene, real=real, clock=wire.clock)
    assert decided(told) == measured(scene, block)
    assert feeder.position == scene.samples
    assert (feeder.health.garbled, feeder.health.again, feeder.health.restarts) == (0, 0, 0)
    assert wire.clock() == pytest.approx(scene.seconds, abs=2 * block / scene.rate_hz + 1.5)


def test_what_the_device_is_about_is_told_too(library: Library) -> None:
    wire = Wire(ReplayDevice(library, *MOTION))
    _, told = fed(wire, SCENE, clock=wire.clock)
    kinds = [record.spec.kind for record in told]
    assert kinds[:5] == ["hello", "hello", "about", "label", "label"]
    assert set(kinds) == {"hello", "about", "label", "decision"}


@pytest.mark.parametrize("gap", [500, 3000], ids=lambda gap: f"a fault in {gap} bytes")
@pytest.mark.parametrize("seed", range(12), ids="seed {}".format)
def test_a_bad_wire_changes_nothing_of_what_is_measured(
    library: Library, seed: int, gap: int
) -> None:
    device = ReplayDevice(library, *MOTION)
    wire = Wire(device)
    bad = FaultyTransport(
        wire, Damage(random_faults(seed, gap)), Damage(random_faults(seed + 1000, gap))
    )
    feeder = Feeder(bad, of_scene(SCENE), clock=wire.clock, first_seq=1)
    seen = decided(list(feeder.run()))
    assert device.blocks == len(SCENE_BLOCKS)
    assert set(seen) <= set(SCENE_BLOCKS)  # some were lost on the way back, none is another
    assert [block for block in SCENE_BLOCKS if block in set(seen)] == seen
    assert feeder.health.garbled > 0


SCENE_BLOCKS = measured(SCENE, 8)


@pytest.mark.parametrize("lost", range(1, 40, 3))
def test_any_line_to_the_device_may_be_lost(library: Library, lost: int) -> None:
    wire = Wire(ReplayDevice(library, *MOTION))
    number = 0

    def write(data: bytes, through: Callable[[bytes], None] = wire.write) -> None:
        nonlocal number
        number += 1
        if number % lost or (lost == 1 and number > 1):
            through(data)

    wire.write = write  # type: ignore[method-assign]
    feeder, told = fed(wire, SCENE, clock=wire.clock)
    assert decided(told) == SCENE_BLOCKS
    assert feeder.health.again > 0 or lost > number


def test_a_cable_that_was_out_for_a_while_does_no_harm(library: Library) -> None:
    device = ReplayDevice(library, *MOTION)
    out, back = (
        (lambda: setattr(device, "silent", True)),
        (lambda: setattr(device, "silent", False)),
    )
    wire = Wire(device, [(20.0, out), (30.0, back), (50.0, out), (59.0, back)])
    _, told = fed(wire, SCENE, clock=wire.clock)
    assert device.blocks == len(SCENE_BLOCKS)
    seen = decided(told)
    assert seen == [block for block in SCENE_BLOCKS if block in set(seen)]


def test_a_device_that_restarts_goes_on_where_it_was(library: Library) -> None:
    device = ReplayDevice(library, *MOTION)
    wire = Wire(device, [(20.0, device.start), (40.0, device.start)])
    feeder, told = fed(wire, SCENE, clock=wire.clock)
    assert feeder.health.restarts == 2
    assert feeder.position == SCENE.samples
    assert device.blocks < len(SCENE_BLOCKS)
    rendered = of_scene(SCENE).part(0, 1000)
    last = decided(told)[-device.blocks :]
    ways = [
        verdicts(rendered[at:], 8)[: device.blocks] for at in range(1000 - device.blocks * 8 + 1)
    ]
    assert last in ways  # consecutive samples of the scene, up to its end


def test_a_second_replay_goes_on_with_a_device_that_has_had_one(library: Library) -> None:
    device = ReplayDevice(library, *MOTION)
    wire = Wire(device)
    first = Feeder(wire, of_scene(SCENE), clock=wire.clock)
    told = first.run()
    while first.position < 500:
        next(told)
    told.close()
    begun = device.blocks
    second, later = fed(wire, SCENE, clock=wire.clock)
    assert second.health.restarts == 0
    assert second.position == SCENE.samples
    assert device.blocks > begun + 100
    assert len(decided(later)) > 100


def test_at_real_time_samples_come_no_earlier_than_they_were_measured(library: Library) -> None:
    wire = Wire(ReplayDevice(library, *MOTION))
    feeder = Feeder(wire, of_scene(SCENE), real=True, clock=wire.clock)
    ahead = []
    for _ in feeder.run():
        ahead.append(feeder.position / 10 - wire.clock())
    assert max(ahead) < 2 * MOST / 6 / 10


# ---- what cannot be


@pytest.mark.parametrize(
    ("rate", "axes", "words"),
    [
        (20, 6, "a scene has 20 samples a second, the device's sensor 10"),
        (10, 3, "a scene has 3 axes, the device's sensor 6"),
        (10, 8, "a scene has 8 axes, the device's sensor 6"),
    ],
)
def test_a_recording_of_another_sensor_is_refused(
    library: Library, rate: int, axes: int, words: str
) -> None:
    wire = Wire(ReplayDevice(library, *MOTION))
    with pytest.raises(UsageError, match=words):
        fed(wire, Scene(rate, 100, (0,) * axes), clock=wire.clock)


def test_a_recording_of_more_axes_is_noticed_in_the_middle_too(library: Library) -> None:
    device = ReplayDevice(library, *MOTION)
    wire = Wire(device)
    first = Feeder(wire, of_scene(SCENE), clock=wire.clock)
    told = first.run()
    while first.position < 500:
        next(told)
    with pytest.raises(UsageError, match="has 5 axes, the device's sensor others"):
        fed(wire, Scene(10, 100, (0,) * 5), clock=wire.clock)


def test_numbers_without_a_rate_have_that_of_the_device(library: Library) -> None:
    samples = np.arange(600, dtype=np.int16).reshape(100, 6)
    wire = Wire(ReplayDevice(library, *MOTION))
    feeder = Feeder(wire, of_samples(samples), real=True, clock=wire.clock)
    assert decided(list(feeder.run())) == verdicts(samples, 8)
    assert wire.clock() > 9


def test_a_device_that_says_nothing_is_given_up(library: Library) -> None:
    device = ReplayDevice(library, *MOTION)
    device.silent = True
    wire = Wire(device)
    with pytest.raises(DeviceError, match="the device does not answer"):
        fed(wire, SCENE, clock=wire.clock)
    assert PATIENCE_S < wire.clock() < PATIENCE_S + 2


def test_a_device_that_dies_on_the_way_is_given_up(library: Library) -> None:
    device = ReplayDevice(library, *MOTION)
    wire = Wire(device, [(30.0, lambda: setattr(device, "silent", True))])
    with pytest.raises(DeviceError, match="the device does not answer"):
        fed(wire, SCENE, clock=wire.clock)
    assert 30 + PATIENCE_S - 2 < wire.clock() < 30 + PATIENCE_S + 2


def test_a_device_that_measures_its_own_scene_wants_nothing(library: Library) -> None:
    wire = Wire(ReplayDevice(library, *MOTION, scene=Scene(10, 10**6, (0,) * 6)))
    feeder = Feeder(wire, of_scene(SCENE), clock=wire.clock)
    told = feeder.run()
    assert next(told).spec.kind == "hello"
    with pytest.raises(DeviceError, match="the device wants no samples") as error:
        list(told)
    assert "a scene in its own memory" in error.value.hint
    assert feeder.position == 0


def test_a_device_whose_scene_is_over_wants_nothing(library: Library) -> None:
    wire = Wire(ReplayDevice(library, *MOTION))
    fed(wire, SCENE, clock=wire.clock)
    with pytest.raises(DeviceError, match="wants no samples") as error:
        fed(wire, SCENE, clock=wire.clock)
    assert "reset it" in error.value.hint


def test_the_end_is_found_if_its_last_word_is_lost(library: Library) -> None:
    device = ReplayDevice(library, *MOTION)
    wire = Wire(device)
    read = wire.read

    def without_end(timeout: float) -> bytes:
        data = read(timeout)
        end = records.Need(1000 // 8 * 8, 0)
        from torpor.wire import framing  # noqa: PLC0415

        return data.replace(framing.encode_frame(records.encode(end)), b"")

    wire.read = without_end  # type: ignore[method-assign]
    _, told = fed(wire, SCENE, clock=wire.clock)
    assert decided(told) == SCENE_BLOCKS
