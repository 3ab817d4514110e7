# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Flash, RAM and stack of a linked firmware: who uses what, and whether it fits the board."""

from torpor.footprint.calls import Calls
from torpor.footprint.engine import EngineStack, check_no_heap, engine_stack
from torpor.footprint.inference import InferenceBytes, measure_inference
from torpor.footprint.measure import Footprint, check_budget, measure
from torpor.footprint.picture import picture, summary

__all__ = [
    "Calls",
    "EngineStack",
    "Footprint",
    "InferenceBytes",
    "check_budget",
    "check_no_heap",
    "engine_stack",
    "measure",
    "measure_inference",
    "picture",
    "summary",
]
