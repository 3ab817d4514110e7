# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The table [wake] of a model.toml: what a device does by itself (`scons app=wake`). No I/O.

Each key becomes a member of duty_config_t (firmware/duty/duty.h), whose comments say what it means.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trigger:
    """When the device wakes; levels in counts of the sensor, see trigger_level()."""

    on: int
    off: int
    debounce: int
    """Blocks."""
    hold: int
    """Blocks."""
    above: float = 0.0
    """`on` is at least so many times the floor of the noise (firmware/duty/floor.h); 0: fixed."""
    still: float = 0.0
    """The same for `off`."""
    every_s: float = 0.0
    """A timer wakes it too, so often; 0: never."""
    windows: int = 1
    """That a timer, a pin or a command makes it look at."""


@dataclass(frozen=True)
class Gate:
    """Stage 1; scores as those of gate_motion() or gate_sound()."""

    low: int
    high: int
    channels: tuple[int, ...] = (0, 40)
    """Of sound: first, and the one after the last."""


@dataclass(frozen=True)
class Decision:
    """From scores to answers."""

    smoothing: str
    """"mean" or "majority"."""
    windows: int
    cutoff: float
    """Of 1."""
    refractory_ms: int
    expiry_s: int
    fallback: str
    """Label that answers when the model cannot and no answer is fresh."""
    ignored: tuple[str, ...] = ()
    """Labels of the background."""
    deadline_ms: int = 0


@dataclass(frozen=True)
class Policy:
    """Thresholds for slow, saving, resting."""

    hot: tuple[float, ...] = (45.0, 55.0, 65.0)
    """Degrees Celsius."""
    hot_hysteresis: float = 3.0
    low: tuple[float, ...] = (30.0, 15.0, 5.0)
    """Percent of the battery."""
    low_hysteresis: float = 3.0
    slow_percent: int = 30


@dataclass(frozen=True)
class Samples:
    """Inputs that are kept."""

    percent: float = 0.0
    """Of all inputs, at random."""
    low: float = 0.0
    """A score below this is worth keeping."""
    every: int = 10
    """At least so many inferences between two."""
    raw: bool = False
    """Keep the input itself; otherwise a summary of it, from which nothing can be heard or seen."""


@dataclass(frozen=True)
class Wake:
    """All of it."""

    sensor: str
    """"motion" or "sound"."""
    block: int
    """Samples that the sensor delivers at once."""
    hop: int
    """Blocks from one window to the next while awake."""
    tail: int
    """Blocks to go on when the trigger has closed."""
    interval_s: int
    """From one summary to the next."""
    trigger: Trigger
    gate: Gate
    decision: Decision
    before: int = 0
    """Blocks from before the wake that are looked at too."""
    longest: int = 0
    latch: bool = False
    counts: tuple[float, ...] = ()
    """Counts of the sensor per raw unit, one per axis (motion)."""
    policy: Policy = Policy()
    samples: Samples = Samples()
