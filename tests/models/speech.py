# SPDX-License-Identifier: Apache-2.0
"""Speech by espeak-ng, and the features of it that the wake-word models take."""

import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymicro_features import MicroFrontend

RATE = 16000
CHUNK = 160
"""Samples that the feature generator takes at once: 10 ms."""

Audio = NDArray[np.int16]


def spoken(text: str, voice: str, words_a_minute: int, folder: Path) -> Audio:
    """Return `text` in a voice of espeak-ng at 16 kHz, a second of silence before and after."""
    path = folder / "speech.wav"
    command = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "-w", str(path), text]
    subprocess.run(command, check=True, timeout=30)
    with wave.open(str(path)) as file:
        rate, content = file.getframerate(), file.readframes(file.getnframes())
    samples = np.frombuffer(content, "<i2")
    count = len(samples) * RATE // rate
    at_rate = np.interp(np.arange(count) * rate / RATE, np.arange(len(samples)), samples)
    pause = np.zeros(RATE)
    return np.concatenate([pause, at_rate, pause]).astype(np.int16)


def features(audio: Audio) -> NDArray[np.float64]:
    """Return the features of audio at 16 kHz, float64 [windows, 40], one window every 10 ms."""
    frontend = MicroFrontend()
    content = audio.astype("<i2").tobytes()
    found, at = [], 0
    while at + 2 * CHUNK <= len(content):
        output = frontend.process_samples(content[at : at + 2 * CHUNK])
        at += 2 * output.samples_read
        if output.features:
            found.append(output.features)
    return np.array(found)


def windows(rows: NDArray[np.float64], info: Any) -> NDArray[np.int8]:
    """Return rows as the codes of consecutive inputs: int8 [inputs, *shape of `info`]."""
    codes = np.round(rows / info.scale + info.zero_point).clip(-128, 127).astype(np.int8)
    stride = info.shape[1]
    whole: NDArray[np.int8] = codes[: len(codes) // stride * stride]
    return whole.reshape(-1, *info.shape)


def noise(seconds: float, level: float) -> Audio:
    """Return white noise."""
    random = np.random.default_rng(1)
    return (random.standard_normal(int(seconds * RATE)) * level).astype(np.int16)


Maker = Callable[[str, Path], Audio]

UTTERANCES: dict[str, Maker] = {
    "slow": lambda words, folder: spoken(words, "en-us", 120, folder),
    "fast": lambda words, folder: spoken(words, "en-us", 200, folder),
    "british": lambda words, folder: spoken(words, "en-gb", 165, folder),
    "higher": lambda words, folder: spoken(words, "en-us+f3", 165, folder),
    "something else": lambda _, folder: spoken("what time is it now", "en-us", 165, folder),
    "silence": lambda _, __: np.zeros(2 * RATE, np.int16),
    "noise": lambda _, __: noise(2, 3000),
}
"""What is said or heard to a model, by a name: (its wake words, scratch folder) -> audio."""
