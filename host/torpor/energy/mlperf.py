# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The model of energy against the public results of MLPerf Tiny (mlperf_tiny.toml).

If energy is time x a constant power of the chip, then the power seen with some models tells the
energy of another from its time alone. Each model of each system is left out once.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

TABLE = Path(__file__).with_name("mlperf_tiny.toml")
MODELS = ("ad", "ic", "kws", "vww")
WITHIN = 0.10
"""An error up to this counts as right."""

ROUNDS = ("v1.0", "v1.1", "v1.2", "v1.3")
"""With one rule for measuring energy, and most of the systems."""


@dataclass(frozen=True)
class Point:
    """One model on one system: median milliseconds and microjoules of an inference."""

    ms: float
    uj: float

    @property
    def mw(self) -> float:
        """Mean power, milliwatts."""
        return self.uj / self.ms


@dataclass(frozen=True)
class System:
    """One submission.

    Attributes:
        round: "v0.5" ... "v1.3".
        folder: in that round's repository.
        kind: "cpu", or "accelerator" where not the CPU alone computes.
        points: by name of the model, of MODELS.
    """

    round: str
    folder: str
    kind: str
    points: dict[str, Point]

    @property
    def name(self) -> str:
        """Submitter and system."""
        _, submitter, _, *system = self.folder.split("/")
        return f"{submitter} {'/'.join(system)}"


@dataclass(frozen=True)
class Streaming:
    """The streaming wake word on one system.

    Attributes:
        folder: in the repository of v1.3.
        chip: its name.
        mhz: clock.
        mw: average power, milliwatts.
        duty: share of the time in which it computes, of 1.
    """

    folder: str
    chip: str
    mhz: int
    mw: float
    duty: float


@dataclass(frozen=True)
class Prediction:
    """The energy of a model from its time and the power seen with the system's other models."""

    system: System
    model: str
    uj: float

    @property
    def error(self) -> float:
        """Relative: positive if the prediction is too high."""
        return self.uj / self.system.points[self.model].uj - 1

    @property
    def right(self) -> bool:
        """Whether the error is within WITHIN."""
        return abs(self.error) <= WITHIN


@cache
def systems(path: Path = TABLE) -> tuple[System, ...]:
    """Return all systems, in the order of the rounds."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["system"]
    return tuple(
        System(t["round"], t["folder"], t["kind"], {m: Point(*t[m]) for m in MODELS if m in t})
        for t in tables
    )


@cache
def streaming(path: Path = TABLE) -> tuple[Streaming, ...]:
    """Return all systems that ran the streaming wake word."""
    return tuple(
        Streaming(**t) for t in tomllib.loads(path.read_text(encoding="utf-8"))["streaming"]
    )


def headline(chosen: Iterable[System]) -> list[System]:
    """Return those that the claim is about: CPUs in ROUNDS with all four models."""
    return [
        system
        for system in chosen
        if system.kind == "cpu" and system.round in ROUNDS and len(system.points) == len(MODELS)
    ]


def predictions(system: System) -> list[Prediction]:
    """Predict each model's energy: mean power of the others x its time.

    Systems with one model alone predict nothing.
    """
    made = []
    for model, point in system.points.items():
        others = [p.mw for name, p in system.points.items() if name != model]
        if others:
            made.append(Prediction(system, model, mean(others) * point.ms))
    return made


def idle_mw(run: Streaming, active_mw: float) -> float:
    """Return the power between the steps that a model of two states implies, milliwatts.

        power = duty x active + (1 - duty) x idle

    Args:
        run: average power and duty cycle.
        active_mw: power while it computes, from the other models on the same chip and clock.
    """
    return (run.mw - run.duty * active_mw) / (1 - run.duty)


def active_mw(run: Streaming) -> float | None:
    """Return the mean power of inference of the system that `run` is of, milliwatts.

    None if it is not in the table with the same clock: its folder then has a name of its own.
    """
    same = [s for s in systems() if s.folder == run.folder and s.points]
    return mean(p.mw for p in same[-1].points.values()) if same else None
