# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The wake word: what models/alexa/model.toml says was measured, measured again.

Words are espeak-ng's, in nine voices and speeds; noise is white or pink, from pinned seeds.
"""

import json
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.models.speech import RATE, spoken
from torpor.compile import compile_model
from torpor.engine import Engine
from torpor.errors import MissingToolError, ModelError, UsageError
from torpor.features import Features, code_rule
from torpor.model import Model, load_model, package_data
from torpor.model.wake import Wake

Audio = NDArray[np.int16]
Levels = NDArray[np.int64]
VOICES = {
    "slow": ("en-us", 120),
    "american": ("en-us", 165),
    "fast": ("en-us", 200),
    "british": ("en-gb", 165),
    "female 3": ("en-us+f3", 165),
    "female 2": ("en-us+f2", 150),
    "male 3": ("en-us+m3", 150),
    "female 4": ("en-gb+f4", 150),
    "male 7": ("en-us+m7", 170),
}
OTHERS = (
    *("what time is it now", "turn on the kitchen light please", "good morning everybody"),
    *("a lexicon of text", "okay now let us go", "the weather is nice today"),
)
NEAR, ACROSS = 0.5, 0.1
"""Of espeak-ng's loudness: RMS of 1300 and 250 counts or so."""


@cache
def alexa() -> Model:
    return load_model("alexa")


@cache
def wake() -> Wake:
    found = alexa().about.wake
    assert found
    return found


@cache
def engine() -> Engine:
    return Engine(compile_model(alexa().quantized_file().read_bytes(), labels=("alexa",)).plan)


def noise(seconds: float, rms: float, seed: int, *, pink: bool = False) -> NDArray[np.float64]:
    """Return noise of a root mean square of `rms` counts."""
    samples = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    if pink:
        spectrum = np.fft.rfft(samples)
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[: int(50 * seconds)] = 0  # no microphone hears less than 50 Hz
        samples = np.fft.irfft(spectrum, len(samples))
    scaled: NDArray[np.float64] = samples / samples.std() * rms
    return scaled


def whole(samples: NDArray[np.float64]) -> Audio:
    return samples.clip(-32768, 32767).astype(np.int16)


def word(voice: str, gain: float, rms: float, folder: Path, text: str = "alexa") -> Audio:
    """Return a second of noise, the word in noise, a second of noise."""
    said = spoken(text, *VOICES[voice], folder) * gain
    return whole(said + noise(len(said) / RATE, rms, 7)[: len(said)])


def levels(samples: Audio) -> Levels:
    """Return the level of each block, as trigger_level() of the firmware."""
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(float)
    found: Levels = np.abs(blocks - blocks.mean(1, keepdims=True)).mean(1).astype(np.int64)
    return found


def rows_of(samples: Audio, features: Features | None = None) -> NDArray[np.uint16]:
    return (features or Features()).process(samples)


def best(rows: NDArray[np.uint16]) -> float:
    """Return the highest mean of five scores, of 1, over consecutive windows."""
    info = engine().inputs[0]
    codes = code_rule(info.scale, info.zero_point).codes(rows[: len(rows) // 3 * 3])
    engine().reset()
    scores = [int(engine().invoke([x])[0].item()) for x in codes.reshape(-1, *info.shape)]
    means = np.convolve(scores, np.ones(wake().decision.windows))[: len(scores)]
    return float(means.max()) / wake().decision.windows / 256


def limits(level: Levels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each block has to reach, and to be below: firmware/duty/floor.h."""
    trigger, floor, floors = wake().trigger, 256 * int(level[0]), []
    for value in 256 * level:
        floors.append(floor // 256)
        if value < floor:
            floor -= (floor - int(value)) // 32
        else:
            floor = min(int(value), floor + floor // 256 + 16)
    floors[0] = 0  # nothing was heard before the first
    found = np.array(floors)
    on = np.maximum(trigger.on, found * trigger.above)
    return on, np.maximum(trigger.off, found * trigger.still)


def wakes(samples: Audio) -> list[tuple[int, int]]:
    """Return (first, last) block of each wake, by the levels alone."""
    trigger, found, level = wake().trigger, list[tuple[int, int]](), levels(samples)
    on, off = limits(level)
    loud, still = level >= on, level < off
    block = 0
    while block < len(level):
        if not loud[block : block + trigger.debounce].all():
            block += 1
            continue
        first = block
        while not still[block : block + trigger.hold].all():
            block += 1
        last = min(block + trigger.hold + wake().tail, len(level) - 1)
        found.append((max(first - wake().before, 0), last))
        block = last + 1
    return found


# ---- the words


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize(("gain", "rms"), [(NEAR, 10), (NEAR, 80), (ACROSS, 30), (ACROSS, 80)])
def test_the_word_is_heard_in_every_voice(
    voice: str, gain: float, rms: float, tmp_path: Path
) -> None:
    assert best(rows_of(word(voice, gain, rms, tmp_path))) > wake().decision.cutoff


@pytest.mark.parametrize("text", OTHERS)
def test_no_other_words_are(text: str, tmp_path: Path) -> None:
    for voice in ("american", "british", "female 2"):
        assert best(rows_of(word(voice, NEAR, 30, tmp_path, text))) < wake().decision.cutoff


@pytest.mark.parametrize("rms", [30, 1000])
def test_noise_is_not(rms: float) -> None:
    assert best(rows_of(whole(noise(20, rms, 3)))) < 0.5


# ---- the trigger


@pytest.mark.parametrize("pink", [False, True], ids=["white", "pink"])
def test_quiet_noise_wakes_nobody(pink: bool) -> None:
    for rms in (10, 30, 40):
        assert wakes(whole(noise(60, rms, 5, pink=pink))) == []
    loud = whole(np.concatenate([noise(20, 30, 5, pink=pink), noise(60, 300, 6, pink=pink)]))
    assert len(wakes(loud)) == 1, "noise that becomes loud does, until it is the floor"


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize(("gain", "rms"), [(NEAR, 10), (ACROSS, 30), (ACROSS, 80)])
def test_a_word_is_one_wake_in_which_the_model_hears_it(
    voice: str, gain: float, rms: float, tmp_path: Path
) -> None:
    samples = word(voice, gain, rms, tmp_path)
    quiet = whole(noise(0.5, rms, 9))
    samples = np.concatenate([quiet, samples, quiet])
    ((first, last),) = wakes(samples)
    features = Features()
    rows_of(whole(noise(2, rms, 8)), features)  # an earlier wake has got to know the noise
    features.resume()
    rows = rows_of(samples[first * 160 : (last + 1) * 160], features)
    scores = rows[2::3].mean(1)
    passed = int(np.flatnonzero(scores >= wake().gate.low)[0])
    assert best(rows[3 * passed :]) > wake().decision.cutoff, "from where stage 1 lets it"


def test_a_wake_begins_half_a_second_before_the_word_at_least() -> None:
    assert wake().before * wake().block / RATE >= 0.5
    assert wake().hop * wake().block == 3 * 160


# ---- stage 1


@pytest.mark.parametrize("pink", [False, True], ids=["white", "pink"])
def test_steady_noise_is_rejected_a_second_after_it_began(pink: bool) -> None:
    for rms in (30, 300, 1000):
        scores = rows_of(whole(noise(20, rms, 11, pink=pink))).mean(1)
        assert scores[100:].max() < wake().gate.low, rms
        assert scores[0] > wake().gate.high, "not when it begins: nobody knows it is steady"


def test_a_hum_is_rejected() -> None:
    time = np.arange(3 * RATE) / RATE
    tones = [800 / n * np.sin(2 * np.pi * 100 * n * time) for n in (1, 2, 3)]
    hum = np.sum(tones, axis=0)
    swell = np.minimum(time, 1)
    scores = rows_of(whole(hum * swell + noise(3, 30, 12))).mean(1)
    assert levels(whole(hum)).max() > 2 * wake().trigger.on, "it does wake the device"
    assert scores[50:].max() < wake().gate.low


@pytest.mark.parametrize("voice", VOICES)
def test_the_word_passes_even_in_noise_as_loud_as_itself(voice: str, tmp_path: Path) -> None:
    scores = rows_of(word(voice, ACROSS, 250, tmp_path))[98:-98].mean(1)
    assert scores.max() >= wake().gate.low
    clear = rows_of(word(voice, NEAR, 30, tmp_path))[98:-98].mean(1)
    assert clear.max() >= wake().gate.high


# ---- where it comes from


def test_cutoff_and_windows_are_those_of_its_authors() -> None:
    pin = alexa().about.quantized
    assert pin
    with zipfile.ZipFile(package_data.fetch(pin.wheel)) as archive:
        theirs = json.loads(archive.read("pymicro_wakeword/models/alexa.json"))
    assert wake().decision.cutoff == theirs["micro"]["probability_cutoff"]
    assert wake().decision.windows == theirs["micro"]["sliding_window_size"]
    assert theirs["author"] in pin.author


def test_its_file_is_the_pinned_one_and_one_that_is_not_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alexa().quantized_file().name == "alexa.tflite"
    broken = Model("alexa", alexa().folder, alexa().about, tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(MissingToolError, match=r"cannot get pymicro_wakeword-2\.5\.0-"):
        broken.quantized_file()
    pin = alexa().about.quantized
    assert pin
    (tmp_path / "packages").mkdir(exist_ok=True)
    (tmp_path / "packages" / pin.wheel.file).write_bytes(b"another file")
    with pytest.raises((MissingToolError, ModelError)):
        broken.quantized_file()


def test_a_model_that_is_trained_here_has_no_such_file() -> None:
    with pytest.raises(UsageError, match="model 'motion' is quantized here") as caught:
        load_model("motion").quantized_file()
    assert caught.value.hint == "torpor quantize motion"
    assert (load_model("motion").widths, alexa().widths) == ((8, 4), (8,))
