# SPDX-License-Identifier: Apache-2.0
"""A model as a graph of frozen values, and the reader that makes it from a .tflite file."""

from torpor.graph.model import Graph, Op, Tensor
from torpor.graph.tflite import read_tflite

__all__ = ["Graph", "Op", "Tensor", "read_tflite"]
