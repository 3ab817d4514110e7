# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The model of docs/example_app, whose weights are made by hand: falling, level or rising."""

import numpy as np

from tests.support.tflite_builder import GraphBuilder

READINGS = 16
LABELS = ("falling", "level", "rising")


def slope_model() -> bytes:
    """Return slope.tflite: the slope of 16 readings, as a fully connected layer and a softmax."""
    rising = np.arange(READINGS) * 2 - (READINGS - 1)  # -15, -13, .. 15: the sum is 0
    weights = np.stack([-rising, np.zeros(READINGS, int), rising]).astype(np.int8)
    graph = GraphBuilder("slope")
    x = graph.input((1, READINGS), scale=1 / 128)
    w = graph.constant(weights, "int8", scale=1 / 16)
    bias = graph.bias(x, w, np.array([0, 128 * 16, 0]))  # a slope of 3 codes a reading is some
    scores = graph.fully_connected(x, w, bias, scale=1 / 4)
    return graph.build([graph.softmax(scores)])
