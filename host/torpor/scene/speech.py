# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Speech of espeak-ng, a program of this computer, as samples."""

import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from torpor.errors import MissingToolError, UsageError

PROGRAM = "espeak-ng"
RATE_HZ = 16000


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Attributes:
        name: as `espeak-ng --voices` has it, with a variant perhaps: "en-us", "en-gb+f3".
        words_a_minute: 80 to 450.
    """

    name: str = "en-us"
    words_a_minute: int = 165


def speak(text: str, voice: Voice | None = None, rate_hz: int = RATE_HZ) -> NDArray[np.int16]:
    """Return `text`, spoken: int16 [samples], at `rate_hz`, without silence at its ends.

    Raises:
        MissingToolError: espeak-ng is not installed.
        UsageError: there is no such voice, or nothing to say.
    """
    voice = voice or Voice()
    if shutil.which(PROGRAM) is None:
        raise MissingToolError(f"{PROGRAM} is not installed", f"apt-get install {PROGRAM}")
    with tempfile.TemporaryDirectory(prefix="torpor-") as folder:
        path = Path(folder) / "speech.wav"
        _run(text, voice, path)
        samples, rate = _read(path)
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > 0)
    if not len(audible):
        raise UsageError(f"there is nothing to say in {text!r}")
    return resample(samples[audible[0] : audible[-1] + 1], rate, rate_hz)


def _run(text: str, voice: Voice, path: Path) -> None:
    words = ["-v", voice.name, "-s", str(voice.words_a_minute), "-w", str(path), "--", text]
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)
    talk = done.stderr.strip().splitlines()
    if done.returncode or talk or not path.exists():
        why = talk[-1] if talk else f"exit code {done.returncode}"
        raise UsageError(f"{PROGRAM} cannot speak as '{voice.name}': {why}", f"{PROGRAM} --voices")


def _read(path: Path) -> tuple[NDArray[np.int16], int]:
    with wave.open(str(path)) as file:
        content = file.readframes(file.getnframes())
        return np.frombuffer(content, "<i2").astype(np.int16), file.getframerate()


def resample(samples: NDArray[np.int16], rate: int, wanted: int) -> NDArray[np.int16]:
    """Return samples [n] at another rate, by straight lines between them."""
    count = len(samples) * wanted // rate
    places = np.arange(count) * rate / wanted
    found: NDArray[np.int16] = np.interp(places, np.arange(len(samples)), samples).astype(np.int16)
    return found
