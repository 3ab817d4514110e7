# SPDX-License-Identifier: Apache-2.0
"""From a quantized .tflite file to a plan."""

from torpor.compile.compiler import Compiled, compile_model
from torpor.compile.report import Report

__all__ = ["Compiled", "Report", "compile_model"]
