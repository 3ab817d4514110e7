# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device that sleeps beside one that infers all the time, in the same scenes.

What is missed, and what is saved.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from torpor.board import Board
from torpor.emulate import firmware
from torpor.energy import ACTIVE, estimate, scaled
from torpor.errors import UsageError
from torpor.model import Model, load_model
from torpor.paths import TORPOR
from torpor.power.measure import Run, run
from torpor.power.scenes import wake_of, what_happens
from torpor.power.study import power_of
from torpor.scene.motion import motion_scene
from torpor.scene.schedule import Made, Truth
from torpor.scene.sound import Sound, loudness, sound_scene
from torpor.scene.speech import RATE_HZ, Voice, speak

LATE_S = 2.0
"""An answer may come so long after the end of what it is about."""

WORDS_SHARE = 0.03
"""Of the time of a scene of sound: words, and as many again in every third place that are none."""

RECORDING_S, MOTION_SHARE = 10.0, 0.05
OTHER_WORDS = ("good morning", "open the window", "Alexander", "what time is it")
VOICES = ("en-us", "en-us+f3", "en-us+m3", "en-gb", "en-us+f2", "en-us+m1")
SPEEDS = (120, 140, 165)
SHORTEST_S = 100
LOWEST_NOISE = 1.0
Show = Callable[[int], None]


@dataclass(frozen=True)
class Room:
    """Where somebody speaks.

    Attributes:
        noise: root of its mean square, counts of the microphone.
        snr_db: how much louder speech is.
    """

    noise: float
    snr_db: float


QUIET = (Room(40, 24), Room(40, 18), Room(40, 12))
"""The noise is below the trigger (models/alexa: 80 of the mean deviation, 100 of this)."""

NOISY = (Room(250, 18), Room(250, 12), Room(250, 6))
"""It is above: the trigger has to find the floor of the noise first."""


@dataclass(frozen=True, eq=False)
class Case:
    """A scene for a model.

    Attributes:
        model: with [wake].
        room: of sound; None: motion.
        made: what happens.
    """

    model: Model
    room: Room | None
    made: Made

    @property
    def is_quiet(self) -> bool:
        """Between events there is nothing that wakes the device."""
        return self.room is None or self.room in QUIET


@dataclass(frozen=True)
class Found:
    """What a device has made of a scene.

    Attributes:
        hits: events with an answer of the model.
        wrong: answers of the model that fit no event.
        wakes, rejected: of the device; rejected by stage 1.
        instructions: a second, of all states but sleep and replay.
        duty: share of the time that the chip is awake, estimated.
        mah_per_day: estimated.
    """

    hits: int
    wrong: int
    wakes: int
    rejected: int
    instructions: float
    duty: float
    mah_per_day: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """Both devices in one scene."""

    case: Case
    gated: Found
    always: Found

    @property
    def events(self) -> int:
        """That a device ought to answer."""
        return len(expected(self.case))

    @property
    def ratio(self) -> float:
        """Instructions of the one that sleeps, of 1."""
        return self.gated.instructions / self.always.instructions

    @property
    def good(self) -> bool:
        """It misses at most one event more, and where it is quiet it takes a tenth at most."""
        misses = self.always.hits - self.gated.hits
        return misses <= 1 and (self.ratio <= 0.1 or not self.case.is_quiet)

    def to_json(self) -> dict[str, Any]:
        """Return everything by name."""
        room = self.case.room
        return {
            "model": self.case.model.name,
            "sensor": wake_of(self.case.model).sensor,
            "noise_rms": room.noise if room else None,
            "snr_db": room.snr_db if room else None,
            "noise_wakes": not self.case.is_quiet,
            "seconds": self.case.made.scene.seconds,
            "events": self.events,
            "hits_always_on": self.always.hits,
            "hits_gated": self.gated.hits,
            "wrong_always_on": self.always.wrong,
            "wrong_gated": self.gated.wrong,
            "wakes": self.gated.wakes,
            "rejected_wakes": self.gated.rejected,
            "insn_per_second_always_on": round(self.always.instructions),
            "insn_per_second_gated": round(self.gated.instructions),
            "insn_ratio": round(self.ratio, 4),
            "duty": round(self.gated.duty, 5),
            "duty_always_on": round(self.always.duty, 5),
            "energy_mah_per_day_estimated": round(self.gated.mah_per_day, 3),
            "energy_mah_per_day_always_on_estimated": round(self.always.mah_per_day, 3),
            "good": self.good,
        }


def expected(case: Case) -> list[Truth]:
    """Return what a device ought to answer."""
    labels = what_happens(case.model)
    return [truth for truth in case.made.truth if truth.label in labels]


def motion_case(seconds: float, seed: int, name: str = "motion") -> Case:
    """Return a scene of held-out recordings between rest.

    Raises:
        UsageError: it is too short for one.
    """
    model = load_model(name)
    count = int(seconds * MOTION_SHARE / RECORDING_S)
    if count < 1:
        shortest = round(RECORDING_S / MOTION_SHARE)
        raise UsageError(
            f"{seconds:g} s are too short: events take at most 5 % of a scene",
            f"--seconds {shortest} at least",
        )
    labels = what_happens(model)
    chosen = [labels[i % len(labels)] for i in range(count)]
    return Case(model, None, motion_scene(model, seconds, seed, chosen))


def sound_case(seconds: float, seed: int, room: Room, name: str = "alexa") -> Case:
    """Return a scene of words in noise, some of them other words.

    Raises:
        MissingToolError: espeak-ng is not installed.
        UsageError: it is too short.
    """
    model = load_model(name)
    (label,) = model.labels
    sounds, taken = [], 0.0
    for number in range(1000):
        other = number % 3 == 2
        text = OTHER_WORDS[number // 3 % len(OTHER_WORDS)] if other else label
        samples = _audible(speak(text, _voice(number)), room)
        taken += len(samples) / RATE_HZ
        if taken > WORDS_SHARE * seconds:
            break
        sounds.append(Sound(samples, "" if other else label, room.snr_db))
    if not sounds:
        raise UsageError(f"{seconds:g} s are too short for a word", f"--seconds {SHORTEST_S}")
    return Case(model, room, sound_scene(sounds, seconds, seed, noise=room.noise))


def _voice(number: int) -> Voice:
    return Voice(VOICES[number % len(VOICES)], SPEEDS[number // len(VOICES) % len(SPEEDS)])


def _audible(samples: Any, room: Room) -> Any:
    """Return speech that is loud enough for its place; scenes only make it quieter."""
    wanted = max(room.noise, LOWEST_NOISE) * 10 ** (room.snr_db / 20)
    factor = max(1.0, 1.01 * wanted / loudness(samples, RATE_HZ))
    return np.clip(samples * factor, -(1 << 15), (1 << 15) - 1).astype(np.int16)


def compare(
    board: Board,
    cases: Sequence[Case],
    show: Show = lambda _: None,
    *,
    quiet: bool = True,
    engine: str = TORPOR,
) -> list[Outcome]:
    """Build both devices for each model and let them live through each case, two at a time.

    Args:
        board: with [power], memory for a scene, and an emulator that counts.
        cases: the scenes.
        show: called with the number of runs that are done, of twice as many as there are cases.
        quiet: keep what the build says to ourselves.
        engine: what runs the model.

    Raises:
        UsageError: the board cannot do that.
        TorporError: a build failed.
    """
    power_of(board)
    both = firmware.wake_apps(engine)
    elfs = {
        (name, app): firmware.build(board.name, name, app=app, quiet=quiet).elf
        for name in dict.fromkeys(case.model.name for case in cases)
        for app in both
    }
    works = [(case, elfs[case.model.name, app]) for case in cases for app in both]
    found: list[Found] = []
    with ThreadPoolExecutor(2) as pool:
        for one in pool.map(lambda work: live(board, *work), works):
            found.append(one)
            show(len(found))
    pairs = zip(cases, found[::2], found[1::2], strict=True)
    return [Outcome(case, gated, always) for case, gated, always in pairs]


def live(board: Board, case: Case, elf: Path) -> Found:
    """Let one device live through a scene."""
    done = run(board, elf, case.made)
    wake = wake_of(case.model)
    hits, wrong = judge(done, case)
    seconds = sum(i.counts.blocks for i in done.intervals) * wake.block / done.rate_hz
    if not seconds:
        raise UsageError(
            "the scene is too short: the first summary interval is not measured",
            f"--seconds {2 * wake.interval_s} at least",
        )
    rates = {
        state: sum(i.instructions.get(state, 0.0) for i in done.intervals) / seconds
        for state in ACTIVE
    }
    duty, charge = _estimated(board, rates, wake.sensor)
    counts = done.counts
    return Found(
        hits, wrong, int(counts.wakes), int(counts.rejected), sum(rates.values()), duty, charge
    )


def judge(done: Run, case: Case) -> tuple[int, int]:
    """Return how many events were answered, and how many answers fit none.

    More than one answer for one event is no mistake.
    """
    labels = case.model.labels
    answers = [(a.time_s, labels[a.label]) for a in done.answers if a.by_model]
    events = expected(case)
    hits = sum(any(_fits(answer, truth) for answer in answers) for truth in events)
    wrong = sum(not any(_fits(answer, truth) for truth in events) for answer in answers)
    return hits, wrong


def _fits(answer: tuple[float, str], truth: Truth) -> bool:
    return truth.label == answer[1] and truth.start_s <= answer[0] <= truth.end_s + LATE_S


def _estimated(board: Board, rates: dict[str, float], sensor: str) -> tuple[float, float]:
    """Return the share of the time that the chip works, and mAh a day: estimated."""
    power = power_of(board)
    hz = power.clock_hz / power.cycles_per_instruction
    shares = {state: rate / hz for state, rate in rates.items()}
    shares["sleep"] = max(0.0, 1 - sum(shares.values()))
    shares = scaled(shares, hz, power)
    return 1 - shares["sleep"], estimate(shares, power, sensor).mah_per_day_estimated
