# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes with so many events an hour."""

from torpor.errors import UsageError
from torpor.model import Model
from torpor.model.wake import Wake
from torpor.scene.motion import motion_scene
from torpor.scene.schedule import Made
from torpor.scene.sound import Sound, sound_scene
from torpor.scene.speech import Voice, speak

VOICES = ("en-us", "en-us+f3", "en-gb", "en-gb+f2")
NOISE = 20.0
"""Standard deviation of a quiet room, in counts."""

SNR_DB = 30.0
SECONDS_AN_HOUR = 3600


def wake_of(model: Model) -> Wake:
    """Return a model's [wake].

    Raises:
        UsageError: it has none.
    """
    if model.about.wake is None:
        raise UsageError(
            f"model '{model.name}' does not say when to wake", "it needs [wake] in its model.toml"
        )
    return model.about.wake


def what_happens(model: Model) -> list[str]:
    """Return the labels that are no background."""
    return [label for label in model.labels if label not in wake_of(model).decision.ignored]


def scene(model: Model, events: float, count: int, seed: int) -> Made:
    """Return a scene.

    Args:
        model: with [wake].
        events: an hour.
        count: events in all; the scene is as long as they need.
        seed: of everything random.

    Raises:
        UsageError: so many do not fit into an hour.
        MissingToolError: recordings, or speech, cannot be had.
    """
    seconds = count / events * SECONDS_AN_HOUR
    labels = what_happens(model)
    chosen = [labels[i % len(labels)] for i in range(count)]
    if wake_of(model).sensor == "motion":
        return motion_scene(model, seconds, seed, chosen, share=1.0)
    return sound_scene(
        [_spoken(label, number) for number, label in enumerate(chosen)],
        seconds,
        seed,
        noise=NOISE,
        share=1.0,
    )


def _spoken(label: str, number: int) -> Sound:
    voice = Voice(VOICES[number % len(VOICES)])
    return Sound(speak(label.replace("_", " "), voice), label, SNR_DB)
