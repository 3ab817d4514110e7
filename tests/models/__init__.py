# SPDX-License-Identifier: Apache-2.0
"""Tests of models, quantization, the golden interpreter, evaluate and verify."""
