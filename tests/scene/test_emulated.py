# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A scene in a device's memory: where it fits, and how a device with one is watched."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scene.conftest import Library
from tests.scene.fake import ReplayDevice, Wire, measured
from torpor.board import load_board
from torpor.board.facts import Scene as Place
from torpor.errors import DeviceError, UsageError
from torpor.scene import Scene, pack
from torpor.scene.emulated import holds, started
from torpor.scene.feed import Feeder
from torpor.scene.recording import of_scene
from torpor.wire import framing, records

MOTION = (10, 6, 8)
SCENE = Scene(10, 1000, (1, 2, 3, 4, 5, 6), noise=500, seed=3)


def watched(device: ReplayDevice, scene: Scene = SCENE) -> tuple[Feeder, Wire, list[Any]]:
    wire = Wire(device)
    feeder = Feeder(wire, of_scene(scene), has_it=True, clock=wire.clock, first_seq=1)
    return feeder, wire, list(feeder.run())


def test_a_device_with_the_scene_in_its_memory_is_watched_to_the_end(library: Library) -> None:
    feeder, wire, told = watched(ReplayDevice(library, *MOTION, scene=SCENE))
    decided = [record.latency for record in told if isinstance(record, records.Decision)]
    assert decided == measured(SCENE, 8)
    assert feeder.position == SCENE.samples
    assert wire.clock() == pytest.approx(100, abs=2)


def test_how_far_it_is_follows_from_what_it_tells(library: Library) -> None:
    wire = Wire(ReplayDevice(library, *MOTION, scene=SCENE))
    places: list[int] = []
    feeder = Feeder(
        wire,
        of_scene(SCENE),
        has_it=True,
        moved=lambda: places.append(feeder.position),
        clock=wire.clock,
    )
    list(feeder.run())
    assert places == sorted(set(places))
    assert len(places) > 100
    assert places[-1] == SCENE.samples


def test_a_device_that_does_not_take_its_scene_is_told_from_one_that_does(
    library: Library,
) -> None:
    other = Scene(20, 1000, (0,) * 6)
    with pytest.raises(DeviceError, match="does not measure the scene in its memory"):
        watched(ReplayDevice(library, *MOTION, scene=other))


def test_a_device_of_other_records_is_named(library: Library) -> None:
    wire = Wire(ReplayDevice(library, *MOTION))
    hello = records.Hello(0, 7, "old", "old", 1, 0, 1, 1, 1, 1, "torpor", "")
    line = framing.encode_frame(records.encode(hello))
    wire.read = lambda timeout: line  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="the device speaks records 00000007"):
        list(Feeder(wire, of_scene(SCENE), clock=wire.clock).run())


# ---- where it fits


@pytest.mark.parametrize(
    ("board", "fits"), [("mps2_an386", True), ("microbit", False), ("native", True)]
)
def test_a_scene_lies_in_memory_where_a_board_has_some(board: str, fits: bool) -> None:
    assert holds(load_board(board), pack(SCENE)) == fits


def test_a_scene_of_just_the_size_of_its_place_fits() -> None:
    content = pack(SCENE)
    board = load_board("mps2_an386")
    exact = dataclasses.replace(board, scene=Place(0x21800000, len(content)))
    assert holds(exact, content)
    assert not holds(exact, content + b"x")


def test_a_scene_that_does_not_fit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    clip = np.zeros((4_200_000, 1), np.int16)
    large = Scene(16000, 5_000_000, (0,), (clip,))
    words = "the scene has 8,400,064 bytes, board 'mps2_an386' room for 8,388,608"
    with (
        pytest.raises(UsageError, match=words) as error,
        started(load_board("mps2_an386"), tmp_path / "none.elf", large, fast=True),
    ):
        pass
    assert "--frames" in error.value.hint
