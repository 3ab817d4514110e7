# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes of sound: speech in noise, as loud as it was asked for."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from torpor.errors import MissingToolError, UsageError
from torpor.scene import pack, render
from torpor.scene.layout import GAIN_ONE
from torpor.scene.sound import Sound, gain, loudness, sound_scene
from torpor.scene.speech import RATE_HZ, Voice, resample, speak

HELLO = speak("okay nabu")
OTHER = speak("what time is it", Voice("en-gb+f3", 200))


def tone(amplitude: float, seconds: float = 1.0) -> NDArray[np.int16]:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.rint(amplitude * np.sin(2 * np.pi * 440 * at)).astype(np.int16)


# ---- speech


def test_speech_is_speech_at_sixteen_kilohertz() -> None:
    assert HELLO.dtype == np.int16
    assert 0.4 * RATE_HZ < len(HELLO) < 2 * RATE_HZ
    assert np.abs(HELLO).max() > 5000
    assert HELLO[0] != 0
    power = np.abs(np.fft.rfft(HELLO)) ** 2
    bands = np.fft.rfftfreq(len(HELLO), 1 / RATE_HZ)
    assert power[bands < 4000].sum() > 0.9 * power.sum()


def test_speech_is_the_same_every_time_and_differs_by_voice_and_speed() -> None:
    np.testing.assert_array_equal(HELLO, speak("okay nabu"))
    slow = speak("okay nabu", Voice("en-us", 100))
    assert len(slow) > 1.2 * len(HELLO)
    assert len(speak("okay nabu", rate_hz=8000)) == pytest.approx(len(HELLO) / 2, abs=1)


def test_a_voice_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="cannot speak as 'xx-none'"):
        speak("hello", Voice("xx-none"))


def test_words_are_no_options() -> None:
    assert len(speak("--help")) > 0


def test_nothing_to_say_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to say"):
        speak("")


def test_without_espeak_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingToolError, match="espeak-ng is not installed") as error:
        speak("hello")
    assert error.value.hint == "apt-get install espeak-ng"


def test_a_program_that_fails_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(UsageError, match="exit code 3"):
        speak("hello")


def test_another_rate_keeps_a_tone() -> None:
    slow = resample(tone(8000), RATE_HZ, 8000)
    power = np.abs(np.fft.rfft(slow))
    assert np.fft.rfftfreq(len(slow), 1 / 8000)[power.argmax()] == 440


# ---- loudness


@pytest.mark.parametrize("amplitude", [100, 10000])
def test_the_loudness_of_a_tone_is_known(amplitude: float) -> None:
    assert loudness(tone(amplitude), RATE_HZ) == pytest.approx(amplitude / 2**0.5, rel=0.01)


def test_pauses_do_not_count() -> None:
    with_pause = np.concatenate([tone(5000), np.zeros(5 * RATE_HZ, np.int16), tone(5000)])
    assert loudness(with_pause, RATE_HZ) == pytest.approx(loudness(tone(5000), RATE_HZ), rel=0.01)


@pytest.mark.parametrize("samples", [np.zeros(100, np.int16), np.zeros(0, np.int16)], ids=len)
def test_silence_has_no_loudness(samples: NDArray[np.int16]) -> None:
    with pytest.raises(UsageError, match="a sound is silent"):
        loudness(samples, RATE_HZ)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0, 20.0])
def test_a_sound_is_as_much_louder_than_the_noise_as_was_asked_for(snr_db: float) -> None:
    noise = 500.0
    sound = Sound(tone(12000, 2.0), "word", snr_db)
    found = sound_scene([sound], 60, 1, noise=noise)
    event = found.truth[0]
    start, end = round(event.start_s * RATE_HZ), round(event.end_s * RATE_HZ)
    heard = render(found.scene, start, end - start).astype(float)
    before = render(found.scene, start - RATE_HZ, RATE_HZ).astype(float)
    signal = (heard**2).mean() - (before**2).mean()
    assert before.std() == pytest.approx(noise, rel=0.03)
    assert 10 * np.log10(signal / (before**2).mean()) == pytest.approx(snr_db, abs=0.4)


def test_a_sound_that_would_have_to_be_louder_than_it_is_is_refused() -> None:
    sound = Sound(tone(1000), "word", 20)
    with pytest.raises(UsageError, match="too quiet to be 20 dB above a noise of 200") as error:
        gain(sound, 200, RATE_HZ)
    lower = float(error.value.hint.split()[-1])
    assert 0.98 * GAIN_ONE < gain(sound, lower, RATE_HZ) <= GAIN_ONE


def test_a_ratio_to_no_noise_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no noise"):
        gain(Sound(tone(1000), "word", 20), 0, RATE_HZ)
    assert gain(Sound(tone(1000), "word"), 0, RATE_HZ) == GAIN_ONE


# ---- scenes


def test_words_and_other_speech_are_told_apart_in_the_truth() -> None:
    sounds = [Sound(HELLO, "okay nabu", snr) for snr in (5.0, 10.0, 20.0)]
    sounds += [Sound(OTHER, "")]
    found = sound_scene(sounds, 300, 7, noise=100)
    assert sorted(t.label for t in found.truth) == ["", *["okay nabu"] * 3]
    assert len(found.scene.clips) == 2  # the same samples lie there once
    assert len({event.gain for event in found.scene.events}) == 4
    for event, truth in zip(found.scene.events, found.truth, strict=True):
        assert event.start == round(truth.start_s * RATE_HZ)
        wanted = HELLO if truth.label else OTHER
        np.testing.assert_array_equal(found.scene.clips[event.clip].ravel(), wanted)


def test_a_scene_without_noise_has_the_words_as_they_are() -> None:
    found = sound_scene([Sound(HELLO, "okay nabu")], 60, 1, noise=0)
    start = found.scene.events[0].start
    shown = render(found.scene, start - 10, len(HELLO) + 20).ravel()
    np.testing.assert_array_equal(shown[10:-10], HELLO)
    assert not shown[:10].any()
    assert not shown[-10:].any()


def test_twenty_minutes_of_speech_fit_into_the_memory_of_a_board() -> None:
    sounds = [Sound(HELLO, "okay nabu", 10.0) for _ in range(20)]
    sounds += [Sound(OTHER.copy(), "") for _ in range(20)]
    found = sound_scene(sounds, 1200, 1, noise=200)
    assert found.scene.seconds == 1200
    assert len(pack(found.scene)) < 0x800000


def test_speech_that_is_not_rare_is_refused() -> None:
    with pytest.raises(UsageError, match="more than 5%"):
        sound_scene([Sound(tone(1000, 3.5), "word")], 60, 1, noise=0)


@pytest.mark.parametrize("noise", [-1.0, 40000.0])
def test_a_noise_that_no_scene_has_is_refused(noise: float) -> None:
    with pytest.raises(UsageError, match="is none"):
        sound_scene([], 60, 1, noise=noise)


def test_a_scene_may_be_nothing_but_noise() -> None:
    found = sound_scene([], 60, 1, noise=300)
    assert found.truth == ()
    assert render(found.scene, 0, RATE_HZ).std() == pytest.approx(300, rel=0.03)
