# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The replayed sensor: when blocks come, what is in them, and what is lost."""

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.scene.conftest import DRIVERS, Library
from tests.scene.sensor import Samples, Sensor
from tests.scene.strategies import scenes
from torpor.scene import Scene, pack, render
from torpor.wire import records

WAITING = 64  # blocks, REPLAY_BLOCKS
GIVE = 160  # numbers, REPLAY_GIVE_MAX
MOTION = (10, 6, 8)  # rate, axes, block
SOUND = (16000, 1, 160)


def due(block: int, rate: int, samples: int, hz: int, start: int = 0) -> int:
    """Return when block `block` is complete, in exact arithmetic."""
    return start + int(Fraction((block + 1) * samples * hz, rate))


def quiet(rate: int, axes: int, samples: int) -> Scene:
    return Scene(rate, samples, tuple(range(axes)), noise=300, seed=5)


def numbers(axes: int, count: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-(2**15), 2**15, (count, axes), np.int16)


# ---- from memory


@pytest.mark.parametrize("hz", [1, 1000, 999_983, 16_000_000, 32_000_000])
@pytest.mark.parametrize(("rate", "axes", "block"), [MOTION, SOUND, (7, 3, 5), (44100, 1, 3)])
def test_each_block_is_complete_when_its_last_sample_is_however_long_it_runs(
    library: Library, rate: int, axes: int, block: int, hz: int
) -> None:
    scene = quiet(rate, axes, block * 2000)
    sensor = Sensor(library, rate, axes, block, scene=pack(scene), hz=hz, now=77)
    sensor.run(due(2000, rate, block, hz, 77))
    times = dict((count, now) for now, count in reversed(sensor.seen))
    for number in (1, 2, 3, 1000, 1999, 2000):
        at = due(number - 1, rate, block, hz, 77)
        assert max(count for now, count in sensor.seen if now <= at) >= number
        assert number not in times or times[number] == at
    assert sensor.seen[-1][1] == 2000


def test_a_clock_does_not_drift_in_a_day(library: Library) -> None:
    rate, block, hz = 7, 3, 999_983
    blocks = 24 * 3600 * rate // block
    sensor = Sensor(library, rate, 1, block, scene=pack(quiet(rate, 1, blocks * block)), hz=hz)
    sensor.run(due(blocks, rate, block, hz))
    assert sensor.seen[-1] == (due(blocks - 1, rate, block, hz), blocks)


@given(scenes(), st.integers(1, 40), st.integers(0, 2**32))
def test_blocks_of_a_scene_in_memory_are_the_scene(
    library: Library, scene: Scene, block: int, now: int
) -> None:
    sensor = Sensor(library, scene.rate_hz, scene.axes, block, scene=pack(scene), now=now)
    whole = scene.samples // block
    found: list[Samples] = []
    for number in range(whole):
        sensor.run(due(number, scene.rate_hz, block, sensor.hz, now))
        assert not sensor.ended
        found += sensor.read_all()
        assert len(found) == number + 1
    assert sensor.ended
    assert sensor.next is None
    assert sensor.wants() is None
    if found:
        wanted = render(scene, 0, whole * block)
        np.testing.assert_array_equal(np.concatenate(found), wanted)


@pytest.mark.parametrize("late", [1, 5, WAITING])
def test_a_late_loop_finds_all_blocks_up_to_so_many(library: Library, late: int) -> None:
    rate, axes, block = MOTION
    scene = quiet(rate, axes, 200 * block)
    sensor = Sensor(library, *MOTION, scene=pack(scene))
    sensor.ring(due(late - 1, rate, block, sensor.hz))
    assert sensor.seen == [(due(late - 1, rate, block, sensor.hz), late)]
    found = np.concatenate(sensor.read_all())
    np.testing.assert_array_equal(found, render(scene, 0, late * block))
    assert sensor.lost == 0
    assert sensor.next == due(late, rate, block, sensor.hz)


@pytest.mark.parametrize("more", [1, 30])
def test_blocks_that_nobody_reads_in_time_are_lost_and_counted(library: Library, more: int) -> None:
    rate, axes, block = MOTION
    scene = quiet(rate, axes, 200 * block)
    sensor = Sensor(library, *MOTION, scene=pack(scene))
    sensor.run(due(WAITING + more - 1, rate, block, sensor.hz))
    assert sensor.lost == more
    found = np.concatenate(sensor.read_all())
    np.testing.assert_array_equal(found, render(scene, more * block, WAITING * block))


def test_a_scene_that_nobody_reads_ends_when_its_last_block_was_read(library: Library) -> None:
    rate, axes, block = MOTION
    sensor = Sensor(library, *MOTION, scene=pack(quiet(rate, axes, 3 * block + 7)))
    sensor.run(due(50, rate, block, sensor.hz))
    assert not sensor.ended
    assert len(sensor.read_all()) == 3
    assert sensor.ended


@pytest.mark.parametrize("other", [(11, 6), (10, 5)], ids=["rate", "axes"])
def test_a_scene_of_another_format_is_not_measured(
    library: Library, other: tuple[int, int]
) -> None:
    sensor = Sensor(library, *MOTION, scene=pack(quiet(*other, 800)))
    assert sensor.accepted
    assert sensor.wants() is not None  # frames are asked for instead


@pytest.mark.parametrize("damage", ["crc", "cut", "erased"])
def test_a_damaged_scene_is_not_measured(library: Library, damage: str) -> None:
    content = pack(quiet(10, 6, 800))
    damaged = {
        "crc": content[:-1] + bytes([content[-1] ^ 1]),
        "cut": content[:-1],
        "erased": b"\xff" * 4096,
    }[damage]
    assert Sensor(library, *MOTION, scene=damaged).wants() == (0, GIVE // 6)


@pytest.mark.parametrize(
    ("rate", "axes", "block"),
    [(0, 1, 1), (10, 0, 1), (10, 9, 1), (10, 1, 0), (10, 1, 321), (10, 8, 41), (10, 2, 65535)],
)
def test_a_format_that_cannot_be_is_refused(
    library: Library, rate: int, axes: int, block: int
) -> None:
    assert not Sensor(library, rate, axes, block).accepted
    assert Sensor(library, 10, 8, 40).accepted


def test_a_clock_without_ticks_is_refused(library: Library) -> None:
    assert not Sensor(library, *MOTION, hz=0).accepted


def test_a_sensor_that_is_started_again_begins_anew(library: Library) -> None:
    scene = quiet(10, 6, 80 * 8)
    sensor = Sensor(library, *MOTION, scene=pack(scene))
    sensor.run(due(70, 10, 8, sensor.hz))
    assert sensor.lost == 71 - WAITING
    again = Sensor(library, *MOTION, scene=pack(scene), now=10**12)
    assert (again.lost, again.read(), again.ended) == (0, None, False)
    again.run(due(0, 10, 8, again.hz, 10**12))
    block = again.read()
    assert block is not None
    np.testing.assert_array_equal(block, render(scene, 0, 8))


# ---- in frames


def feed(sensor: Sensor, samples: Samples) -> None:
    """Give what is wanted until nothing is."""
    while (wanted := sensor.wants()) is not None:
        start, count = wanted
        assert sensor.give(start, samples[start : start + count])


@pytest.mark.parametrize(("rate", "axes", "block"), [MOTION, SOUND, (10, 8, 40), (5, 1, 1)])
def test_frames_are_delivered_at_the_same_times_as_from_memory(
    library: Library, rate: int, axes: int, block: int
) -> None:
    samples = numbers(axes, 50 * block)
    sensor = Sensor(library, rate, axes, block, now=5)
    found: list[Samples] = []
    feed(sensor, samples)
    for number in range(50):
        sensor.run(due(number, rate, block, sensor.hz, 5))
        assert sensor.seen[-1] == (due(number, rate, block, sensor.hz, 5), number + 1)
        found += sensor.read_all()
        feed(sensor, samples)
    np.testing.assert_array_equal(np.concatenate(found), samples)
    assert sensor.ended
    assert sensor.wants() is None
    assert sensor.next is None


def test_the_same_samples_are_wanted_until_they_come(library: Library) -> None:
    sensor = Sensor(library, *MOTION)
    wanted = sensor.wants()
    assert wanted == (0, 26)
    sensor.run(10 * sensor.hz)
    assert sensor.wants() == wanted
    assert sensor.give(0, numbers(6, 26))
    assert sensor.wants() == (26, 26)


@pytest.mark.parametrize(
    ("start", "count"), [(1, 10), (0, 27), (26, 10), (2**32 - 1, 1), (1, 0)], ids=str
)
def test_samples_that_are_not_wanted_are_refused(library: Library, start: int, count: int) -> None:
    sensor = Sensor(library, *MOTION)
    assert sensor.wants() == (0, 26)
    assert not sensor.give(start, numbers(6, count))
    assert sensor.wants() == (0, 26)


def test_samples_that_come_twice_are_taken_once(library: Library) -> None:
    sensor = Sensor(library, *MOTION)
    samples = numbers(6, 52)
    sensor.wants()
    assert sensor.give(0, samples[:26])
    assert not sensor.give(0, samples[:26])
    assert sensor.wants() == (26, 26)
    assert not sensor.give(0, samples[:26])
    assert sensor.give(26, samples[26:])
    sensor.run(due(1, 10, 8, sensor.hz))
    np.testing.assert_array_equal(np.concatenate(sensor.read_all()), samples[:16])


def test_the_clock_stands_still_until_samples_come(library: Library) -> None:
    rate, axes, block = MOTION
    sensor = Sensor(library, *MOTION)
    samples = numbers(axes, 200)
    sensor.run(due(0, rate, block, sensor.hz))
    assert sensor.next is None  # it sleeps
    assert sensor.seen == []
    late = 500 * sensor.hz + 3
    sensor.run(late)
    assert sensor.wants() == (0, 26)
    assert sensor.give(0, samples[:7])
    assert sensor.next is None
    assert sensor.wants() == (7, 26)
    assert sensor.give(7, samples[7:20])
    sensor.run(late)
    assert sensor.seen == [(late, 1)]
    assert sensor.next == due(0, rate, block, sensor.hz, late)
    sensor.run(due(0, rate, block, sensor.hz, late))
    np.testing.assert_array_equal(np.concatenate(sensor.read_all()), samples[:16])


def test_nothing_is_wanted_while_nobody_reads_and_nothing_is_lost(library: Library) -> None:
    rate, axes, block = 10, 8, 40  # two blocks fill the ring
    sensor = Sensor(library, rate, axes, block)
    samples = numbers(axes, 400)
    feed(sensor, samples)
    sensor.run(due(30, rate, block, sensor.hz))
    assert sensor.wants() is None
    assert sensor.seen[-1][1] == 2
    assert sensor.lost == 0
    first = sensor.read()
    assert first is not None
    feed(sensor, samples)
    sensor.run(sensor.now)
    found = np.concatenate([first, *sensor.read_all()])
    np.testing.assert_array_equal(found, samples[:120])
    assert sensor.lost == 0


@pytest.mark.parametrize("rest", [0, 1, 7])
def test_the_end_of_a_scene_in_frames_is_the_last_whole_block(library: Library, rest: int) -> None:
    sensor = Sensor(library, *MOTION)
    samples = numbers(6, 16 + rest)
    sensor.wants()
    assert sensor.give(0, samples)
    assert sensor.give(len(samples), samples[:0])
    assert not sensor.give(len(samples), samples[:0])
    assert sensor.wants() is None
    assert not sensor.ended
    sensor.run(due(9, 10, 8, sensor.hz))
    np.testing.assert_array_equal(np.concatenate(sensor.read_all()), samples[:16])
    assert sensor.ended
    assert sensor.next is None


def test_a_scene_that_ends_while_the_clock_stands_still_has_ended(library: Library) -> None:
    sensor = Sensor(library, *MOTION)
    sensor.run(due(3, 10, 8, sensor.hz))
    assert sensor.wants() is not None
    assert sensor.give(0, numbers(6, 0))
    assert sensor.ended
    assert sensor.read() is None


def chances(seed: int, sensor: Sensor, samples: Samples) -> list[Samples]:
    """Let samples and readers come when they like; return the blocks."""
    source = random.Random(seed)
    found: list[Samples] = []
    while not sensor.ended:
        sensor.run(sensor.now + source.choice([0, 1, sensor.hz // 3, sensor.hz]))
        wanted = sensor.wants()
        if wanted is not None and source.random() < 0.7:
            start, count = wanted
            part = samples[start : start + source.randint(1, count)]
            assert sensor.give(start, part)
        if source.random() < 0.5 and (block := sensor.read()) is not None:
            found.append(block)
    return found


@given(
    st.integers(0, 2**32),
    st.integers(1, 8),
    st.integers(1, 40),
    st.integers(0, 300),
)
@example(seed=1, axes=1, block=1, count=900)
@settings(max_examples=150)
def test_frames_arrive_whole_and_in_order_whatever_comes_when(
    library: Library, seed: int, axes: int, block: int, count: int
) -> None:
    samples = numbers(axes, count, seed)
    sensor = Sensor(library, 10, axes, block, hz=1000)
    found = chances(seed, sensor, samples)
    assert sensor.lost == 0
    whole = samples[: count // block * block]
    assert sum(len(part) for part in found) == len(whole)
    if found:
        np.testing.assert_array_equal(np.concatenate(found), whole)


def test_the_header_has_the_numbers_of_these_tests() -> None:
    header = (DRIVERS / "replay" / "replay.h").read_text()
    assert f"#define REPLAY_GIVE_MAX {GIVE}\n" in header
    assert f"#define REPLAY_BLOCKS {WAITING}\n" in header


def test_what_is_wanted_at_once_fits_into_a_record() -> None:
    most = next(f.max for f in records.Scene.spec.fields if f.name == "data")
    assert most == 2 * GIVE
