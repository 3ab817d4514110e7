# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sound front end of the firmware on this computer."""

from torpor.features.codes import UNIT, CodeRule, code_rule, float_codes
from torpor.features.library import CHANNELS, RATE_HZ, SLICE, Features

__all__ = [
    "CHANNELS",
    "RATE_HZ",
    "SLICE",
    "UNIT",
    "CodeRule",
    "Features",
    "code_rule",
    "float_codes",
]
