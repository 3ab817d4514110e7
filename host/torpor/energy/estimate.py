# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Energy = time in each state x a constant current of that state.

How far that holds is checked against the public tables of MLPerf Tiny: torpor.energy.mlperf.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torpor.board import Power
from torpor.errors import UsageError

ACTIVE = ("capture", "stage_1", "stage_2", "serial", "flash")
"""States in which the CPU runs."""

STATES = ("sleep", *ACTIVE, "replay")
"""Of firmware/duty/residency.h, in its order."""

TOLERANCE = 0.01
"""How far shares may miss 1: a device rounds seven of them to 1/10000."""

HOURS_A_DAY = 24


class TooSlowError(UsageError):
    """The work does not fit into the time that the chip has."""


@dataclass(frozen=True)
class Estimate:
    """What a residency costs, estimated.

    Attributes:
        average_ua_estimated: current drawn from the battery, microamperes.
        mah_per_day_estimated: charge a day, milliampere hours.
        days_estimated: that the battery lasts; nothing but this current empties it.
    """

    average_ua_estimated: float
    mah_per_day_estimated: float
    days_estimated: float


def current_ua(power: Power, state: str, sensor: str = "motion") -> float:
    """Return the current of a state of STATES, in microamperes.

    `replay` stands in for a sensor that delivers by itself while the CPU sleeps. An active state
    whose current is not known draws that of stage 2. A sensor of motion fills its own memory
    while the chip is in its deepest sleep that keeps RAM; a microphone needs the chip's clocks.

    Args:
        power: the board's table.
        state: one of STATES.
        sensor: "motion" or "sound".

    Raises:
        UsageError: `power` does not know what listening takes.
    """
    if state in ("sleep", "replay"):
        return _listening(power) if sensor == "sound" else power.sleep_ua
    known: float | None = getattr(power, f"{state}_ua")
    return power.stage_2_ua if known is None else known


def _listening(power: Power) -> float:
    if power.listen_ua is None:
        raise UsageError(
            f"no estimate: what a {power.chip} draws while it samples a microphone is not known",
            "'power.listen_ua' in board.toml",
        )
    return power.listen_ua


def estimate(residency: Mapping[str, float], power: Power, sensor: str = "motion") -> Estimate:
    """Estimate what a device draws that spends its time like this.

        average = sum over the states of share x current
        charge a day = average x 24 h;  days = battery / charge a day

    Args:
        residency: share of the time of each state of STATES, of 1; what is left out is 0. The
            shares must be those of the chip: for those of an emulator see `scaled`.
        power: the board's table.
        sensor: "motion" or "sound": what the device listens to while it sleeps.

    Raises:
        UsageError: an unknown state, a share that is negative or no number, shares that do not
            make 1, or `power` does not know what listening takes.
    """
    shares = _checked(residency)
    average = sum(share * current_ua(power, state, sensor) for state, share in shares.items())
    charge = average * HOURS_A_DAY / 1000
    return Estimate(average, charge, power.battery_mah / charge if charge else math.inf)


def scaled(residency: Mapping[str, float], emulated_hz: float, power: Power) -> dict[str, float]:
    """Turn the shares of an emulator's time into those of the chip.

    An emulator executes `emulated_hz` instructions a second of its time. The chip takes
    cycles_per_instruction / clock_hz seconds for one, so that a state that the CPU works in
    shrinks or grows by

        emulated_hz x cycles_per_instruction / clock_hz

    and sleep is what remains.

    Args:
        residency: as that of `estimate`, of an emulator.
        emulated_hz: instructions a second: 10^9 / 2^icount_shift in QEMU.
        power: the board's table.

    Returns:
        shares of all STATES but replay, estimated; their sum is 1.

    Raises:
        UsageError: as `estimate`, or `emulated_hz` is not above 0.
        TooSlowError: the chip would work more than all of the time.
    """
    if not 0 < emulated_hz < math.inf:
        raise UsageError(f"an emulator of {emulated_hz:g} instructions a second is none")
    shares = _checked(residency)
    ratio = emulated_hz * power.cycles_per_instruction / power.clock_hz
    active = {state: shares.get(state, 0.0) * ratio for state in ACTIVE}
    busy = sum(active.values())
    if busy > 1:
        raise TooSlowError(
            f"the work takes {busy:.0%} of the time of the {power.chip} at "
            f"{power.clock_hz / 1e6:g} MHz (estimated)",
            "a longer hop or a smaller model",
        )
    return {"sleep": 1 - busy, **active}


def _checked(residency: Mapping[str, float]) -> dict[str, float]:
    """Return shares whose sum is exactly 1; raise UsageError for what are none."""
    for state, share in residency.items():
        if state not in STATES:
            raise UsageError(f"unknown state '{state}'", f"known: {', '.join(STATES)}")
        if not 0 <= share < math.inf:
            raise UsageError(f"the share of '{state}' is {share}", "shares are 0 to 1")
    total = math.fsum(residency.values())
    if abs(total - 1) > TOLERANCE:
        raise UsageError(f"the shares of time make {total:.4f}", "they must make 1")
    return {state: share / total for state, share in residency.items()}
