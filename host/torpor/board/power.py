# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Whether the numbers of a board's table [power] can be true together."""

from torpor.board.facts import Power
from torpor.errors import UsageError

AWAKE = ("capture_ua", "stage_1_ua", "stage_2_ua", "serial_ua", "flash_ua", "listen_ua")
"""Currents of states in which something runs."""

_POSITIVE = ("volts", "clock_hz", "cycles_per_instruction", "stage_2_ua", "battery_mah")


def check_power(file: str, power: Power | None) -> None:
    """Check a table [power], if there is one.

    Args:
        file: that the table is from, for messages.

    Raises:
        UsageError: a number is 0 that cannot be, sleeping takes more than working, or nothing
            says where the numbers are from.
    """
    if power is None:
        return
    for key in _POSITIVE:
        if not getattr(power, key) > 0:
            raise UsageError(f"{file}: 'power.{key}' must be above 0")
    for key in AWAKE:
        current = getattr(power, key)
        if current is not None and current < power.sleep_ua:
            raise UsageError(
                f"{file}: 'power.{key}' is {current:g}, below 'power.sleep_ua', {power.sleep_ua:g}",
                "both are in microamperes",
            )
    if not power.sources:
        raise UsageError(f"{file}: 'power.sources' is empty", "say where the numbers are from")
