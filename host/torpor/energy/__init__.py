# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""From time per state to charge and days of battery, always estimated. Pure."""

from torpor.energy.estimate import (
    ACTIVE,
    STATES,
    Estimate,
    TooSlowError,
    current_ua,
    estimate,
    scaled,
)

__all__ = ["ACTIVE", "STATES", "Estimate", "TooSlowError", "current_ua", "estimate", "scaled"]
