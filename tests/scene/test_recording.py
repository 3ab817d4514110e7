# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Recordings from files: scenes, sounds, tables of numbers; what is none is named."""

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torpor.errors import UsageError
from torpor.scene import Event, Scene, render, write
from torpor.scene.recording import of_samples, of_scene, open_recording

SAMPLES = np.array([[1, -2], [3, 4], [-32768, 32767]], np.int16)


def wav(path: Path, content: bytes, channels: int = 1, width: int = 2, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(content)
    return path


def npy(path: Path, numbers: Any) -> Path:
    np.save(path, numbers)
    return path


def csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_scene_is_known_by_its_first_bytes_whatever_its_name(tmp_path: Path) -> None:
    scene = Scene(10, 100, (5, 6), noise=100, seed=2)
    write(scene, tmp_path / "a.wav")
    found = open_recording(tmp_path / "a.wav")
    assert (found.rate_hz, found.axes, found.samples) == (10, 2, 100)
    np.testing.assert_array_equal(found.part(20, 30), render(scene, 20, 30))
    assert found.as_scene(99) is found.scene


def test_a_sound_file_has_one_axis_and_its_rate(tmp_path: Path) -> None:
    found = open_recording(wav(tmp_path / "a.wav", SAMPLES.astype("<i2").tobytes()))
    assert (found.rate_hz, found.axes, found.samples) == (16000, 1, 6)
    assert found.part(0, 6).ravel().tolist() == SAMPLES.ravel().tolist()
    assert found.part(2, 2).tolist() == [[3], [4]]


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64, np.uint16])
def test_a_table_of_whole_numbers_is_a_recording(tmp_path: Path, kind: Any) -> None:
    numbers = np.arange(12, dtype=kind).reshape(4, 3)
    found = open_recording(npy(tmp_path / "a.npy", numbers))
    assert (found.rate_hz, found.axes, found.samples) == (None, 3, 4)
    assert found.part(1, 2).dtype == np.int16
    assert found.part(1, 2).tolist() == numbers[1:3].tolist()
    assert open_recording(npy(tmp_path / "b.npy", numbers[:, 0])).axes == 1


@pytest.mark.parametrize("head", ["", "x,y\n", "\n", "# made by hand, 2026\n"])
def test_text_with_commas_is_a_recording_with_or_without_names(tmp_path: Path, head: str) -> None:
    found = open_recording(csv(tmp_path / "a.csv", f"{head}1,-2\n3, 4\r\n\n-32768,32767\n"))
    assert (found.rate_hz, found.axes, found.samples) == (None, 2, 3)
    assert found.part(0, 3).tolist() == SAMPLES.tolist()


def test_a_recording_becomes_a_scene_that_is_nothing_else() -> None:
    scene = of_samples(SAMPLES).as_scene(25)
    assert (scene.rate_hz, scene.base, scene.noise) == (25, (0, 0), 0)
    assert scene.events == (Event(0, 0),)
    assert render(scene, 0, 3).tolist() == SAMPLES.tolist()
    assert of_samples(SAMPLES, 50).as_scene(25).rate_hz == 50
    assert of_scene(scene).as_scene(99) is scene


WRONG: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "stereo": (lambda p: wav(p / "a.wav", bytes(8), channels=2), "2 channels of 16 bits", "-ac 1"),
    "eight bits": (lambda p: wav(p / "a.wav", bytes(8), width=1), "1 channels of 8 bits", "s16"),
    "no sound": (lambda p: wav(p / "a.wav", b""), r"has the shape \[0\]", "axes"),
    "no wav": (lambda p: csv(p / "a.wav", "RIFF nothing"), "is no .wav file", ""),
    "cut wav": (lambda p: csv(p / "a.wav", ""), "is no .wav file", ""),
    "floats": (lambda p: npy(p / "a.npy", np.zeros((3, 2))), "holds float64, not samples", "whole"),
    "objects": (lambda p: npy(p / "a.npy", np.array([{}])), "is no .npy file", ""),
    "no npy": (lambda p: csv(p / "a.npy", "hello"), "is no .npy file", ""),
    "too many axes": (lambda p: npy(p / "a.npy", np.zeros((3, 9), int)), r"shape \[3, 9\]", "8"),
    "a cube": (lambda p: npy(p / "a.npy", np.zeros((3, 2, 2), int)), r"\[3, 2, 2\]", "8"),
    "too large": (lambda p: npy(p / "a.npy", np.array([32768])), "no samples", "32767"),
    "too low": (lambda p: npy(p / "a.npy", np.array([-32769])), "no samples", "32767"),
    "words": (lambda p: csv(p / "a.csv", "x,y\n1,2\n3,up\n"), "line 3: '3,up' are no", "whole"),
    "fractions": (lambda p: csv(p / "a.csv", "1,2\n1.5,2\n"), "line 2: '1.5,2'", "whole"),
    "ragged": (lambda p: csv(p / "a.csv", "1,2\n3\n"), "line 2: 1 numbers, before it 2", ""),
    "an empty table": (lambda p: csv(p / "a.csv", "x,y\n"), r"shape \[0\]", "axes"),
    "another suffix": (lambda p: csv(p / "a.mp3", "x"), "is no recording", ".csv, .npy, .wav"),
    "nothing": (lambda p: p / "none.csv", "cannot read .*none.csv: No such file", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_recording_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    make, words, hint = WRONG[name]
    with pytest.raises(UsageError, match=words) as error:
        open_recording(make(tmp_path))
    assert hint in error.value.hint


def test_a_text_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe1,2\n")
    with pytest.raises(UsageError, match="is no text"):
        open_recording(tmp_path / "a.csv")


def test_a_damaged_scene_is_named(tmp_path: Path) -> None:
    write(Scene(10, 100, (5, 6)), tmp_path / "a.scene")
    content = bytearray((tmp_path / "a.scene").read_bytes())
    content[20] ^= 1
    (tmp_path / "a.scene").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.scene is damaged: its CRC is wrong"):
        open_recording(tmp_path / "a.scene")
