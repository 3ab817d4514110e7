# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a sensor has measured, from a file: a scene, a sound, or numbers."""

import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor.errors import UsageError
from torpor.scene.layout import AXES_MAX, MAGIC
from torpor.scene.scene import Event, Samples, Scene, parse, render

_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_COUNTS = f"they are counts of a sensor: whole numbers from {_LOW} to {_HIGH}"


@dataclass(frozen=True)
class Recording:
    """Samples of a sensor.

    Attributes:
        name: of the file, for messages.
        rate_hz: None where the file does not say.
        axes: numbers in a sample.
        samples: how many there are.
        part: (start, count) to int16 [count, axes].
        scene: what it is made of, or None.
    """

    name: str
    rate_hz: int | None
    axes: int
    samples: int
    part: Callable[[int, int], Samples]
    scene: Scene | None = None

    def as_scene(self, rate_hz: int) -> Scene:
        """Return a scene that is nothing but this recording.

        Args:
            rate_hz: of the sensor, where the file does not say.
        """
        if self.scene is not None:
            return self.scene
        whole = self.part(0, self.samples)
        base = (0,) * self.axes
        return Scene(self.rate_hz or rate_hz, self.samples, base, (whole,), (Event(0, 0),))


def of_scene(scene: Scene, name: str = "a scene") -> Recording:
    """Return what a sensor measures in a scene."""

    def part(start: int, count: int) -> Samples:
        return render(scene, start, count)

    return Recording(name, scene.rate_hz, scene.axes, scene.samples, part, scene)


def of_samples(samples: Samples, rate_hz: int | None = None, name: str = "samples") -> Recording:
    """Return samples, int16 [samples, axes], as a recording."""

    def part(start: int, count: int) -> Samples:
        return samples[start : start + count]

    return Recording(name, rate_hz, samples.shape[1], len(samples), part)


def open_recording(path: Path) -> Recording:
    """Return what is in a file: a scene, a .wav (mono, 16 bit), a .npy or a .csv.

    Raises:
        UsageError: it cannot be read, or is none of these.
    """
    try:
        with path.open("rb") as file:
            is_scene = file.read(4) == MAGIC.to_bytes(4, "little")
        return of_scene(parse(path.read_bytes(), str(path)), str(path)) if is_scene else _kind(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _kind(path: Path) -> Recording:
    readers: dict[str, Callable[[Path], Recording]] = {".wav": _wav, ".npy": _npy, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path} is no recording", f"a scene of torpor's, or {', '.join(sorted(readers))}"
        )
    return reader(path)


def _wav(path: Path) -> Recording:
    try:
        with wave.open(str(path)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise UsageError(f"{path} is no .wav file: {error}") from None
    if (channels, width) != (1, 2):
        raise UsageError(
            f"{path} has {channels} channels of {8 * width} bits: mono of 16 bits is read",
            f"ffmpeg -i {path} -ac 1 -sample_fmt s16 mono.wav",
        )
    numbers = np.frombuffer(content[: len(content) // 2 * 2], "<i2").astype(np.int16)
    return of_samples(_table(numbers, path), rate, str(path))


def _npy(path: Path) -> Recording:
    try:
        numbers = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UsageError(f"{path} is no .npy file: {error}") from None
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in "iu":
        what = getattr(numbers, "dtype", "several arrays")
        raise UsageError(f"{path} holds {what}, not samples", _COUNTS)
    return of_samples(_table(numbers, path), None, str(path))


def _csv(path: Path) -> Recording:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text") from None
    rows: list[list[int]] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not (number == 1 and not _is_row(line)):  # the first one may say what
            rows.append(_row(line, f"{path}, line {number}"))
            if len(rows[-1]) != len(rows[0]):
                raise UsageError(
                    f"{path}, line {number}: {len(rows[-1])} numbers, before it {len(rows[0])}"
                )
    return of_samples(_table(np.array(rows, np.int64), path), None, str(path))


def _is_row(line: str) -> bool:
    try:
        [float(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return True


def _row(line: str, where: str) -> list[int]:
    try:
        return [int(cell) for cell in line.split(",")]
    except ValueError:
        raise UsageError(f"{where}: {line.strip()[:40]!r} are no samples", _COUNTS) from None


def _table(numbers: NDArray[Any], path: Path) -> Samples:
    """Return numbers as int16 [samples, axes]."""
    table = numbers.reshape(-1, 1) if numbers.ndim == 1 else numbers
    if not numbers.size or table.ndim != 2 or table.shape[1] > AXES_MAX:
        raise UsageError(
            f"{path} has the shape {list(numbers.shape)}, not [samples, axes]",
            f"1 to {AXES_MAX} axes",
        )
    if len(table) >= 1 << 32 or table.min() < _LOW or table.max() > _HIGH:
        raise UsageError(f"{path} has numbers that are no samples", _COUNTS)
    return table.astype(np.int16)
