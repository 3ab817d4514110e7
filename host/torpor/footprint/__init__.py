# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Flash, RAM and stack of a linked firmware: who uses what, and whether it fits the board."""

from torpor.footprint.calls import Calls
from torpor.footprint.inference import InferenceBytes, measure_inference
from torpor.footprint.measure import Footprint, check_budget, measure
from torpor.footprint.picture import picture, summary

__all__ = [
    "Calls",
    "Footprint",
    "InferenceBytes",
    "check_budget",
    "measure",
    "measure_inference",
    "picture",
    "summary",
]
